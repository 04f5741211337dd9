/* Data set and views as the commands want them. */
#include "lab/lab.h"

#include "emotion.h"
#include "vision/fer_data.h"

const char *const lab_labels[] = {"angry", "disgust",  "fear",   "happy",
                                  "sad",   "surprise", "neutral"};

enum { HOLD_OUT = 10 };

static void drop_duplicates(struct lab_data_set *d, FILE *to)
{
    struct nn_view *training = &d->split[NN_TRAINING];
    int before = training->count;
    struct nn_duplicates gone =
        nn_view_drop_duplicates(training, &d->split[NN_VALIDATION], NN_SPLIT_COUNT - 1);
    fprintf(to,
            "dedup: %d of %d Training pictures dropped (%d repeats, %d that PublicTest or "
            "PrivateTest shows too), %d left\n",
            gone.inside + gone.across, before, gone.inside, gone.across, training->count);
}

/* Data without a validation split: a tenth of Training, the same for the same seed. */
static void hold_out(struct lab_data_set *d, uint64_t seed, FILE *to)
{
    struct nn_view *training = &d->split[NN_TRAINING], rest, held;
    nn_view_fold(&rest, training, HOLD_OUT, 0, false, seed);
    nn_view_fold(&held, training, HOLD_OUT, 0, true, seed);
    nn_view_free(training);
    nn_view_free(&d->split[NN_VALIDATION]);
    *training = rest;
    d->split[NN_VALIDATION] = held;
    fprintf(to, "no PublicTest rows: %d of the Training pictures are kept apart to choose by\n",
            held.count);
}

int lab_data_open(struct lab_data_set *out, const struct lab_values *v, FILE *to, struct err *err)
{
    *out = (struct lab_data_set){0};
    if (v->data == NULL)
        return err_set(err, ERR_NOT_FOUND, "no data: name a CSV or a folder with --data");
    int rc = fer_read(&out->data, v->data, v->votes, err);
    if (rc < 0)
        return rc;
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        nn_view_of_split(&out->split[s], out->data, (enum nn_split)s);
    if (v->dedup)
        drop_duplicates(out, to);
    return 0;
}

int lab_data_for_training(struct lab_data_set *d, const struct lab_values *v, FILE *to,
                          struct err *err)
{
    int counts[EMOTION_COUNT];
    nn_view_class_counts(&d->split[NN_TRAINING], counts);
    for (int c = 0; c < EMOTION_COUNT; c++)
        if (counts[c] == 0)
            return err_set(err, ERR_RANGE, "%s: there is no Training picture of class '%s'",
                           v->data, lab_labels[c]);
    if (d->split[NN_VALIDATION].count == 0)
        hold_out(d, (uint64_t)v->seed, to);
    return 0;
}

void lab_data_close(struct lab_data_set *d)
{
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        nn_view_free(&d->split[s]);
    nn_dataset_destroy(d->data);
    *d = (struct lab_data_set){0};
}

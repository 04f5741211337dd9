/* moodreel-lab: what its commands share. Values of the option table (options.c), data set and
 * views, the commands themselves. */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "nn/dataset.h"
#include "nn/optim.h"
#include "nn/train.h"
#include "options.h"

/* The commands, in the order of lab_commands. Each one's bit in option_spec.commands is 1 << it. */
enum lab_command {
    LAB_TRAIN,
    LAB_EVALUATE,
    LAB_PHOTOS,
    LAB_CROSSVAL,
    LAB_DATA,
    LAB_MODELS,
    LAB_EXPORT,
    LAB_QUANTIZE,
    LAB_BENCH,
    LAB_BASELINE,
    LAB_RANKING,
    LAB_SENTIMENT,
    LAB_COMMAND_COUNT
};

/* One value for each row of the option table. Strings may be NULL. */
struct lab_values {
    /* data */
    const char *data, *votes, *out;
    bool dedup, new_head;
    int split; /* enum nn_split */
    /* network */
    const char *net, *init, *freeze;
    bool half, wide;
    int side;
    double width, mean, std, crop_margin;
    /* training */
    int epochs, batch, patience, threads, seed;
    int precision; /* enum nn_precision */
    int optimizer; /* enum nn_optim_kind */
    double rate, momentum, weight_decay, clip, ema, sam;
    int schedule; /* enum nn_schedule */
    double warmup, step_factor;
    int step_every;
    double smoothing, vote_weight;
    int class_weights; /* enum nn_class_weights */
    const char *teacher;
    bool vote_teacher;
    double teacher_weight, teacher_temperature;
    bool resume;
    /* augmentation */
    double flip, shift, rotate, zoom, shear, brightness, contrast, gamma, erase, erase_area;
    double mixup, mixup_share;
    /* reports */
    bool json, profile, train;
    int samples, folds, runs, pictures;
    const char *against;
};

extern const struct option_set lab_options;
extern const struct command lab_commands[LAB_COMMAND_COUNT];

command_fn lab_train, lab_evaluate, lab_photos, lab_crossval, lab_data, lab_models, lab_export,
    lab_quantize, lab_bench, lab_baseline, lab_ranking, lab_sentiment;

/* The commands with a table of their own and one FOLDER: options into `values`, then run(). */
typedef int lab_folder_fn(const char *folder, const void *values, struct err *err);
int lab_folder(const struct option_set *set, const struct command *command, void *values,
               lab_folder_fn *run, int argc, char **argv, struct err *err);

/* `models show FILE`: nodes, shapes, kernels, memory; with --profile the time of each step. */
int lab_show(const struct lab_values *v, const char *model, int batch, struct err *err);

/* A data set with a view of each split. */
struct lab_data_set {
    struct nn_dataset *data;
    struct nn_view split[NN_SPLIT_COUNT];
};
/* Reads --data and --votes; with --dedup cleans Training and says on `to` how many went. */
int lab_data_open(struct lab_data_set *out, const struct lab_values *v, FILE *to, struct err *err);
/* Checks that every class can be learnt. When there are no PublicTest rows a tenth of Training,
 * stratified, takes their place (said on `to`). */
int lab_data_for_training(struct lab_data_set *d, const struct lab_values *v, FILE *to,
                          struct err *err);
void lab_data_close(struct lab_data_set *d); /* also after a failed open */

/* The names of the seven, in data order. */
extern const char *const lab_labels[];

#endif

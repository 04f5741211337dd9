/* Which of several networks reads the next faces: the most accurate one that is fast enough for
 * their number. Pure: times come in as arguments. One thread. */
#ifndef VISION_MODEL_PICK_H
#define VISION_MODEL_PICK_H

enum { MODEL_PICK_MAX = 2 };

struct model_pick {
    int count;
    float alone_ms[MODEL_PICK_MAX]; /* a face, as measured when the model was added */
    float load;                     /* how many times as long a face takes now */
    int current;                    /* what was chosen last */
};

/* The first model; the next ones are more accurate and slower. */
void model_pick_begin(struct model_pick *p, float alone_ms);
void model_pick_add(struct model_pick *p, float alone_ms);

/* What `views` pictures of faces would take with a model now, milliseconds. */
float model_pick_ms(const struct model_pick *p, int model, int views);

/* The last model that is expected to read `views` pictures in budget_ms, else the first. A model
 * that was not chosen last must do it in three quarters of that, so that the choice is steady. */
int model_pick_choose(struct model_pick *p, int views, float budget_ms);

/* What the chosen model took: how busy the machine is, for all models alike. */
void model_pick_measured(struct model_pick *p, int views, float ms);

#endif

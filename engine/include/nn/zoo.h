/* The networks that the project knows by name: those of the five documents it started from, and its
 * own. models/README.md says what each was trained on and how well it does. */
#ifndef NN_ZOO_H
#define NN_ZOO_H

#include "nn/graph.h"

struct nn_zoo_entry {
    const char *name, *summary;
    int channels, height, width; /* the input it was made for */
    bool two_heads;              /* has the second output "ferplus" */
};

enum { NN_FERPLUS_SHARES = 10 }; /* eight emotions, unknown, not a face */

struct nn_zoo_options {
    int classes;                 /* of the output "logits"; 0: 7 */
    int channels, height, width; /* 0: what the network was made for */
    float width_factor;          /* of all channel counts (mobilenet's alpha); 0: 1 */
    uint64_t seed;               /* of the initial weights */
};

const struct nn_zoo_entry *nn_zoo_list(size_t *count);
const struct nn_zoo_entry *nn_zoo_find(const char *name); /* NULL: unknown */

/* Builds and finishes; the input is named "input", the outputs "logits" and "ferplus". `options`
 * may be NULL. ERR_NOT_FOUND lists the known names. */
int nn_zoo_build(struct nn_graph **out, const char *name, const struct nn_zoo_options *options,
                 struct err *err);

#endif

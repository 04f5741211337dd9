/* Copies of a graph, node by node, so that a copy can differ from what it is made of. */
#ifndef ENGINE_GRAPH_COPY_H
#define ENGINE_GRAPH_COPY_H

#include "internal.h"

struct nn__copy {
    const struct nn_graph *from;
    struct nn_graph *to;
    const char *prefix; /* of every name in `to` */
    nn_value *map;      /* value of `from` -> value of `to`, or NN_NONE */
};

/* Starts a graph with the inputs and metadata of `from`, and the copy into it. */
struct nn__copy nn__copy_begin(const struct nn_graph *from);
/* Starts a copy of `from` behind the inputs of `to`, which has as many of the same kind. */
struct nn__copy nn__copy_into(struct nn_graph *to, const struct nn_graph *from, const char *prefix);
/* The copy of a value; constants are copied when first asked for. */
nn_value nn__copied(struct nn__copy *c, nn_value v);
void nn__copy_inputs(struct nn__copy *c, const struct nn_node *n, nn_value inputs[NN_VARIADIC]);
/* The copy of a node with these inputs, its results under their old names. */
void nn__copy_node(struct nn__copy *c, const struct nn_node *n, const nn_value *inputs, int count);
void nn__copy_outputs(struct nn__copy *c);
/* Ends a copy and keeps its graph. */
void nn__copy_leave(struct nn__copy *c);
/* Ends a copy: the finished graph, or an error. */
int nn__copy_end(struct nn__copy *c, struct nn_graph **out, struct err *err);

#endif

/* What the shape functions of shape*.c share. Private to them. */
#ifndef NN_SHAPE_H
#define NN_SHAPE_H

#include "internal.h"

static inline int64_t nn__clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* Inputs of a node; an optional one that is absent has no shape. */
const struct nn_shape *nn__in_shape(const struct nn_graph *g, const struct nn_node *n, int i);
bool nn__has_input(const struct nn_node *n, int i);

/* An axis of -rank..rank-1 counted from the front, or an error. */
int nn__want_axis(const struct nn_node *n, int64_t axis, int rank, struct err *err);

/* numpy's rule: dimensions are matched from the last one, and 1 stretches. out grows to hold s. */
int nn__broadcast_into(const struct nn_node *n, struct nn_shape *out, const struct nn_shape *s,
                       struct err *err);

/* Reads a shape given as the constant input i. */
int nn__read_shape(const struct nn_graph *g, const struct nn_node *n, int i, struct nn_shape *out,
                   struct err *err);

/* The end of every shape function: sets output i, after checking its size; the first output with
 * the type of the first input; or says of all outputs that their shape is not known yet. */
int nn__set_output(struct nn_graph *g, const struct nn_node *n, int i, enum nn_dtype type,
                   const struct nn_shape *s, struct err *err);
int nn__set_like(struct nn_graph *g, const struct nn_node *n, const struct nn_shape *s,
                 struct err *err);
int nn__set_unknown(struct nn_graph *g, const struct nn_node *n);

/* True while the shape of the result cannot be told: an input is open, or a number that the
 * operator needs (inputs `first_constant` and later) is still to be computed. */
bool nn__undecided(const struct nn_graph *g, const struct nn_node *n, int first_constant);

#endif

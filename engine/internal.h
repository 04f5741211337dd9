/* The private half of nn/graph.h: what a graph looks like to the engine's own files.
 *
 * DESIGN. One table row per operator (NN_OPS) gives its enum, its ONNX name, how many inputs it
 * takes, which of them are trainable parameters, and its shape function. Attributes keep their
 * ONNX names and types, so the file format and the passes need no per-operator code.
 * Nodes are stored in an order in which they can be executed. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "base/rng.h"
#include "nn/graph.h"

enum { NN_VARIADIC = 64 }; /* inputs at most, all of them required */

/* X(enum, ONNX name, least inputs, most inputs, trainable inputs as bits, shape function) */
#define NN_OPS(X)                                                                                  \
    X(CONV, "Conv", 2, 3, 6, conv)                                                                 \
    X(GEMM, "Gemm", 2, 3, 6, gemm)                                                                 \
    X(MATMUL, "MatMul", 2, 2, 2, matmul)                                                           \
    X(BATCHNORM, "BatchNormalization", 5, 5, 6, same)                                              \
    X(RELU, "Relu", 1, 1, 0, same)                                                                 \
    X(LEAKY_RELU, "LeakyRelu", 1, 1, 0, same)                                                      \
    X(SIGMOID, "Sigmoid", 1, 1, 0, same)                                                           \
    X(HARD_SIGMOID, "HardSigmoid", 1, 1, 0, same)                                                  \
    X(HARD_SWISH, "HardSwish", 1, 1, 0, same)                                                      \
    X(TANH, "Tanh", 1, 1, 0, same)                                                                 \
    X(CLIP, "Clip", 1, 3, 0, same)                                                                 \
    X(SOFTMAX, "Softmax", 1, 1, 0, same)                                                           \
    X(IDENTITY, "Identity", 1, 1, 0, same)                                                         \
    X(DROPOUT, "Dropout", 1, 3, 0, same)                                                           \
    X(ADD, "Add", 2, 2, 0, broadcast)                                                              \
    X(MUL, "Mul", 2, 2, 0, broadcast)                                                              \
    X(MAXPOOL, "MaxPool", 1, 1, 0, pool)                                                           \
    X(AVGPOOL, "AveragePool", 1, 1, 0, pool)                                                       \
    X(GLOBAL_AVGPOOL, "GlobalAveragePool", 1, 1, 0, global_pool)                                   \
    X(GLOBAL_MAXPOOL, "GlobalMaxPool", 1, 1, 0, global_pool)                                       \
    X(CONCAT, "Concat", 1, NN_VARIADIC, 0, concat)                                                 \
    X(FLATTEN, "Flatten", 1, 1, 0, flatten)                                                        \
    X(RESHAPE, "Reshape", 2, 2, 0, reshape)                                                        \
    /* The rest is for inference only; shape functions in shape_move.c and shape_value.c. */       \
    X(CONV_TRANSPOSE, "ConvTranspose", 2, 3, 0, conv_transpose)                                    \
    X(INSTANCE_NORM, "InstanceNormalization", 3, 3, 0, same)                                       \
    X(LAYER_NORM, "LayerNormalization", 2, 3, 0, layer_norm)                                       \
    X(PRELU, "PRelu", 2, 2, 0, same)                                                               \
    X(ELU, "Elu", 1, 1, 0, same)                                                                   \
    X(GELU, "Gelu", 1, 1, 0, same)                                                                 \
    X(SWISH, "Swish", 1, 1, 0, same)                                                               \
    X(ERF, "Erf", 1, 1, 0, same)                                                                   \
    X(SELU, "Selu", 1, 1, 0, same)                                                                 \
    X(CELU, "Celu", 1, 1, 0, same)                                                                 \
    X(SOFTSIGN, "Softsign", 1, 1, 0, same)                                                         \
    X(THRESHOLDED_RELU, "ThresholdedRelu", 1, 1, 0, same)                                          \
    X(SIGN, "Sign", 1, 1, 0, same)                                                                 \
    X(ROUND, "Round", 1, 1, 0, same)                                                               \
    X(SIN, "Sin", 1, 1, 0, same)                                                                   \
    X(COS, "Cos", 1, 1, 0, same)                                                                   \
    X(NOT, "Not", 1, 1, 0, same)                                                                   \
    X(LRN, "LRN", 1, 1, 0, same)                                                                   \
    X(LP_NORM, "LpNormalization", 1, 1, 0, same)                                                   \
    X(SOFTPLUS, "Softplus", 1, 1, 0, same)                                                         \
    X(LOG_SOFTMAX, "LogSoftmax", 1, 1, 0, same)                                                    \
    X(SQRT, "Sqrt", 1, 1, 0, same)                                                                 \
    X(EXP, "Exp", 1, 1, 0, same)                                                                   \
    X(LOG, "Log", 1, 1, 0, same)                                                                   \
    X(ABS, "Abs", 1, 1, 0, same)                                                                   \
    X(NEG, "Neg", 1, 1, 0, same)                                                                   \
    X(FLOOR, "Floor", 1, 1, 0, same)                                                               \
    X(CEIL, "Ceil", 1, 1, 0, same)                                                                 \
    X(RECIPROCAL, "Reciprocal", 1, 1, 0, same)                                                     \
    X(SUB, "Sub", 2, 2, 0, broadcast)                                                              \
    X(DIV, "Div", 2, 2, 0, broadcast)                                                              \
    X(POW, "Pow", 2, 2, 0, broadcast)                                                              \
    X(EQUAL, "Equal", 2, 2, 0, compare)                                                            \
    X(LESS, "Less", 2, 2, 0, compare)                                                              \
    X(GREATER, "Greater", 2, 2, 0, compare)                                                        \
    X(LESS_EQUAL, "LessOrEqual", 2, 2, 0, compare)                                                 \
    X(GREATER_EQUAL, "GreaterOrEqual", 2, 2, 0, compare)                                           \
    X(AND, "And", 2, 2, 0, compare)                                                                \
    X(OR, "Or", 2, 2, 0, compare)                                                                  \
    X(XOR, "Xor", 2, 2, 0, compare)                                                                \
    X(MAX, "Max", 1, NN_VARIADIC, 0, broadcast_all)                                                \
    X(MIN, "Min", 1, NN_VARIADIC, 0, broadcast_all)                                                \
    X(SUM, "Sum", 1, NN_VARIADIC, 0, broadcast_all)                                                \
    X(MEAN, "Mean", 1, NN_VARIADIC, 0, broadcast_all)                                              \
    X(WHERE, "Where", 3, 3, 0, broadcast_all)                                                      \
    X(REDUCE_MEAN, "ReduceMean", 1, 2, 0, reduce)                                                  \
    X(REDUCE_SUM, "ReduceSum", 1, 2, 0, reduce)                                                    \
    X(REDUCE_MAX, "ReduceMax", 1, 2, 0, reduce)                                                    \
    X(REDUCE_MIN, "ReduceMin", 1, 2, 0, reduce)                                                    \
    X(REDUCE_PROD, "ReduceProd", 1, 2, 0, reduce)                                                  \
    X(REDUCE_L1, "ReduceL1", 1, 2, 0, reduce)                                                      \
    X(REDUCE_L2, "ReduceL2", 1, 2, 0, reduce)                                                      \
    X(REDUCE_SUM_SQUARE, "ReduceSumSquare", 1, 2, 0, reduce)                                       \
    X(REDUCE_LOG_SUM, "ReduceLogSum", 1, 2, 0, reduce)                                             \
    X(REDUCE_LOG_SUM_EXP, "ReduceLogSumExp", 1, 2, 0, reduce)                                      \
    X(ARG_MAX, "ArgMax", 1, 1, 0, arg)                                                             \
    X(ARG_MIN, "ArgMin", 1, 1, 0, arg)                                                             \
    X(SPLIT, "Split", 1, 2, 0, split)                                                              \
    X(SLICE, "Slice", 1, 5, 0, slice)                                                              \
    X(PAD, "Pad", 1, 3, 0, pad)                                                                    \
    X(TRANSPOSE, "Transpose", 1, 1, 0, transpose)                                                  \
    X(SQUEEZE, "Squeeze", 1, 2, 0, squeeze)                                                        \
    X(UNSQUEEZE, "Unsqueeze", 1, 2, 0, unsqueeze)                                                  \
    X(GATHER, "Gather", 2, 2, 0, gather)                                                           \
    X(EXPAND, "Expand", 2, 2, 0, expand)                                                           \
    X(TILE, "Tile", 2, 2, 0, tile)                                                                 \
    X(RESIZE, "Resize", 1, 4, 0, resize)                                                           \
    X(UPSAMPLE, "Upsample", 1, 2, 0, resize)                                                       \
    X(DEPTH_TO_SPACE, "DepthToSpace", 1, 1, 0, depth_to_space)                                     \
    X(SPACE_TO_DEPTH, "SpaceToDepth", 1, 1, 0, space_to_depth)                                     \
    X(CAST, "Cast", 1, 1, 0, cast)                                                                 \
    X(SHAPE, "Shape", 1, 1, 0, shape)                                                              \
    X(SIZE, "Size", 1, 1, 0, size)                                                                 \
    X(CONSTANT_OF_SHAPE, "ConstantOfShape", 1, 1, 0, constant_of_shape)                            \
    X(RANGE, "Range", 3, 3, 0, range)                                                              \
    X(QUANTIZE, "QuantizeLinear", 2, 3, 0, quantize)                                               \
    X(DEQUANTIZE, "DequantizeLinear", 2, 3, 0, dequantize)

enum nn_op {
#define X(id, ...) NN_OP_##id,
    NN_OPS(X)
#undef X
        NN_OP_COUNT
};

struct nn_node;
/* Sets the shape and type of the node's outputs from its inputs and attributes. */
typedef int nn_shape_fn(struct nn_graph *g, const struct nn_node *n, struct err *err);

struct nn_op_info {
    const char *name; /* in ONNX */
    int min_inputs, max_inputs;
    unsigned parameters; /* bit i: a constant input i is trained */
    nn_shape_fn *shape;
};

/* One shape function for each family, in shape*.c. */
#define X(id, name, min, max, parameters, fn) nn_shape_fn nn__shape_##fn;
NN_OPS(X)
#undef X

const struct nn_op_info *nn__op_info(enum nn_op op);
int nn__op_find(const char *name); /* enum nn_op, or -1 */

enum nn_attr_kind {
    NN_ATTR_INT,
    NN_ATTR_FLOAT,
    NN_ATTR_STRING,
    NN_ATTR_INTS,
    NN_ATTR_FLOATS,
    NN_ATTR_TENSOR
};

struct nn_attr {
    const char *name;
    enum nn_attr_kind kind;
    int count;          /* of ints or floats; 1 for single ones */
    int64_t *ints;      /* INT, INTS; else NULL */
    float *floats;      /* FLOAT, FLOATS; else NULL */
    const char *string; /* STRING */
    nn_value tensor;    /* TENSOR: a constant of the graph */
};

struct nn_node {
    enum nn_op op;
    const char *name;
    int input_count, output_count, attr_count;
    nn_value *inputs; /* NN_NONE: an optional input that is absent */
    nn_value *outputs;
    struct nn_attr *attrs;
};

struct nn_tensor {
    const char *name; /* unique in the graph */
    enum nn_dtype dtype;
    struct nn_shape shape;
    void *data;   /* 64-byte aligned; owned by the graph; NULL: an input or computed */
    int producer; /* index of the node that computes it; -1: input or constant */
    bool trainable;
    bool borrowed; /* data belongs to another graph */
    bool half;     /* files hold it in 16 bits (nn_graph_store_halves) */
};

struct nn_meta {
    const char *key, *value;
};

#define NN__TOO_MUCH_MEMORY "it wants more memory than a network of its size may"

struct nn_graph {
    const char *name;
    uint64_t seed;
    struct arena *arena; /* all strings, nodes' arrays and attributes */
    size_t room;         /* bytes that it may still ask for; more is NN__TOO_MUCH_MEMORY */
    struct nn_node *nodes;
    size_t node_count, node_cap;
    struct nn_tensor *values;
    size_t value_count, value_cap;
    nn_value *inputs, *outputs;
    size_t input_count, input_cap, output_count, output_cap;
    struct nn_meta *meta;
    size_t meta_count, meta_cap;
    int32_t *names; /* hash table of value indices by name, -1: free; a power of two */
    size_t names_cap;
    int opset;        /* whose meaning the nodes have; 13 for built ones */
    bool bound;       /* the batch is a number: every shape must be known */
    struct err error; /* the first one while building */
    bool finished;
};

/* A shape of rank NN_UNKNOWN is not known before the batch is bound. */
enum { NN_UNKNOWN = -1 };
/* Elements of a shape with an open batch counted as `batch`; -1 on overflow of int64. */
int64_t nn__shape_elements(const struct nn_shape *s, int64_t batch);
bool nn__shape_equal(const struct nn_shape *a, const struct nn_shape *b);

/* Values. The pointer from nn__value() is good until the next value is added. */
struct nn_tensor *nn__value(const struct nn_graph *g, nn_value v);
bool nn__is_constant(const struct nn_graph *g, nn_value v);
bool nn__one_number(const struct nn_graph *g, nn_value v); /* a constant of one element */
/* Are all inputs that are there constant? */
bool nn__all_constant(const struct nn_graph *g, const struct nn_node *n);
/* Adds a value; name NULL makes one up; a taken name is an error. */
nn_value nn__value_add(struct nn_graph *g, const char *name, enum nn_dtype type,
                       const struct nn_shape *shape);
/* Adds a constant with room for its elements, not filled. NN_NONE after an error. */
nn_value nn__constant_add(struct nn_graph *g, const char *name, enum nn_dtype type,
                          const struct nn_shape *shape);
nn_value nn__input_add(struct nn_graph *g, const char *name, enum nn_dtype type,
                       const struct nn_shape *shape);

/* Nodes. Add one, give it inputs and attributes, then end it: that checks it, infers its shapes
 * and creates its outputs (names may be NULL). Returns the first output or NN_NONE. */
struct nn_node *nn__node_begin(struct nn_graph *g, enum nn_op op, const char *name);
void nn__node_input(struct nn_graph *g, struct nn_node *n, nn_value v);
void nn__node_int(struct nn_graph *g, struct nn_node *n, const char *attr, int64_t value);
void nn__node_float(struct nn_graph *g, struct nn_node *n, const char *attr, float value);
void nn__node_string(struct nn_graph *g, struct nn_node *n, const char *attr, const char *value);
void nn__node_ints(struct nn_graph *g, struct nn_node *n, const char *attr, const int64_t *values,
                   int count);
void nn__node_floats(struct nn_graph *g, struct nn_node *n, const char *attr, const float *values,
                     int count);
void nn__node_tensor(struct nn_graph *g, struct nn_node *n, const char *attr, nn_value constant);
void nn__attr_remove(struct nn_node *n, const char *name);
nn_value nn__node_end(struct nn_graph *g, struct nn_node *n, int outputs,
                      const char *const *output_names);

/* Attributes; the last argument is what an absent one means. */
const struct nn_attr *nn__attr(const struct nn_node *n, const char *name); /* NULL: absent */
int64_t nn__attr_int(const struct nn_node *n, const char *name, int64_t absent);
float nn__attr_float(const struct nn_node *n, const char *name, float absent);
const char *nn__attr_string(const struct nn_node *n, const char *name, const char *absent);

/* Constants as numbers. read_ints: the elements of an integer (or float) constant; returns how
 * many, -1 when v is absent, not constant, or has more than `most`. */
int nn__read_ints(const struct nn_graph *g, nn_value v, int64_t *out, int most);
/* One element of a constant of any type. */
double nn__element(const struct nn_tensor *t, int64_t index);
void nn__set_element(struct nn_tensor *t, int64_t index, double value); /* saturates */

/* The numbers that an operator takes from an attribute or, in newer opsets, from a constant input
 * `i`. Returns how many, 0 when both are absent; an error when they are not constant. */
int nn__node_numbers(const struct nn_graph *g, const struct nn_node *n, const char *attr, int i,
                     int64_t *out, int most, struct err *err);
/* The axes of a reduction, Squeeze or Unsqueeze as one flag each; all false when none is given. */
int nn__axes(const struct nn_graph *g, const struct nn_node *n, int rank, bool marked[NN_MAX_RANK],
             struct err *err);

/* One axis of Slice: element i of the result is element start + i * step of the input. */
struct nn_slice {
    int64_t start[NN_MAX_RANK], step[NN_MAX_RANK], count[NN_MAX_RANK];
};
int nn__slice(const struct nn_graph *g, const struct nn_node *n, struct nn_slice *s,
              struct err *err);
/* Pad: elements before and after each axis; negative ones cut. */
int nn__pads(const struct nn_graph *g, const struct nn_node *n, int64_t before[NN_MAX_RANK],
             int64_t after[NN_MAX_RANK], struct err *err);
/* Resize: scale factor of each axis. */
int nn__scales(const struct nn_graph *g, const struct nn_node *n, double scale[NN_MAX_RANK],
               struct err *err);

/* The sliding window of a convolution or pool, read from its attributes and checked. */
struct nn_window {
    int kernel[2], stride[2], dilation[2]; /* height, width */
    int pad[4];                            /* top, left, bottom, right, already resolved */
    int in[2], out[2];                     /* spatial sizes; a row (N x C x W) has height 1 */
    int groups;                            /* Conv */
};
int nn__window(const struct nn_graph *g, const struct nn_node *n, struct nn_window *w,
               struct err *err);

/* ConvTranspose: `in` is read, `out` written; pads cut the written image. */
int nn__window_transposed(const struct nn_graph *g, const struct nn_node *n, struct nn_window *w,
                          struct err *err);

/* An operand of MatMul: a vector is a row on the left and a column on the right. */
struct nn_shape nn__as_matrix(const struct nn_shape *s, bool left);

/* The limits of Clip, from inputs (opset 11) or attributes (opset 6); infinite where absent. */
void nn__clip_limits(const struct nn_graph *g, const struct nn_node *n, float *lo, float *hi);

/* Error of a node: "node NAME (OPERATOR): <text>". */
int nn__node_error(const struct nn_node *n, struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif

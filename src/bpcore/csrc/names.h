/* Names in Python and their integers in C.  Each list is written once, as
 * X(INTEGER, name), in the order of the integers; messages list the names in it too. */

#ifndef BPCORE_NAMES_H
#define BPCORE_NAMES_H

#define BPCORE_EACH_ACTIVATION(X)                                                     \
    X(IDENTITY, identity) X(SIGMOID, sigmoid) X(TANH, tanh) X(RELU, relu)             \
    X(SOFTMAX, softmax) X(LEAKY_RELU, leaky_relu) X(ELU, elu) X(SELU, selu)           \
    X(GELU, gelu) X(GELU_TANH, gelu_tanh) X(SILU, silu) X(MISH, mish)                 \
    X(SOFTPLUS, softplus) X(SOFTSIGN, softsign) X(HARD_SIGMOID, hard_sigmoid)         \
    X(HARD_TANH, hard_tanh) X(EXPONENTIAL, exp) X(STEP, step)

#define BPCORE_EACH_LOSS(X)                                                           \
    X(SQUARED_ERROR, squared_error) X(MEAN_SQUARED_ERROR, mean_squared_error)         \
    X(CROSS_ENTROPY, cross_entropy) X(BINARY_CROSS_ENTROPY, binary_cross_entropy)     \
    X(MEAN_ABSOLUTE_ERROR, mean_absolute_error) X(HUBER, huber)                       \
    X(QUANTILE, quantile) X(LOG_COSH, log_cosh) X(HINGE, hinge) X(POISSON, poisson)   \
    X(POISSON_OF_LOG, poisson_of_log) X(KL_DIVERGENCE, kl_divergence)                 \
    X(LOG_LOSS, log_loss) X(BINARY_LOG_LOSS, binary_log_loss)

/* Kinds of normalisation; 0 is none. */
#define BPCORE_EACH_NORMALISATION(X) X(BATCH_NORM, batch) X(LAYER_NORM, layer)

/* Update rules of the optimizers.  The plain rules are applied while the gradient is in
 * registers, the others from a tile of it in memory. */
#define BPCORE_EACH_PLAIN_RULE(X)                                                     \
    X(PLAIN, plain) X(PLAIN_MOMENTUM, plain_momentum) X(PLAIN_NESTEROV, plain_nesterov)
#define BPCORE_EACH_OTHER_RULE(X)                                                     \
    X(SGD, sgd) X(MOMENTUM, momentum) X(RMSPROP, rmsprop) X(ADAGRAD, adagrad)         \
    X(ADAM, adam) X(AMSGRAD, amsgrad) X(NADAM, nadam) X(ADAMAX, adamax)               \
    X(RADAM, radam) X(LION, lion) X(RPROP, rprop)
#define BPCORE_EACH_RULE(X) BPCORE_EACH_PLAIN_RULE(X) BPCORE_EACH_OTHER_RULE(X)

/* The library's own elementary functions (elementary.h). */
#define BPCORE_EACH_ELEMENTARY(X)                                                     \
    X(ELEMENTARY_EXP, exp) X(ELEMENTARY_LOG, log) X(ELEMENTARY_LOG1P, log1p)          \
    X(ELEMENTARY_TANH, tanh) X(ELEMENTARY_SIGMOID, sigmoid)                           \
    X(ELEMENTARY_EXPM1, expm1) X(ELEMENTARY_NORMAL_CDF, normal_cdf)                   \
    X(ELEMENTARY_LOG_COSH, log_cosh)

#define BPCORE_INTEGER(INTEGER, name) BPCORE_##INTEGER,
typedef enum { BPCORE_EACH_ACTIVATION(BPCORE_INTEGER) } bpcore_activation;
typedef enum { BPCORE_EACH_LOSS(BPCORE_INTEGER) } bpcore_loss;
typedef enum {
    BPCORE_NOT_NORMALISED,
    BPCORE_EACH_NORMALISATION(BPCORE_INTEGER)
} bpcore_normalisation;
typedef enum { BPCORE_EACH_RULE(BPCORE_INTEGER) } bpcore_rule;
typedef enum { BPCORE_EACH_ELEMENTARY(BPCORE_INTEGER) } bpcore_elementary;
#undef BPCORE_INTEGER

/* The names of each list in one string, separated by spaces, for Python. */
#define BPCORE_WORD(INTEGER, name) #name " "
#define BPCORE_ACTIVATIONS BPCORE_EACH_ACTIVATION(BPCORE_WORD)
#define BPCORE_LOSSES BPCORE_EACH_LOSS(BPCORE_WORD)
#define BPCORE_NORMALISATIONS BPCORE_EACH_NORMALISATION(BPCORE_WORD)
#define BPCORE_RULES BPCORE_EACH_RULE(BPCORE_WORD)
#define BPCORE_ELEMENTARY BPCORE_EACH_ELEMENTARY(BPCORE_WORD)

#endif

/* What crosses between Cython and C, the same for every dtype: names as small
 * integers, and a matrix product as data. */

#ifndef BPCORE_TYPES_H
#define BPCORE_TYPES_H

#include <stddef.h>

typedef enum {
    BPCORE_IDENTITY,
    BPCORE_SIGMOID,
    BPCORE_TANH,
    BPCORE_RELU,
    BPCORE_SOFTMAX,
} bpcore_activation;

typedef enum {
    BPCORE_SQUARED_ERROR,
    BPCORE_MEAN_SQUARED_ERROR,
    BPCORE_CROSS_ENTROPY,
    BPCORE_BINARY_CROSS_ENTROPY,
} bpcore_loss;

typedef enum {
    BPCORE_SGD,
    BPCORE_MOMENTUM,
    BPCORE_NESTEROV,
} bpcore_rule;
#define BPCORE_EACH_RULE(X) X(BPCORE_SGD) X(BPCORE_MOMENTUM) X(BPCORE_NESTEROV)

/* An optimizer's rule and its settings, in double for every dtype. */
typedef struct {
    bpcore_rule rule;
    double lr, momentum, weight_decay;
} bpcore_optimizer;

/* What becomes of an element of a product when its sum is complete. */
typedef enum {
    BPCORE_STORE,
    BPCORE_STORE_RELU,
    BPCORE_TIMES_RELU_DERIVATIVE,
    BPCORE_TIMES_SIGMOID_DERIVATIVE,
    BPCORE_TIMES_TANH_DERIVATIVE,
    BPCORE_DESCEND,
} bpcore_finish;

/* The library's own elementary functions, callable by name. */
typedef enum {
    BPCORE_EXP,
    BPCORE_LOG,
    BPCORE_LOG1P,
    BPCORE_TANH_OF,
    BPCORE_SIGMOID_OF,
} bpcore_elementary;

/* C = finish(start + A @ B)      A (m, k)   B (k, n)   C (m, n)
 *
 * Strides count elements.  B's rows are contiguous, or its columns are: then
 * b_transposed is set and b_row is the distance between columns. */
typedef struct {
    ptrdiff_t m, n, k;
    const void *A;
    ptrdiff_t a_row, a_col;
    const void *B;
    ptrdiff_t b_row;
    int b_transposed;
    void *C;
    ptrdiff_t c_row;
    const void *start;                 /* (n,) or NULL for zeros */
    bpcore_finish finish;
    const void *a;                     /* like C: the activations that give f'(a) */
    const bpcore_optimizer *optimizer; /* for BPCORE_DESCEND, */
    void *state;                       /* with its state, like C */
} bpcore_product;

/* A sum over k is cut into chains of BPCORE_CHAIN terms, whose sums are added in turn:
 * the error then grows with the chain, not with k.  Part of the bits: not to change. */
#define BPCORE_CHAIN 256

/* Chains are taken in blocks of BPCORE_KC terms, so that a panel of B (KC rows of one
 * tile's columns, 64 KiB with 64-byte registers) stays in a near cache while the row
 * tiles pass over it.  No bit depends on it; a multiple of BPCORE_CHAIN. */
#define BPCORE_KC 512

/* Rows of B far apart share cache sets.  Copying a panel pays the sooner, the farther
 * they are and the more rows of A use it: where bytes apart times rows of A reach this
 * (measured: docs/decisions.md). */
#define BPCORE_PACK_FROM (1 << 19)

/* Room for the largest panel: KC rows of two 64-byte registers. */
typedef struct {
    _Alignas(64) char bytes[BPCORE_KC * 2 * 64];
} bpcore_panel;

#endif

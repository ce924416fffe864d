/* Descriptors of matrix products, and those of a layer: a (n, n_in), delta (n, n_out),
 * W (n_in, n_out). */

#ifndef BPCORE_PRODUCT_H
#define BPCORE_PRODUCT_H

#include "types.h"

/* Epilogue: the operation on an element of a product once its sum is complete. */
typedef enum {
    BPCORE_STORE,
    BPCORE_STORE_RELU,
    BPCORE_TIMES_RELU_DERIVATIVE,
    BPCORE_TIMES_SIGMOID_DERIVATIVE,
    BPCORE_TIMES_TANH_DERIVATIVE,
    BPCORE_DESCEND,
} bpcore_finish;

/* C = finish(start + A @ B)      A (m, k)   B (k, n)   C (m, n)
 *
 * Strides are in elements.  Either B's rows are contiguous, or its columns: then
 * b_transposed is set and b_row is the stride between columns. */
typedef struct {
    ptrdiff_t m, n, k;
    const void *A;
    ptrdiff_t a_row, a_col;
    const void *B;
    ptrdiff_t b_row;
    int b_transposed;
    const void *packed;                /* copy of B by `pack`, or NULL */
    void *C;
    ptrdiff_t c_row;
    const void *start;                 /* (n,) or NULL for zeros */
    bpcore_finish finish;
    const void *a;                     /* shape of C: activations, for f' */
    const bpcore_optimizer *optimizer; /* for BPCORE_DESCEND */
    void *state;                       /* its state, shape of C */
} bpcore_product;

/* a @ W     (n, n_out) */
static inline bpcore_product bpcore_affine(const void *a, const void *W, ptrdiff_t n,
                                           ptrdiff_t n_in, ptrdiff_t n_out) {
    return (bpcore_product){.m = n, .n = n_out, .k = n_in, .A = a, .a_row = n_in,
                            .a_col = 1, .B = W, .b_row = n_out, .c_row = n_out};
}

/* delta @ W.T     (n, n_in) */
static inline bpcore_product bpcore_delta_product(const void *delta, const void *W,
                                                  ptrdiff_t n, ptrdiff_t n_in,
                                                  ptrdiff_t n_out) {
    return (bpcore_product){.m = n, .n = n_in, .k = n_out, .A = delta, .a_row = n_out,
                            .a_col = 1, .B = W, .b_row = n_out, .b_transposed = 1,
                            .c_row = n_in};
}

/* a.T @ delta     (n_in, n_out);  for one column its transpose, delta.T @ a, which is the
 * same array, and whose rows are long */
static inline bpcore_product bpcore_weight_gradient(const void *a, const void *delta,
                                                    ptrdiff_t n, ptrdiff_t n_in,
                                                    ptrdiff_t n_out) {
    if (n_out == 1)
        return (bpcore_product){.m = 1, .n = n_in, .k = n, .A = delta, .a_col = 1, .B = a,
                                .b_row = n_in, .c_row = n_in};
    return (bpcore_product){.m = n_in, .n = n_out, .k = n, .A = a, .a_row = 1,
                            .a_col = n_in, .B = delta, .b_row = n_out, .c_row = n_out};
}

/* delta.sum(0), written as a row of ones times delta     (1, n_out) */
static inline bpcore_product bpcore_bias_gradient(const void *one, const void *delta,
                                                  ptrdiff_t n, ptrdiff_t n_out) {
    return (bpcore_product){.m = 1, .n = n_out, .k = n, .A = one, .B = delta,
                            .b_row = n_out, .c_row = n_out};
}

#endif

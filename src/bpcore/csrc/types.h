/* Structs that the engine passes to the kernels, and constants of both: the same for
 * every dtype and in every build. */

#ifndef BPCORE_TYPES_H
#define BPCORE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "names.h"

/* An optimizer's settings for one parameter group, then the values that `prepare`
 * (csrc/prepare.h) computes from them for one step.  In double for every dtype. */
typedef struct {
    bpcore_rule rule;
    double lr_factor, weight_decay, l1, clip_value;
    double momentum, dampening, beta1, beta2, eps, decay, shrink, grow, least, most;
    int decoupled, nesterov, centered, eps_corrected;
    ptrdiff_t state_apart; /* stride between state arrays, in elements */

    int64_t step;                       /* 1, 2, ...; 0: not prepared yet */
    bpcore_rule step_rule;              /* `rule`, or SGD where a plain one clears */
    int clears;                         /* whether subnormal weights become 0 */
    double power1, power2, momentums;   /* beta1^step, beta2^step, product of mu */
    double rate;                        /* factor of the change subtracted from w */
    double add_l2, add_l1;              /* g += add_l2 w + add_l1 sign(w) */
    double decay_l2, decay_l1;          /* w -= decay_l2 w + decay_l1 sign(w) */
    double g_factor;                    /* factor of g in the velocity */
    double lookahead;                   /* Nadam: factor of g, added to its mean */
    double root;                        /* factor of sqrt(mean square) */
    int adapts;                         /* whether to divide by that root */
} bpcore_optimizer;

/* Targets and weights of a mini-batch, in the caller's arrays: sample i is row order[i]
 * of y (n, n_L) or labels (n,), and of weight; row i where order is NULL.  One of y and
 * labels is NULL; weight is NULL where all weights are 1.
 *
 * weight is (n, 1), or (n, n_L) where the loss is a sum over outputs and each term has
 * its own weight.  A cross-entropy has no such terms: with (n, n_L) all weights of a
 * row are equal, and mean that y is smoothed already. */
typedef struct {
    const void *y;
    const int64_t *labels;
    const double *weight;
    ptrdiff_t weights; /* weights per row: 1 or n_L */
    const int64_t *order;
} bpcore_targets;

/* Terms per chain: a sum over k is cut into chains, whose sums are added in order.  The
 * error then grows with the chain's length, not with k.  Changing it changes bits. */
#define BPCORE_CHAIN 256

/* The terms of a chain that are not 0 for all rows of a tile (csrc/list.h). */
typedef struct {
    ptrdiff_t count;
    uint8_t term[BPCORE_CHAIN];
} bpcore_list;

/* Elements per partial sum of squares of a gradient.  Changing it changes bits. */
#define BPCORE_SQUARES 4096

/* Fewest elements of a W whose zero inputs are counted: at 64 x 64, steps took 1.04 times
 * as long. */
#define BPCORE_SPARSE_SIZE 5000

/* Epsilon added to variances, and momentum of the running moments, the factor of the
 * mini-batch's moments: PyTorch's defaults. */
#define BPCORE_EPS 1e-5
#define BPCORE_RUNNING_MOMENTUM 0.1

/* Block sizes of the loop nest (csrc/plan.h) for one dtype, and the cache sizes that they
 * are chosen for (engine/blocking.py).  No bit depends on them. */
typedef struct {
    ptrdiff_t l1, l2; /* first- and second-level data cache of a core, in bytes */
    ptrdiff_t kc;     /* terms per block: a multiple of BPCORE_CHAIN */
    ptrdiff_t mc;     /* rows of A per block: a multiple of the tile's rows */
    ptrdiff_t nc;     /* columns of B per block: a multiple of the tile's columns */
} bpcore_blocks;

#endif

/* What the engine hands to the kernels, and the constants of both: the same for every
 * dtype and in every build. */

#ifndef BPCORE_TYPES_H
#define BPCORE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "names.h"

/* What an optimizer's rule is told, in double for every dtype: the settings, then what
 * `prepare` (csrc/prepare.h) makes of them for one step. */
typedef struct {
    bpcore_rule rule;
    double lr_factor, weight_decay, l1, clip_value;
    double momentum, dampening, beta1, beta2, eps, decay, shrink, grow, least, most;
    int decoupled, nesterov, centered;
    ptrdiff_t state_apart; /* elements from one array of state to the next */

    int64_t step;                       /* 1, 2, ...; 0: nothing is prepared */
    double power1, power2, momentums;   /* beta1^step, beta2^step, product of mu */
    double rate;                        /* of what is subtracted from w */
    double add_l2, add_l1;              /* to the gradient, times w and sign(w) */
    double take_l2, take_l1;            /* from the weight, the same */
    double take;                        /* share of the gradient that is taken */
    double look;                        /* share of it that acts at once */
    double root;                        /* sqrt(mean square) is multiplied by */
    int adapts;                         /* whether it is divided by that root */
} bpcore_optimizer;

/* What the outputs of a mini-batch shall be, where the caller has it: sample i of the
 * mini-batch is row order[i] of y (n, n_L) or of labels (n,), and of weight; row i where
 * order is NULL.  One of y and labels is NULL, weight is where all weigh 1.
 *
 * weight is (n, 1), or (n, n_L) where each output's part of the loss has a weight of its
 * own.  A cross-entropy has no such parts: there all weights of a row are equal, and tell
 * that y is smoothed already. */
typedef struct {
    const void *y;
    const int64_t *labels;
    const double *weight;
    ptrdiff_t weights; /* of a row: 1 or n_L */
    const int64_t *order;
} bpcore_targets;

/* A sum over k is cut into chains of BPCORE_CHAIN terms, whose sums are added in turn:
 * the error then grows with the chain, not with k.  Part of the bits: not to change. */
#define BPCORE_CHAIN 256

/* Elements of a gradient whose squares are one sum.  Part of the bits. */
#define BPCORE_SQUARES 4096

/* Added to a variance before its root is taken, and the share of a mini-batch's moments
 * in the running ones: PyTorch's defaults. */
#define BPCORE_EPS 1e-5
#define BPCORE_RUNNING_SHARE 0.1

/* Block sizes of the loop nest (csrc/nest.h; measured: docs/decisions.md).  No bit
 * depends on them; those of k are multiples of BPCORE_CHAIN.
 *
 * Terms at a time of a panel of B that is copied (32 KiB of two 64-byte registers, two
 * thirds of a first-level cache), and of one that is read as it lies. */
#define BPCORE_KC 256
#define BPCORE_KC_IN_PLACE 512

/* Most terms of a sum that ends in a weight before it has to wait outside the tile. */
#define BPCORE_KC_DESCEND 1024

/* Bytes of B that are copied at a time for sums over a mini-batch: half of a
 * second-level cache of 1 MiB, and what keeps panels out of step. */
#define BPCORE_BLOCK ((1 << 19) + (1 << 12))

/* Rows of A at a time that pass over the panels of B, so that their block of terms
 * stays in a second-level cache. */
#define BPCORE_MC 256

/* Rows of B far apart share cache sets.  Copying a panel pays the sooner, the farther
 * they are and the more rows of A use it: where bytes apart times rows of A reach this
 * (measured: docs/decisions.md). */
#define BPCORE_PACK_FROM (1 << 19)

/* A B of so many bytes may lie beyond the caches: its next panel is asked for while the
 * present one is used. */
#define BPCORE_FETCH_FROM (2 << 20)

#endif

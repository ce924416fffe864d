/* The table of kernels of one build, its only interface.
 *
 * Equations and shapes are with the kernels, in layer.h.  Arrays are void, since one
 * engine serves every dtype. */

#ifndef BPCORE_TABLE_H
#define BPCORE_TABLE_H

#include "compiler.h"
#include "types.h"
#include "worker.h"

/* The kernels of one dtype. */
typedef struct {
    ptrdiff_t itemsize;
    ptrdiff_t tile_columns;
    bpcore_blocks *blocks; /* changed at import only */
    ptrdiff_t (*room)(ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out);
    ptrdiff_t (*taken)(ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out);
    void (*prepare)(bpcore_optimizer *optimizer, double lr, int64_t step);
    int (*squares_at)(bpcore_rule rule);
    void (*widen)(const bpcore_optimizer *optimizer, double g, double *w, double *state);

    ptrdiff_t (*packed_bytes)(ptrdiff_t n_in, ptrdiff_t n_out);
    void (*pack)(const bpcore_worker *worker, void *packed, const void *W,
                 ptrdiff_t n_in, ptrdiff_t n_out);
    void (*forward)(const bpcore_worker *worker, void *out, void *z, const void *a,
                    const void *W, const void *packed, const void *b, ptrdiff_t n,
                    ptrdiff_t n_in, ptrdiff_t n_out, bpcore_activation f);
    void (*forward_one)(const bpcore_worker *worker, void *out, void *z, const void *a,
                        const void *W, const void *b, ptrdiff_t n_in, ptrdiff_t n_out,
                        bpcore_activation f);
    void (*propagate)(const bpcore_worker *worker, void *out, const void *delta,
                      const void *W, const void *a, ptrdiff_t n, ptrdiff_t n_in,
                      ptrdiff_t n_out, bpcore_activation f);
    void (*gradient)(const bpcore_worker *worker, void *dW, void *db, const void *a,
                     const void *delta, ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out);
    void (*update)(const bpcore_worker *worker, void *W, void *b, void *state_W,
                   void *state_b, const void *a, const void *delta, ptrdiff_t n,
                   ptrdiff_t n_in, ptrdiff_t n_out,
                   const bpcore_optimizer *optimizer_W,
                   const bpcore_optimizer *optimizer_b);
    void (*update_one)(const bpcore_worker *worker, void *W, void *b, void *state_W,
                       void *state_b, const void *a, const void *delta, ptrdiff_t n_in,
                       ptrdiff_t n_out, const bpcore_optimizer *optimizer_W,
                       const bpcore_optimizer *optimizer_b);
    void (*descend)(const bpcore_worker *worker, void *w, void *state, const void *g,
                    ptrdiff_t size, const bpcore_optimizer *optimizer);
    void (*limit_norms)(const bpcore_worker *worker, void *W, double most,
                        ptrdiff_t n_in, ptrdiff_t n_out);

    void (*activate)(const bpcore_worker *worker, void *out, const void *z, ptrdiff_t n,
                     ptrdiff_t n_out, bpcore_activation f);
    void (*times_derivative)(const bpcore_worker *worker, void *delta, const void *a,
                             ptrdiff_t n, ptrdiff_t n_out, bpcore_activation f);
    void (*loss)(const bpcore_worker *worker, double *E, void *delta, const void *z,
                 const bpcore_targets *targets, double scale, ptrdiff_t n,
                 ptrdiff_t n_out, bpcore_loss kind, double setting);

    void (*normalise)(const bpcore_worker *worker, void *y, void *hat, void *inverse,
                      void *moments, const void *gain, const void *shift, ptrdiff_t n,
                      ptrdiff_t n_out, bpcore_normalisation kind);
    void (*normalise_back)(const bpcore_worker *worker, void *delta, void *dgain,
                           void *dshift, const void *hat, const void *inverse,
                           const void *gain, ptrdiff_t n, ptrdiff_t n_out,
                           bpcore_normalisation kind);
    void (*follow)(const bpcore_worker *worker, void *running, const void *moments,
                   ptrdiff_t n, ptrdiff_t n_out);
    void (*fold)(const bpcore_worker *worker, void *W_folded, void *b_folded,
                 const void *W, const void *shift, const void *gain,
                 const void *running, ptrdiff_t n_in, ptrdiff_t n_out);

    void (*scale_rows)(const bpcore_worker *worker, void *out, const void *x,
                       const void *scale, ptrdiff_t n, ptrdiff_t width);
    void (*scale_rows_back)(const bpcore_worker *worker, void *delta, void *dscale,
                            const void *x, const void *scale, ptrdiff_t n,
                            ptrdiff_t width);

    void (*drop)(const bpcore_worker *worker, void *out, const void *x, uint64_t key,
                 double p, ptrdiff_t n, ptrdiff_t width);
    void (*add_noise)(const bpcore_worker *worker, void *out, const void *x,
                      uint64_t key, double size, ptrdiff_t n, ptrdiff_t width);

    void (*add)(const bpcore_worker *worker, void *total, const void *g,
                ptrdiff_t size);
    void (*scale)(const bpcore_worker *worker, void *g, double factor, ptrdiff_t size);
    double (*sum_of_blocks)(const bpcore_worker *worker, double *blocks, const void *g,
                            double scale, ptrdiff_t size);
    double (*largest_of_blocks)(const bpcore_worker *worker, double *blocks,
                                const void *g, ptrdiff_t size);
    double (*norm)(const bpcore_worker *worker, double *blocks, const void *g,
                   ptrdiff_t size);

    int (*all_between)(const void *x, ptrdiff_t size, double least, double most);
    void (*elementary)(bpcore_elementary f, void *out, const void *x, ptrdiff_t size);
    ptrdiff_t (*fma_loop)(void *out, ptrdiff_t iterations);
} bpcore_table;

/* One build: kernels.c, compiled for one instruction set. */
typedef struct {
    const char *isa, *compiler, *flags;
    ptrdiff_t tile_rows;
    const bpcore_table *f32, *f64;
} bpcore_kernels;

/* The only symbol that the object file of an instruction set exports. */
#define BPCORE_KERNELS(isa) BPCORE_KERNELS_OF(isa)
#define BPCORE_KERNELS_OF(isa) bpcore_kernels_##isa

#endif

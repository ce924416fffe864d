/* The kernels of one dtype: forward pass, backward pass and update of a layer, and the
 * other kernels that the engine calls.
 *
 * Each comment gives the equation and the shapes of the arrays.  A kernel does one
 * worker's part of the work (worker.h); it may read the results of the kernel before it
 * after a barrier. */

/* --- activations --- */

/* out = f(z)     out, z (n, n_out), the same array or two */
static void T(activate)(const bpcore_worker *worker, void *out, const void *z,
                        ptrdiff_t n, ptrdiff_t n_out, bpcore_activation f) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n, 1, &first, &end);
    T(activate_rows)(f, (REAL *)out + first * n_out, (const REAL *)z + first * n_out,
                     end - first, n_out);
}

/* delta = delta * f'(z)     delta, a (n, n_out)
 *
 * a is f(z), or z for activations with needs_z (bpcore/activations.py). */
static void T(times_derivative)(const bpcore_worker *worker, void *delta, const void *a,
                                ptrdiff_t n, ptrdiff_t n_out, bpcore_activation f) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n, 1, &first, &end);
    T(times_derivative_rows)(f, (REAL *)delta + first * n_out,
                             (const REAL *)a + first * n_out, end - first, n_out);
}

/* --- matrix products --- */

/* Whether a layer has so few rows that `few_rows` is faster than the loop nest. */
static int T(has_few_rows)(ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out) {
    return n <= T(FEW_ROWS) && n_out >= T(FEW_COLUMNS) * n &&
           n_in * n_out * (ptrdiff_t)sizeof(REAL) > T(blocks).l2;
}

/* A product with a packed copy of W, of any number of rows. */
static bpcore_product T(packed_affine)(const void *W, void *packed, ptrdiff_t n_in,
                                       ptrdiff_t n_out) {
    bpcore_product p = bpcore_affine(NULL, W, 1, n_in, n_out);
    p.packed = packed;
    return p;
}

/* Bytes of a packed copy of W (n_in, n_out), 0 if it would save nothing. */
static ptrdiff_t T(packed_bytes)(ptrdiff_t n_in, ptrdiff_t n_out) {
    const bpcore_product p = T(packed_affine)(NULL, &T(blocks), n_in, n_out);
    if (n_out == 1 || T(copy_from)(&p) == PTRDIFF_MAX) return 0;
    const T(plan) plan = T(make_plan)(&p);
    ptrdiff_t blocks = 0;
    for (ptrdiff_t k = 0; k < n_in; k = T(block_end)(k, plan.kc, n_in)) blocks++;
    return blocks * ((n_out + T(NR) - 1) / T(NR)) * plan.panel * (ptrdiff_t)sizeof(REAL);
}

/* packed = W in panels, as the loop nest copies it     W (n_in, n_out) */
static void T(pack)(const bpcore_worker *worker, void *packed, const void *W,
                    ptrdiff_t n_in, ptrdiff_t n_out) {
    const bpcore_product p = T(packed_affine)(W, packed, n_in, n_out);
    const T(plan) plan = T(make_plan)(&p);
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n_out, T(NR), &first, &end);
    for (ptrdiff_t k0 = 0, k1; k0 < n_in; k0 = k1) {
        k1 = T(block_end)(k0, plan.kc, n_in);
        T(copy_B)(&p, T(packed_panels)(&p, &plan, k0, first), plan.panel, k0, k1, first,
                  end);
    }
}

/* z = a @ W + b,  out = f(z)     a (n, n_in)  W (n_in, n_out)  out, z (n, n_out)
 *
 * b (n_out,) may be NULL for zeros; z may be NULL if it is not stored; packed is a copy
 * of W by `pack`, or NULL. */
static void T(forward)(const bpcore_worker *worker, void *out, void *z, const void *a,
                       const void *W, const void *packed, const void *b, ptrdiff_t n,
                       ptrdiff_t n_in, ptrdiff_t n_out, bpcore_activation f) {
    void *const C = z ? z : out;
    ptrdiff_t first, end;
    int active = 0; /* whether f is applied already */
    if (n_out == 1) {
        const REAL *const start = b;
        bpcore_worker_range(worker, n, 64, &first, &end);
        T(rows_times)(C, W, a, start ? *start : 0, first, end, n_in);
    } else if (T(has_few_rows)(n, n_in, n_out)) {
        bpcore_worker_range(worker, n_out, 64, &first, &end);
        T(few_rows)(C, a, W, b, n, n_in, n_out, first, end);
    } else {
        bpcore_product p = bpcore_affine(a, W, n, n_in, n_out);
        active = f == BPCORE_RELU && !z;
        p.C = C, p.start = b, p.packed = packed;
        p.finish = active ? BPCORE_STORE_RELU : BPCORE_STORE;
        T(multiply)(worker, &p);
    }
    if (active || (f == BPCORE_IDENTITY && !z)) return;
    bpcore_barrier_wait(worker);
    T(activate)(worker, out, C, n, n_out, f);
}

/* `forward` for a mini-batch of one row and finite W: where many inputs are 0, their
 * rows of W are skipped. */
static void T(forward_one)(const bpcore_worker *worker, void *out, void *z,
                           const void *a, const void *W, const void *b, ptrdiff_t n_in,
                           ptrdiff_t n_out, bpcore_activation f) {
    if (!T(mostly_zeros)(a, n_in, n_out)) {
        T(forward)(worker, out, z, a, W, NULL, b, 1, n_in, n_out, f);
        return;
    }
    T(multiply_nonzeros)(worker, z ? z : out, a, W, b, n_in, n_out);
    if (z || f != BPCORE_IDENTITY) {
        bpcore_barrier_wait(worker);
        T(activate)(worker, out, z ? z : out, 1, n_out, f);
    }
}

/* `propagate` for a mini-batch of one row */
static void T(propagate_alone)(const bpcore_worker *worker, REAL *out,
                               const REAL *delta, const REAL *W, const REAL *a,
                               ptrdiff_t n_in, ptrdiff_t n_out, bpcore_activation f) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n_in, 64, &first, &end);
    T(rows_times)(out, delta, W, 0, first, end, n_out);
    if (f != BPCORE_IDENTITY) /* identity reads no a */
        T(times_derivative_rows)(f, out + first, a + first, 1, end - first);
}

/* out = (delta @ W.T) * f'(z)    delta (n, n_out)  W (n_in, n_out)  out (n, n_in)
 *
 * f'(z) is computed from a = f(z), (n, n_in), or from a = z if it needs_z;
 * for identity a is not read. */
static void T(propagate)(const bpcore_worker *worker, void *out, const void *delta,
                         const void *W, const void *a, ptrdiff_t n, ptrdiff_t n_in,
                         ptrdiff_t n_out, bpcore_activation f) {
    if (n == 1 && f != BPCORE_SOFTMAX) {
        T(propagate_alone)(worker, out, delta, W, a, n_in, n_out, f);
        return;
    }
    bpcore_product p = bpcore_delta_product(delta, W, n, n_in, n_out);
    p.C = out, p.a = a;
    p.finish = f == BPCORE_RELU      ? BPCORE_TIMES_RELU_DERIVATIVE
               : f == BPCORE_SIGMOID ? BPCORE_TIMES_SIGMOID_DERIVATIVE
               : f == BPCORE_TANH    ? BPCORE_TIMES_TANH_DERIVATIVE
                                     : BPCORE_STORE;
    T(multiply)(worker, &p);
    if (p.finish == BPCORE_STORE && f != BPCORE_IDENTITY) {
        bpcore_barrier_wait(worker);
        T(times_derivative)(worker, out, a, n, n_in, f);
    }
}

/* dW = a.T @ delta,  db = delta.sum(0)     shapes as in `update`, db may be NULL */
static void T(gradient)(const bpcore_worker *worker, void *dW, void *db, const void *a,
                        const void *delta, ptrdiff_t n, ptrdiff_t n_in,
                        ptrdiff_t n_out) {
    const REAL one = 1;
    bpcore_product p = bpcore_weight_gradient(a, delta, n, n_in, n_out);
    p.C = dW;
    T(multiply)(worker, &p);
    if (db) {
        p = bpcore_bias_gradient(&one, delta, n, n_out);
        p.C = db;
        T(multiply)(worker, &p);
    }
}

/* One optimizer step on W and b, by dW = a.T @ delta and db = delta.sum(0), in place
 *
 * dW and db are never stored: each tile is applied while it is in registers or in the
 * first-level cache.  b may be NULL.
 * a (n, n_in)  delta (n, n_out)  W (n_in, n_out)  b (n_out,) */
static void T(update)(const bpcore_worker *worker, void *W, void *b, void *state_W,
                      void *state_b, const void *a, const void *delta, ptrdiff_t n,
                      ptrdiff_t n_in, ptrdiff_t n_out,
                      const bpcore_optimizer *optimizer_W,
                      const bpcore_optimizer *optimizer_b) {
    const REAL one = 1;
    if (!state_W) state_W = W, state_b = b; /* no state: a valid address, never read */
    if (n == 1) {
        T(descend_rank_one)(worker, optimizer_W, W, state_W, a, delta, n_in, n_out);
        if (b)
            T(descend_rank_one)(worker, optimizer_b, b, state_b, &one, delta, 1, n_out);
        return;
    }
    bpcore_product p = bpcore_weight_gradient(a, delta, n, n_in, n_out);
    p.finish = BPCORE_DESCEND, p.optimizer = optimizer_W, p.C = W, p.state = state_W;
    T(multiply)(worker, &p);
    if (b) {
        p = bpcore_bias_gradient(&one, delta, n, n_out);
        p.finish = BPCORE_DESCEND, p.optimizer = optimizer_b;
        p.C = b, p.state = state_b;
        T(multiply)(worker, &p);
    }
}

/* `update` for a mini-batch of one row and finite W: where many inputs are 0, the rows
 * of W that a gradient of 0 leaves as they are are skipped. */
static void T(update_one)(const bpcore_worker *worker, void *W, void *b, void *state_W,
                          void *state_b, const void *a, const void *delta,
                          ptrdiff_t n_in, ptrdiff_t n_out,
                          const bpcore_optimizer *optimizer_W,
                          const bpcore_optimizer *optimizer_b) {
    const REAL one = 1;
    if (!T(mostly_zeros)(a, n_in, n_out) ||
        !T(zero_is_no_step)(optimizer_W, delta, n_out)) {
        T(update)(worker, W, b, state_W, state_b, a, delta, 1, n_in, n_out, optimizer_W,
                  optimizer_b);
        return;
    }
    T(descend_nonzeros)(worker, optimizer_W, W, a, delta, n_in, n_out);
    if (b)
        T(descend_rank_one)(worker, optimizer_b, b, state_b ? state_b : b, &one, delta,
                            1, n_out);
}

/* --- steps from stored gradients, and limits of weights --- */

/* One optimizer step on w from the stored gradient g     both (size,) */
static void T(descend)(const bpcore_worker *worker, void *w, void *state, const void *g,
                       ptrdiff_t size, const bpcore_optimizer *optimizer) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, size, 64, &first, &end);
    if (!state) state = w; /* as in `update` */
    T(descend_array)(optimizer, (REAL *)w + first, (REAL *)state + first,
                     (const REAL *)g + first, end - first);
}

/* W[:, j] = W[:, j] min(1, most / ||W[:, j]||)     W (n_in, n_out) */
static void T(limit_norms)(const bpcore_worker *worker, void *W, double most,
                           ptrdiff_t n_in, ptrdiff_t n_out) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n_out, 16, &first, &end);
    T(limit_norms_columns)(W, (REAL)most, n_in, n_out, first, end);
}

/* total = total + g     both (size,) */
static void T(add)(const bpcore_worker *worker, void *total, const void *g,
                   ptrdiff_t size) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, size, 64, &first, &end);
    T(add_array)((REAL *)total + first, (const REAL *)g + first, end - first);
}

/* g = factor g     (size,) */
static void T(scale)(const bpcore_worker *worker, void *g, double factor,
                     ptrdiff_t size) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, size, 64, &first, &end);
    T(scale_array)((REAL *)g + first, factor, end - first);
}

/* blocks[i] = sum of (scale g[j])^2 over j = i SQUARES .. (i + 1) SQUARES; after a
 * barrier, returns the sum of all blocks. */
static double T(sum_of_blocks)(const bpcore_worker *worker, double *blocks,
                               const void *g_, double scale, ptrdiff_t size) {
    const REAL *g = g_;
    const ptrdiff_t count = (size + BPCORE_SQUARES - 1) / BPCORE_SQUARES;
    ptrdiff_t first, end;
    double total = 0;
    bpcore_worker_range(worker, count, 1, &first, &end);
    for (ptrdiff_t i = first; i < end; i++)
        blocks[i] = T(sum_of_squares)(
            g + i * BPCORE_SQUARES, (REAL)scale,
            bpcore_min(BPCORE_SQUARES, size - i * BPCORE_SQUARES));
    bpcore_barrier_wait(worker);
    for (ptrdiff_t i = 0; i < count; i++) total += blocks[i];
    return total;
}

/* blocks[i] = max |g[j]| over the same j; after a barrier, returns their maximum. */
static double T(largest_of_blocks)(const bpcore_worker *worker, double *blocks,
                                   const void *g_, ptrdiff_t size) {
    const REAL *g = g_;
    const ptrdiff_t count = (size + BPCORE_SQUARES - 1) / BPCORE_SQUARES;
    ptrdiff_t first, end;
    double most = 0;
    bpcore_worker_range(worker, count, 1, &first, &end);
    for (ptrdiff_t i = first; i < end; i++)
        blocks[i] = T(largest)(g + i * BPCORE_SQUARES,
                               bpcore_min(BPCORE_SQUARES, size - i * BPCORE_SQUARES));
    bpcore_barrier_wait(worker);
    for (ptrdiff_t i = 0; i < count; i++) most = blocks[i] > most ? blocks[i] : most;
    return most;
}

/* ||g||, in double     g (size,)  blocks: one element per SQUARES elements of g
 *
 * A barrier must follow before g or `blocks` changes. */
static double T(norm)(const bpcore_worker *worker, double *blocks, const void *g,
                      ptrdiff_t size) {
    double total = T(sum_of_blocks)(worker, blocks, g, 1, size);
    if (bpcore_squares_fit(total, sizeof(REAL))) return sqrt(total);
    bpcore_barrier_wait(worker);
    const double largest = T(largest_of_blocks)(worker, blocks, g, size);
    const int e = bpcore_exponent(largest, sizeof(REAL));
    bpcore_barrier_wait(worker);
    total = T(sum_of_blocks)(worker, blocks, g, ldexp(1, -e), size);
    return ldexp(sqrt(total), e);
}

/* --- losses --- */

/* E[i] = w[i] E(z[i], y[i]),  delta[i] = scale w[i] dE(z[i], y[i])/dz[i], 0 instead of
 * subnormal numbers
 *
 * z, delta (n, n_out)  E (n,)  scale = 1 / n for a mean over rows.  For the
 * cross-entropies, kl_divergence and poisson_of_log, z are the values before softmax,
 * sigmoid or exp; for the others z are the outputs a. */
static void T(loss)(const bpcore_worker *worker, double *E, void *delta, const void *z,
                    const bpcore_targets *targets, double scale, ptrdiff_t n,
                    ptrdiff_t n_out, bpcore_loss kind, double setting) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n, 1, &first, &end);
    T(loss_rows)(kind, setting, E, delta, z, targets, scale, first, end, n_out);
    REAL *const d = (REAL *)delta + first * n_out;
    T(map)(T(flush), d, d, (end - first) * n_out);
}

/* --- normalisation --- */

/* hat = (u - mean) / sqrt(variance + EPS),  y = gain hat + shift
 *
 * hat (n, n_out) contains u on entry; y is another array.  inverse is 1 / sqrt(...) of
 * each column (n_out,), for layer norm of each row (n,).  Batch norm stores mean and
 * variance in moments (2, n_out). */
static void T(normalise)(const bpcore_worker *worker, void *y, void *hat, void *inverse,
                         void *moments, const void *gain, const void *shift,
                         ptrdiff_t n, ptrdiff_t n_out, bpcore_normalisation kind) {
    REAL *const mean = moments;
    ptrdiff_t first, end;
    bpcore_worker_range(worker, kind == BPCORE_BATCH_NORM ? n_out : n, 16, &first,
                        &end);
    if (kind == BPCORE_BATCH_NORM)
        T(batch_normalise)(y, hat, inverse, mean, mean + n_out, gain, shift,
                           (REAL)BPCORE_EPS, n, n_out, first, end);
    else
        T(layer_normalise)(y, hat, inverse, gain, shift, (REAL)BPCORE_EPS, n_out, first,
                           end);
}

/* delta = dE/du, dgain and dshift, from delta = dE/dy     shapes as above */
static void T(normalise_back)(const bpcore_worker *worker, void *delta, void *dgain,
                              void *dshift, const void *hat, const void *inverse,
                              const void *gain, ptrdiff_t n, ptrdiff_t n_out,
                              bpcore_normalisation kind) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n_out, 16, &first, &end);
    if (kind == BPCORE_BATCH_NORM) {
        T(batch_normalise_back)(delta, dgain, dshift, hat, inverse, gain, n, n_out,
                                first, end);
        return;
    }
    T(column_sums)(dgain, dshift, delta, hat, n, n_out, first, end);
    bpcore_barrier_wait(worker);
    bpcore_worker_range(worker, n, 16, &first, &end);
    T(layer_normalise_back)(delta, hat, inverse, gain, n_out, first, end);
}

/* running = running + RUNNING_MOMENTUM (moments - running)     both (2, n_out)
 *
 * The variance is first made unbiased: times n / (n - 1). */
static void T(follow)(const bpcore_worker *worker, void *running, const void *moments,
                      ptrdiff_t n, ptrdiff_t n_out) {
    const double unbiased = n > 1 ? (double)n / (double)(n - 1) : 1;
    const REAL momentum = (REAL)BPCORE_RUNNING_MOMENTUM, *const mean = moments;
    REAL *const means = running;
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n_out, 16, &first, &end);
    T(follow_columns)(means, mean, 1, momentum, first, end);
    T(follow_columns)(means + n_out, mean + n_out, (REAL)unbiased, momentum, first,
                      end);
}

/* W_folded = W s,  b_folded = shift - mean s,  s = gain / sqrt(variance + EPS)
 *
 * W (n_in, n_out)  running (2, n_out): mean and variance */
static void T(fold)(const bpcore_worker *worker, void *W_folded, void *b_folded,
                    const void *W, const void *shift, const void *gain,
                    const void *running, ptrdiff_t n_in, ptrdiff_t n_out) {
    const REAL *const mean = running;
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n_out, 16, &first, &end);
    T(fold_columns)(W_folded, b_folded, W, shift, gain, mean, mean + n_out,
                    (REAL)BPCORE_EPS, n_in, n_out, first, end);
}

/* --- the scale of the inputs --- */

/* out = x * scale     out, x (n, width), may be the same  scale (width,) */
static void T(scale_rows)(const bpcore_worker *worker, void *out, const void *x,
                          const void *scale, ptrdiff_t n, ptrdiff_t width) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n, 1, &first, &end);
    for (ptrdiff_t at = first * width; at < end * width; at += width)
        T(combine)(T(x_times_y), (REAL *)out + at, (const REAL *)x + at, scale, 0,
                   width);
}

/* dscale = (delta * x).sum(0),  delta = delta * scale     delta, x (n, width)
 *
 * delta is dE/d(x * scale), then dE/dx; where scale is NULL it stays. */
static void T(scale_rows_back)(const bpcore_worker *worker, void *delta, void *dscale,
                               const void *x, const void *scale, ptrdiff_t n,
                               ptrdiff_t width) {
    ptrdiff_t first, end;
    REAL *none = NULL;
    BPCORE_OPAQUE(none); /* or there are two copies of the function */
    bpcore_worker_range(worker, width, 16, &first, &end);
    T(column_sums)(dscale, none, delta, x, n, width, first, end);
    if (!scale) return;
    bpcore_barrier_wait(worker);
    T(scale_rows)(worker, delta, delta, scale, n, width);
}

/* --- noise --- */

/* out = x / (1 - p), or 0 with probability p     out, x (n, width), may be the same */
static void T(drop)(const bpcore_worker *worker, void *out, const void *x, uint64_t key,
                    double p, ptrdiff_t n, ptrdiff_t width) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n, 1, &first, &end);
    T(drop_rows)(out, x, key, p, width, first, end);
}

/* out = x + size N(0, 1)     out, x (n, width), may be the same */
static void T(add_noise)(const bpcore_worker *worker, void *out, const void *x,
                         uint64_t key, double size, ptrdiff_t n, ptrdiff_t width) {
    ptrdiff_t first, end;
    bpcore_worker_range(worker, n, 1, &first, &end);
    T(add_noise_rows)(out, x, key, size, width, first, end);
}

/* --- the table of kernels --- */

static const bpcore_table T(table) = {
    .itemsize = sizeof(REAL),
    .tile_columns = T(NR),
    .blocks = &T(blocks),
    .room = T(room),
    .taken = T(taken),
    .prepare = bpcore_prepare,
    .squares_at = bpcore_squares_at,
    .widen = bpcore_widen,
    .packed_bytes = T(packed_bytes),
    .pack = T(pack),
    .forward = T(forward),
    .forward_one = T(forward_one),
    .propagate = T(propagate),
    .gradient = T(gradient),
    .update = T(update),
    .update_one = T(update_one),
    .descend = T(descend),
    .limit_norms = T(limit_norms),
    .activate = T(activate),
    .times_derivative = T(times_derivative),
    .loss = T(loss),
    .normalise = T(normalise),
    .normalise_back = T(normalise_back),
    .follow = T(follow),
    .fold = T(fold),
    .scale_rows = T(scale_rows),
    .scale_rows_back = T(scale_rows_back),
    .drop = T(drop),
    .add_noise = T(add_noise),
    .add = T(add),
    .scale = T(scale),
    .sum_of_blocks = T(sum_of_blocks),
    .largest_of_blocks = T(largest_of_blocks),
    .norm = T(norm),
    .all_between = T(all_between),
    .elementary = T(elementary),
    .fma_loop = T(fma_loop),
};

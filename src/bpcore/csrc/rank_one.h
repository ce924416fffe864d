/* The update by a mini-batch of one row, whose gradient is of rank one: dW[i, j] =
 * a[i] delta[j].  Same bits as the loop nest (nest.h) for sums of one term. */

/* g[r, c] = a[r] delta[c] with row stride `cols` below NR, by whole vectors: what is stored
 * beyond a row is overwritten by the next */
BPCORE_INLINE void T(outer)(REAL *g, const REAL *a, const REAL *delta, ptrdiff_t rows,
                            ptrdiff_t cols) {
    const T(vec) zero = {0};
    if (cols <= T(LANES)) {
        const T(vec) d = T(load_tail)(delta, T(make_tail)(cols));
        for (ptrdiff_t r = 0; r < rows; r++)
            T(store)(g + r * cols, T(fma)(T(broadcast)(a[r]), d, zero));
        return;
    }
    const T(vec) low = T(load)(delta);
    const T(vec) high = T(load_tail)(delta + T(LANES), T(make_tail)(cols - T(LANES)));
    for (ptrdiff_t r = 0; r < rows; r++) {
        const T(vec) x = T(broadcast)(a[r]);
        T(store)(g + r * cols, T(fma)(x, low, zero));
        T(store)(g + r * cols + T(LANES), T(fma)(x, high, zero));
    }
}

/* A plain rule.  Gradients of several narrow rows are stored in a buffer first, so that
 * weights are loaded as whole vectors: a masked load waits for the masked store next to
 * it.  A single row has no other next to it. */
BPCORE_INLINE void T(rank_one_plain)(bpcore_rule rule, const T(rates) rates, REAL *W,
                                     REAL *state, const REAL *a, const REAL *delta,
                                     ptrdiff_t n_in, ptrdiff_t n_out) {
    const T(vec) zero = {0};
    if (n_out < T(NR) && n_in > 1) {
        enum { ELEMENTS = 16 * T(NR) };
        REAL g[ELEMENTS + T(NR)];
        const ptrdiff_t most = n_out == 1 ? ELEMENTS : n_out == 2 ? ELEMENTS / 2 : 16;
        for (ptrdiff_t i = 0; i < n_in; i += most) {
            const ptrdiff_t rows = bpcore_min(most, n_in - i);
            T(outer)(g, a + i, delta, rows, n_out);
            T(descend_plain_array)(rule, rates, W + i * n_out, state + i * n_out, g,
                                   rows * n_out);
        }
        return;
    }
    const ptrdiff_t rest = n_out % T(LANES), whole = n_out - rest;
    const T(tail) tail = T(make_tail)(rest ? rest : T(LANES));
    for (ptrdiff_t i = 0; i < n_in; i++, W += n_out, state += n_out) {
        const T(vec) a_i = T(broadcast)(a[i]);
        BPCORE_UNROLL_4 for (ptrdiff_t j = 0; j < whole; j += T(LANES))
            T(descend_plain)(rule, rates, W + j, state + j,
                             T(fma)(a_i, T(load)(delta + j), zero), 1, tail);
        if (rest)
            T(descend_plain)(rule, rates, W + whole, state + whole,
                             T(fma)(a_i, T(load_tail)(delta + whole, tail), zero), 0,
                             tail);
    }
}

/* x c + 0: an element of a gradient of rank one */
static inline T(vec) T(outer_term)(T(vec) x, T(vec) y, T(vec) c) {
    return (void)y, T(fma)(x, c, (T(vec)){0});
}

/* Any other rule, from a buffer of the gradient: as many rows as fit into it, or as
 * many columns of one row. */
BPCORE_NOINLINE static void T(rank_one_other)(const bpcore_optimizer *optimizer, REAL *W,
                                              REAL *state, const REAL *a,
                                              const REAL *delta, ptrdiff_t n_in,
                                              ptrdiff_t n_out) {
    enum { CAPACITY = 16 * T(NR) };
    const T(rates) rates = T(make_rates)(optimizer);
    REAL g[CAPACITY];
    const ptrdiff_t cols = bpcore_min(n_out, CAPACITY), rows = CAPACITY / cols;
    for (ptrdiff_t i = 0; i < n_in; i += rows)
        for (ptrdiff_t j = 0; j < n_out; j += cols) {
            const ptrdiff_t height = bpcore_min(rows, n_in - i);
            const ptrdiff_t width = bpcore_min(cols, n_out - j);
            const ptrdiff_t at = i * n_out + j;
            for (ptrdiff_t r = 0; r < height; r++)
                T(combine)(T(outer_term), g + r * width, delta + j, delta + j, a[i + r],
                           width);
            T(descend_rows)(optimizer->step_rule, &rates, W + at, state + at, 0, g, 0, 1,
                            height * width);
        }
}

/* One optimizer step on this worker's rows of W, by dW[i, j] = a[i] delta[j].
 *
 * Same bits as the loop nest for a sum of one term, but weights are read and written as
 * one stream, at the bandwidth of their cache.
 * a (n_in,)  delta (n_out,)  W (n_in, n_out) */
static void T(descend_rank_one)(const bpcore_worker *worker,
                                const bpcore_optimizer *optimizer, REAL *W, REAL *state,
                                const REAL *a, const REAL *delta, ptrdiff_t n_in,
                                ptrdiff_t n_out) {
    ptrdiff_t from, to;
    bpcore_worker_range(worker, n_in, 1, &from, &to);
    W += from * n_out, state += from * n_out, a += from;
    switch (optimizer->step_rule) {
#define CASE(RULE, name)                                                              \
    case BPCORE_##RULE:                                                               \
        T(rank_one_plain)(BPCORE_##RULE, T(plain_rates)(optimizer), W, state, a,      \
                          delta, to - from, n_out);                                   \
        break;
        BPCORE_EACH_PLAIN_RULE(CASE)
#undef CASE
    default:
        T(rank_one_other)(optimizer, W, state, a, delta, to - from, n_out);
    }
}

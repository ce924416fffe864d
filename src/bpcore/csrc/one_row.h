/* Mini-batches of one row: each weight is used once, so nothing is copied.  Same bits
 * as the loop nest (nest.h). */

/* --- the product of a row with W: z = a @ W + b --- */

/* s[j] += a[k] W[k, j] for `terms` terms in ascending order and j below `cols`, four rows
 * of W at a time, each read as one stream */
static void T(add_rows)(REAL *s, const REAL *a, const REAL *W, ptrdiff_t w_row,
                        ptrdiff_t terms, ptrdiff_t cols) {
    const ptrdiff_t whole = cols - cols % T(LANES);
    for (ptrdiff_t k = 0; k < terms;) {
        const REAL *w = W + k * w_row;
        if (terms - k >= 4) {
            T(vec) x[4];
            for (int i = 0; i < 4; i++) x[i] = T(broadcast)(a[k + i]);
            for (ptrdiff_t j = 0; j < whole; j += T(LANES)) {
                T(vec) sum = T(load)(s + j);
                BPCORE_UNROLL for (int i = 0; i < 4; i++)
                    sum = T(fma)(x[i], T(load)(w + i * w_row + j), sum);
                T(store)(s + j, sum);
            }
            k += 4;
        } else {
            const T(vec) x = T(broadcast)(a[k]);
            for (ptrdiff_t j = 0; j < whole; j += T(LANES))
                T(store)(s + j, T(fma)(x, T(load)(w + j), T(load)(s + j)));
            k++;
        }
    }
    if (whole == cols) return;
    const T(tail) tail = T(make_tail)(cols - whole);
    T(vec) sum = T(load_tail)(s + whole, tail);
    for (ptrdiff_t k = 0; k < terms; k++)
        sum = T(fma)(T(broadcast)(a[k]), T(load_tail)(W + k * w_row + whole, tail), sum);
    T(store_tail)(s + whole, sum, tail);
}

/* z[j] = b[j] + sum over k of a[k] W[k, j] for columns j0 .. j1, for a W that is in no near
 * cache.  Strips of STRIP columns, whose sums stay in the first-level cache.
 * a (n_in,)  W (n_in, n_out)  z, b (n_out,), b may be NULL */
static void T(wide_row)(REAL *z, const REAL *a, const REAL *W, const REAL *b,
                        ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t j0, ptrdiff_t j1) {
    enum { STRIP = 4096 / sizeof(REAL) };
    REAL chain[STRIP];
    for (ptrdiff_t j = j0; j < j1; j += STRIP) {
        const ptrdiff_t cols = bpcore_min(STRIP, j1 - j);
        for (ptrdiff_t k0 = 0; k0 < n_in; k0 += BPCORE_CHAIN) {
            REAL *s = k0 ? chain : z + j;
            if (k0 == 0 && b)
                memcpy(s, b + j, (size_t)cols * sizeof(REAL));
            else
                memset(s, 0, (size_t)cols * sizeof(REAL));
            T(add_rows)(s, a + k0, W + k0 * n_out + j, n_out,
                        bpcore_min(BPCORE_CHAIN, n_in - k0), cols);
            if (k0) T(combine)(T(x_plus_y), z + j, chain, z + j, 0, cols);
        }
    }
}

/* --- the product of W with a row: delta @ W.T --- */

enum {
    T(SUMS) = 4 * T(LANES), /* rows of W at a time: independent sums */
    T(PIECE) = 64,          /* terms that are transposed at a time */
};

/* panel[k, b LANES + lane] = W[b LANES + lane, k] for up to SUMS rows and PIECE terms, in
 * runs along each row, of which the next is prefetched if `ahead` */
BPCORE_INLINE void T(transpose_piece)(REAL *panel, const REAL *W, ptrdiff_t w_row,
                                      ptrdiff_t rows, ptrdiff_t terms, int ahead) {
    const ptrdiff_t line = 64 / (ptrdiff_t)sizeof(REAL);
    for (ptrdiff_t r = 0; r < rows; r += T(LANES)) {
        if (ahead)
            for (ptrdiff_t i = r; i < bpcore_min(r + T(LANES), rows); i++)
                for (ptrdiff_t k = 0; k < T(PIECE); k += line)
                    BPCORE_PREFETCH(W + i * w_row + 2 * T(PIECE) + k);
        for (ptrdiff_t k = 0; k < terms; k += T(LANES))
            T(transpose_block)(panel + k * T(SUMS) + r, T(SUMS), W + r * w_row + k, w_row,
                               rows - r, terms - k);
    }
}

/* out[j] = start + sum over k of delta[k] W[j, k] for j from first to end.
 * delta (n_out,)  W (n_in, n_out)  out (n_in,) */
BPCORE_NOINLINE static void T(rows_times)(REAL *out, const REAL *delta, const REAL *W,
                                          REAL start, ptrdiff_t first, ptrdiff_t end,
                                          ptrdiff_t n_out) {
    enum { BLOCKS = T(SUMS) / T(LANES) };
    if (n_out <= 4) { /* fewer instructions one by one */
        for (ptrdiff_t j = first; j < end; j++) {
            T(vec) sum = T(broadcast)(start);
            for (ptrdiff_t k = 0; k < n_out; k++)
                sum = T(fma)(T(broadcast)(delta[k]), T(broadcast)(W[j * n_out + k]), sum);
            out[j] = T(first_lane)(sum);
        }
        return;
    }
    const int ahead = n_out > T(PIECE) &&
                      (end - first) * n_out * (ptrdiff_t)sizeof(REAL) > T(blocks).l2;
    REAL panel[T(PIECE) * T(SUMS)];
    for (ptrdiff_t j = first; j < end; j += T(SUMS)) {
        const ptrdiff_t rows = bpcore_min(T(SUMS), end - j);
        T(vec) total[BLOCKS], sum[BLOCKS];
        for (int b = 0; b < BLOCKS; b++) total[b] = sum[b] = T(broadcast)(start);
        for (ptrdiff_t k = 0; k < n_out; k += T(PIECE)) {
            const ptrdiff_t terms = bpcore_min(T(PIECE), n_out - k);
            T(transpose_piece)(panel, W + j * n_out + k, n_out, rows, terms, ahead);
            for (ptrdiff_t i = 0; i < terms; i++) {
                const T(vec) d = T(broadcast)(delta[k + i]);
                BPCORE_UNROLL for (int b = 0; b < BLOCKS; b++)
                    sum[b] = T(fma)(d, T(load)(panel + i * T(SUMS) + b * T(LANES)), sum[b]);
            }
            const ptrdiff_t next = k + terms;
            if (next == n_out || next % BPCORE_CHAIN == 0)
                for (int b = 0; b < BLOCKS; b++) {
                    total[b] = next > BPCORE_CHAIN ? sum[b] + total[b] : sum[b];
                    sum[b] = (T(vec)){0};
                }
        }
        for (int b = 0; b * T(LANES) < rows; b++)
            T(store_tail)(out + j + b * T(LANES), total[b],
                          T(make_tail)(bpcore_min(T(LANES), rows - b * T(LANES))));
    }
}

/* --- the update, whose gradient is of rank one --- */

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

/* A plain rule.  Gradients of narrow rows are stored in a buffer first, so that weights
 * are loaded as whole vectors: a masked load waits for the masked store next to it. */
BPCORE_INLINE void T(rank_one_plain)(bpcore_rule rule, const T(rates) rates, REAL *W,
                                     REAL *state, const REAL *a, const REAL *delta,
                                     ptrdiff_t n_in, ptrdiff_t n_out) {
    const T(vec) zero = {0};
    if (n_out < T(NR)) {
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
            T(descend_rows)(optimizer->rule, &rates, W + at, state + at, 0, g, 0, 1,
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
    switch (optimizer->rule) {
#define CASE(RULE, name)                                                              \
    case BPCORE_##RULE:                                                               \
        T(rank_one_plain)(BPCORE_##RULE, T(plain_rates)(optimizer), W, state, a, delta,     \
                          to - from, n_out);                                              \
        break;
        BPCORE_EACH_PLAIN_RULE(CASE)
#undef CASE
    default:
        T(rank_one_other)(optimizer, W, state, a, delta, to - from, n_out);
    }
}

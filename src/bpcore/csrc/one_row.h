/* Mini-batches of one row: each weight is used once, so nothing is copied.  Same bits
 * as the loop nest (nest.h). */

/* --- delta propagation --- */

/* sum[b] += delta[k] W[b LANES + lane, k] for the terms k0 .. k1 in ascending order,
 * over the first `rows` rows of W: blocks of LANES x LANES, transposed in registers. */
BPCORE_INLINE void T(one_row_chain)(T(vec) *sum, const int blocks, const REAL *delta,
                                    const REAL *W, ptrdiff_t w_row, ptrdiff_t rows,
                                    ptrdiff_t k0, ptrdiff_t k1) {
    for (ptrdiff_t k = k0; k < k1; k += T(LANES)) {
        const ptrdiff_t terms = bpcore_min(T(LANES), k1 - k);
        const T(tail) tail = T(make_tail)(terms);
        for (int b = 0; b < blocks; b++) {
            T(vec) columns[T(LANES)];
            for (int i = 0; i < T(LANES); i++) {
                const ptrdiff_t j = b * T(LANES) + i;
                const REAL *at = W + j * w_row + k;
                columns[i] = j >= rows           ? (T(vec)){0}
                            : terms < T(LANES) ? T(load_tail)(at, tail)
                                               : T(load)(at);
            }
            T(transpose)(columns);
            for (ptrdiff_t i = 0; i < terms; i++)
                sum[b] = T(fma)(T(broadcast)(delta[k + i]), columns[i], sum[b]);
        }
    }
}

/* out[j] = sum over k of delta[k] W[j, k] for this worker's j, first .. end.
 * delta (n_out,)  W (n_in, n_out)  out (n_in,)
 *
 * Not inlined, since its caller would leave it too few registers: 17 per cent more
 * instructions in float64. */
BPCORE_NOINLINE static void T(propagate_one_row)(REAL *out, const REAL *delta,
                                                 const REAL *W, ptrdiff_t first,
                                                 ptrdiff_t end, ptrdiff_t n_out) {
    enum { BLOCKS = 4, ROWS = BLOCKS * T(LANES) }; /* independent sums */
    for (ptrdiff_t j = first; j < end; j += ROWS) {
        const ptrdiff_t rows = bpcore_min(ROWS, end - j);
        T(vec) total[BLOCKS];
        for (ptrdiff_t k0 = 0; k0 < n_out; k0 += BPCORE_CHAIN) {
            const ptrdiff_t k1 = bpcore_min(k0 + BPCORE_CHAIN, n_out);
            T(vec) sum[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) sum[b] = (T(vec)){0};
            T(one_row_chain)(sum, BLOCKS, delta, W + j * n_out, n_out, rows, k0, k1);
            for (int b = 0; b < BLOCKS; b++) total[b] = k0 ? sum[b] + total[b] : sum[b];
        }
        for (int b = 0; b * T(LANES) < rows; b++)
            T(store_tail)(out + j + b * T(LANES), total[b],
                          T(make_tail)(bpcore_min(T(LANES), rows - b * T(LANES))));
    }
}

/* --- the update, whose gradient is of rank one --- */

/* g[r, c] = a[r] delta[c] */
static inline void T(outer)(REAL *g, const REAL *a, const REAL *delta, ptrdiff_t rows,
                            ptrdiff_t cols) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c++)
            g[r * cols + c] = a[r] * delta[c] + 0; /* same bits as fma(a, delta, 0) */
}

/* A plain rule.  Gradients of narrow rows are stored in a buffer first, so that weights
 * are loaded as whole vectors: a masked load waits for the masked store next to it. */
BPCORE_INLINE void T(rank_one_plain)(bpcore_rule rule, const T(rates) rates, REAL *W,
                                     REAL *state, const REAL *a, const REAL *delta,
                                     ptrdiff_t n_in, ptrdiff_t n_out) {
    const ptrdiff_t rest = n_out % T(LANES), whole = n_out - rest;
    const T(tail) tail = T(make_tail)(rest ? rest : T(LANES));
    const T(vec) zero = {0};
    if (n_out < T(NR)) {
        REAL g[16 * T(NR)];
        for (ptrdiff_t i = 0; i < n_in; i += 16) {
            const ptrdiff_t rows = bpcore_min(16, n_in - i);
            T(outer)(g, a + i, delta, rows, n_out);
            T(descend_plain_array)(rule, rates, W + i * n_out, state + i * n_out, g,
                                   rows * n_out);
        }
        return;
    }
    for (ptrdiff_t i = 0; i < n_in; i++, W += n_out, state += n_out) {
        const T(vec) a_i = T(broadcast)(a[i]);
        for (ptrdiff_t j = 0; j < whole; j += T(LANES))
            T(descend_plain)(rule, rates, W + j, state + j,
                             T(fma)(a_i, T(load)(delta + j), zero), 1, tail);
        if (rest)
            T(descend_plain)(rule, rates, W + whole, state + whole,
                             T(fma)(a_i, T(load_tail)(delta + whole, tail), zero), 0,
                             tail);
    }
}

/* Any other rule, from a buffer of the gradient: as many rows as fit into it, or as
 * many columns of one row. */
static void T(rank_one_other)(bpcore_rule rule, const T(rates) *rates, REAL *W,
                              REAL *state, const REAL *a, const REAL *delta,
                              ptrdiff_t n_in, ptrdiff_t n_out) {
    enum { CAPACITY = 16 * T(NR) };
    REAL g[CAPACITY];
    const ptrdiff_t cols = bpcore_min(n_out, CAPACITY), rows = CAPACITY / cols;
    for (ptrdiff_t i = 0; i < n_in; i += rows)
        for (ptrdiff_t j = 0; j < n_out; j += cols) {
            const ptrdiff_t height = bpcore_min(rows, n_in - i);
            const ptrdiff_t width = bpcore_min(cols, n_out - j);
            const ptrdiff_t at = i * n_out + j;
            T(outer)(g, a + i, delta + j, height, width);
            T(descend_rows)(rule, rates, W + at, state + at, 0, g, 0, 1, height * width);
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
    const T(rates) rates = T(make_rates)(optimizer);
    ptrdiff_t from, to;
    bpcore_worker_range(worker, n_in, 1, &from, &to);
    W += from * n_out, state += from * n_out, a += from;
    switch (optimizer->rule) {
#define CASE(RULE, name)                                                              \
    case BPCORE_##RULE:                                                               \
        T(rank_one_plain)(BPCORE_##RULE, rates, W, state, a, delta, to - from, n_out);\
        break;
        BPCORE_EACH_PLAIN_RULE(CASE)
#undef CASE
    default:
        T(rank_one_other)(optimizer->rule, &rates, W, state, a, delta, to - from, n_out);
    }
}

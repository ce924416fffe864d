/* Mini-batches of one row: nothing is used twice, so nothing is copied.  The bits are
 * those of the loop nest. */

/* --- delta propagation --- */

/* sum[b] += delta[k] W[b LANES + lane, k] for the terms k0 .. k1 in ascending order,
 * over the first `rows` rows of W: LANES x LANES at a time, turned in registers. */
BPCORE_INLINE void T(one_row_chain)(T(vec) *sum, const int blocks, const REAL *delta,
                                    const REAL *W, ptrdiff_t w_row, ptrdiff_t rows,
                                    ptrdiff_t k0, ptrdiff_t k1) {
    for (ptrdiff_t k = k0; k < k1; k += T(LANES)) {
        const ptrdiff_t terms = bpcore_least(T(LANES), k1 - k);
        const T(tail) tail = T(make_tail)(terms);
        for (int b = 0; b < blocks; b++) {
            T(vec) turned[T(LANES)];
            for (int i = 0; i < T(LANES); i++) {
                const ptrdiff_t j = b * T(LANES) + i;
                const REAL *at = W + j * w_row + k;
                turned[i] = j >= rows            ? (T(vec)){0}
                            : terms < T(LANES) ? T(load_tail)(at, tail)
                                               : T(load)(at);
            }
            T(transpose)(turned);
            for (ptrdiff_t i = 0; i < terms; i++)
                sum[b] = T(fma)(T(broadcast)(delta[k + i]), turned[i], sum[b]);
        }
    }
}

/* out[j] = sum over k of delta[k] W[j, k] for this worker's j, first .. end.
 * delta (n_out,)  W (n_in, n_out)  out (n_in,)
 * Inlined into its caller it would have too few registers: 17 per cent more
 * instructions in float64. */
BPCORE_NOINLINE static void T(propagate_one_row)(REAL *out, const REAL *delta,
                                                 const REAL *W, ptrdiff_t first,
                                                 ptrdiff_t end, ptrdiff_t n_out) {
    enum { BLOCKS = 4, ROWS = BLOCKS * T(LANES) }; /* sums that need not wait */
    for (ptrdiff_t j = first; j < end; j += ROWS) {
        const ptrdiff_t rows = bpcore_least(ROWS, end - j);
        T(vec) total[BLOCKS];
        for (ptrdiff_t k0 = 0; k0 < n_out; k0 += BPCORE_CHAIN) {
            const ptrdiff_t k1 = bpcore_least(k0 + BPCORE_CHAIN, n_out);
            T(vec) sum[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) sum[b] = (T(vec)){0};
            T(one_row_chain)(sum, BLOCKS, delta, W + j * n_out, n_out, rows, k0, k1);
            for (int b = 0; b < BLOCKS; b++) total[b] = k0 ? sum[b] + total[b] : sum[b];
        }
        for (int b = 0; b * T(LANES) < rows; b++)
            T(store_tail)(out + j + b * T(LANES), total[b],
                          T(make_tail)(bpcore_least(T(LANES), rows - b * T(LANES))));
    }
}

/* --- the update, whose gradient is of rank one --- */

/* g[r, c] = a[r] delta[c] */
static inline void T(outer)(REAL *g, const REAL *a, const REAL *delta, ptrdiff_t rows,
                            ptrdiff_t cols) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c++)
            g[r * cols + c] = a[r] * delta[c] + 0; /* as fma with 0 */
}

/* A plain rule.  Wide rows pass by in one stream; narrow ones go through a buffer, so
 * that weights are loaded in whole vectors: a masked load waits for the masked store
 * beside it. */
BPCORE_INLINE void T(rank_one_plain)(bpcore_rule rule, const T(rates) rates, REAL *W,
                                     REAL *state, const REAL *a, const REAL *delta,
                                     ptrdiff_t n_in, ptrdiff_t n_out) {
    const ptrdiff_t rest = n_out % T(LANES), whole = n_out - rest;
    const T(tail) tail = T(make_tail)(rest ? rest : T(LANES));
    const T(vec) zero = {0};
    if (n_out < T(NR)) {
        REAL g[16 * T(NR)];
        for (ptrdiff_t i = 0; i < n_in; i += 16) {
            const ptrdiff_t rows = bpcore_least(16, n_in - i);
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

/* Any rule, from as many rows of the gradient at a time as a buffer has room for, or as
 * many columns of one. */
static void T(rank_one_other)(bpcore_rule rule, const T(rates) *rates, REAL *W,
                              REAL *state, const REAL *a, const REAL *delta,
                              ptrdiff_t n_in, ptrdiff_t n_out) {
    enum { ROOM = 16 * T(NR) };
    REAL g[ROOM];
    const ptrdiff_t cols = bpcore_least(n_out, ROOM), rows = ROOM / cols;
    for (ptrdiff_t i = 0; i < n_in; i += rows)
        for (ptrdiff_t j = 0; j < n_out; j += cols) {
            const ptrdiff_t height = bpcore_least(rows, n_in - i);
            const ptrdiff_t width = bpcore_least(cols, n_out - j);
            const ptrdiff_t at = i * n_out + j;
            T(outer)(g, a + i, delta + j, height, width);
            T(descend_rows)(rule, rates, W + at, state + at, 0, g, 0, 1, height * width);
        }
}

/* W = one optimizer step by dW[i, j] = a[i] delta[j], this worker's rows of W.
 *
 * The bits are those of the loop nest for a sum of one term; but the weights pass by in
 * one stream, at the speed of the cache they live in.
 * a (n_in,)  delta (n_out,)  W (n_in, n_out) */
static void T(descend_rank_one)(const bpcore_worker *worker,
                                const bpcore_optimizer *optimizer, REAL *W, REAL *state,
                                const REAL *a, const REAL *delta, ptrdiff_t n_in,
                                ptrdiff_t n_out) {
    const T(rates) rates = T(make_rates)(optimizer);
    ptrdiff_t from, to;
    bpcore_share(worker, n_in, 1, &from, &to);
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

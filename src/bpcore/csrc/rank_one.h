/* The update by a mini-batch of one row, whose gradient is of rank one. */

BPCORE_INLINE void T(rank_one_by)(bpcore_rule rule, const T(rates) rates, REAL *W,
                                  REAL *state, const REAL *a, const REAL *delta,
                                  ptrdiff_t n_in, ptrdiff_t n_out) {
    const ptrdiff_t rest = n_out % T(LANES), whole = n_out - rest;
    const T(tail) tail = T(make_tail)(rest ? rest : T(LANES));
    const T(vec) zero = {0};
    if (n_out < T(NR)) {
        /* Narrow rows go through a buffer, so that weights are loaded in whole vectors:
         * a masked load waits for the masked store beside it. */
        REAL g[16 * T(NR)];
        for (ptrdiff_t i = 0; i < n_in; i += 16) {
            const ptrdiff_t rows = bpcore_least(16, n_in - i);
            for (ptrdiff_t r = 0; r < rows; r++)
                for (ptrdiff_t j = 0; j < n_out; j++)
                    g[r * n_out + j] = a[i + r] * delta[j] + 0; /* as fma with 0 */
            T(descend_array)(rule, rates, W + i * n_out, state + i * n_out, g,
                             rows * n_out);
        }
        return;
    }
    for (ptrdiff_t i = 0; i < n_in; i++, W += n_out, state += n_out) {
        const T(vec) a_i = T(broadcast)(a[i]);
        for (ptrdiff_t j = 0; j < whole; j += T(LANES))
            T(descend)(rule, rates, W + j, state + j,
                       T(fma)(a_i, T(load)(delta + j), zero), 1, tail);
        if (rest)
            T(descend)(rule, rates, W + whole, state + whole,
                       T(fma)(a_i, T(load_tail)(delta + whole, tail), zero), 0, tail);
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
#define RULE(rule)                                                                   \
    case rule:                                                                       \
        T(rank_one_by)(rule, rates, W, state, a, delta, to - from, n_out);          \
        break;
        BPCORE_EACH_RULE(RULE)
#undef RULE
    }
}

/* delta @ W.T for one row: W times a vector.  Each weight is used once, so none is
 * copied.  Same bits as the loop nest (nest.h): LANES rows of W at a time are transposed in
 * registers, and each lane adds the terms of its row in ascending order. */

/* sum[r] += delta[k] W[r, k] for up to LANES rows and terms */
BPCORE_INLINE void T(add_columns)(T(vec) *sum, const REAL *delta, const REAL *W,
                                  ptrdiff_t w_row, const ptrdiff_t rows,
                                  const ptrdiff_t terms) {
    T(vec) column[T(LANES)];
    if (terms == T(LANES)) {
        T(load_transposed)(column, W, w_row, rows);
    } else {
        const T(tail) tail = T(make_tail)(terms);
        BPCORE_UNROLL for (int r = 0; r < T(LANES); r++)
            column[r] = r < rows ? T(load_tail)(W + r * w_row, tail) : (T(vec)){0};
        T(transpose)(column);
    }
    BPCORE_UNROLL for (int k = 0; k < T(LANES); k++)
        if (k < terms) T(accumulate)(sum, T(broadcast)(delta[k]), column[k]);
}

/* The same for `terms` terms of `blocks` blocks of rows, or of `chains` chains of one
 * block: sums that are independent, since each waits for its last multiply-add.  (The
 * chains of a row are nearer to each other than two rows of a wide W, of which few fit
 * into a set of the cache.) */
BPCORE_INLINE void T(add_chains)(T(vec) *sum, const REAL *delta, const REAL *W,
                                 ptrdiff_t w_row, const int blocks, const int chains,
                                 const ptrdiff_t rows, ptrdiff_t terms, int ahead) {
    enum { L = T(LANES), LINE = 64 / sizeof(REAL) };
    for (; terms >= L; terms -= L, delta += L, W += L)
        BPCORE_UNROLL for (int s = 0; s < blocks * chains; s++) {
            const REAL *w = W + s / chains * L * w_row + s % chains * BPCORE_CHAIN;
            const REAL *d = delta + s % chains * BPCORE_CHAIN;
            BPCORE_OPAQUE(w); /* or registers are spilled */
            BPCORE_OPAQUE(d);
            if (ahead)
                BPCORE_UNROLL for (int r = 0; r < L; r++)
                    BPCORE_PREFETCH(w + r * w_row + LINE);
            T(add_columns)(&sum[s], d, w, w_row, rows, L);
        }
    if (terms > 0)
        BPCORE_UNROLL for (int b = 0; b < blocks; b++)
            T(add_columns)(&sum[b], delta, W + b * L * w_row, w_row, rows, terms);
}

/* out[r] = start + sum over k of delta[k] W[r, k], for `blocks` blocks of up to LANES
 * rows */
BPCORE_INLINE void T(block_times)(REAL *out, const REAL *delta, const REAL *W,
                                  REAL start, ptrdiff_t n_out, const int blocks,
                                  const int chains, const ptrdiff_t rows, int ahead) {
    const T(vec) zero = {0};
    T(vec) total[2] = {zero, zero}, sum[2];
    for (ptrdiff_t k = 0, terms; k < n_out; k += terms) {
        const int pair = chains == 2 && n_out - k >= 2 * BPCORE_CHAIN;
        terms = bpcore_min(BPCORE_CHAIN, n_out - k);
        sum[0] = T(broadcast)(k == 0 ? start : 0);
        sum[1] = blocks == 2 ? sum[0] : zero;
        if (pair)
            T(add_chains)(sum, delta + k, W + k, n_out, 1, 2, rows, terms, ahead);
        else
            T(add_chains)(sum, delta + k, W + k, n_out, blocks, 1, rows, terms, ahead);
        BPCORE_UNROLL for (int b = 0; b < blocks; b++)
            total[b] = k == 0 ? sum[b] : sum[b] + total[b];
        if (pair) total[0] = sum[1] + total[0], terms = 2 * BPCORE_CHAIN;
    }
    BPCORE_UNROLL for (int b = 0; b < blocks; b++)
        T(store_part)(out + b * T(LANES), total[b], rows == T(LANES),
                      T(make_tail)(rows));
}

/* The same for all rows of a W with few columns: one by one, or, of a single column,
 * LANES rows at a time. */
BPCORE_INLINE void T(narrow_times)(REAL *out, const REAL *delta, const REAL *W,
                                   REAL start, ptrdiff_t rows, const int n_out) {
    const T(vec) starts = T(broadcast)(start);
    T(vec) d[4];
    BPCORE_UNROLL for (int k = 0; k < n_out; k++) d[k] = T(broadcast)(delta[k]);
    if (n_out == 1)
        for (; rows >= T(LANES); rows -= T(LANES), out += T(LANES), W += T(LANES))
            T(store)(out, T(fma)(d[0], T(load)(W), starts));
    for (; rows > 0; rows--, out++, W += n_out) {
        T(vec) sum = starts;
        BPCORE_UNROLL for (int k = 0; k < n_out; k++)
            sum = T(fma)(d[k], T(broadcast)(W[k]), sum);
        *out = T(first_lane)(sum);
    }
}

/* A W larger than so many times the second-level cache is read from memory: it is
 * prefetched, and of long rows one chain is read at a time, as fewer streams. */
enum { T(FAR_W) = 16 };

/* out[j] = start + sum over k of delta[k] W[j, k] for j from first to end.
 * delta (n_out,)  W (n_in, n_out)  out (n_in,) */
BPCORE_NOINLINE static void T(rows_times)(REAL *out, const REAL *delta, const REAL *W,
                                          REAL start, ptrdiff_t first, ptrdiff_t end,
                                          ptrdiff_t n_out) {
    enum { L = T(LANES) };
    switch (n_out) { /* fewer instructions than with transposed rows */
#define CASE(cols)                                                            \
    case cols:                                                                \
        T(narrow_times)(out + first, delta, W + first * cols, start, end - first, \
                        cols);                                                \
        return;
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#undef CASE
    }
    const ptrdiff_t bytes = (end - first) * n_out * (ptrdiff_t)sizeof(REAL);
    const int far = bytes > T(FAR_W) * T(blocks).l2, wide = n_out >= 2 * BPCORE_CHAIN;
    for (ptrdiff_t j = first, rows; j < end; j += rows) {
        const REAL *w = W + j * n_out;
        rows = bpcore_min(wide ? L : 2 * L, end - j);
        if (rows == 2 * L)
            T(block_times)(out + j, delta, w, start, n_out, 2, 1, L, far);
        else if (rows >= L && wide && !far)
            T(block_times)(out + j, delta, w, start, n_out, 1, 2, L, 0), rows = L;
        else if (rows >= L)
            T(block_times)(out + j, delta, w, start, n_out, 1, 1, L, far), rows = L;
        else
            T(block_times)(out + j, delta, w, start, n_out, 1, 1, rows, 0);
    }
}

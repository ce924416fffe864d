/* z = a @ W + b for few rows and a W that is in no near cache: W is read once, as one
 * stream, and not copied.  Same bits as the loop nest (nest.h). */

/* s[j] += sum over `terms` terms of a[k] W[k, j] for j below `cols`, where k ascends */
BPCORE_INLINE void T(add_terms)(REAL *s, const REAL *a, const REAL *W, ptrdiff_t w_row,
                                const int terms, ptrdiff_t cols) {
    enum { L = T(LANES) };
    T(vec) x[8];
    ptrdiff_t j = 0;
    BPCORE_UNROLL for (int k = 0; k < terms; k++) x[k] = T(broadcast)(a[k]);
    for (; cols - j >= L; j += L) {
        T(vec) sum = T(load)(s + j);
        BPCORE_UNROLL for (int k = 0; k < terms; k++)
            sum = T(fma)(x[k], T(load)(W + k * w_row + j), sum);
        T(store)(s + j, sum);
    }
    if (j == cols) return;
    const T(tail) tail = T(make_tail)(cols - j);
    T(vec) sum = T(load_tail)(s + j, tail);
    BPCORE_UNROLL for (int k = 0; k < terms; k++)
        sum = T(fma)(x[k], T(load_tail)(W + k * w_row + j, tail), sum);
    T(store_tail)(s + j, sum, tail);
}

/* The same for n rows of s and of a, and any number of terms */
static void T(add_chain)(REAL *s, ptrdiff_t s_row, const REAL *a, ptrdiff_t a_row,
                         const REAL *W, ptrdiff_t w_row, ptrdiff_t n, ptrdiff_t terms,
                         ptrdiff_t cols) {
    enum { MOST = 8 };
    for (; terms >= MOST; terms -= MOST, a += MOST, W += MOST * w_row)
        for (ptrdiff_t i = 0; i < n; i++)
            T(add_terms)(s + i * s_row, a + i * a_row, W, w_row, MOST, cols);
    for (; terms > 0; terms--, a++, W += w_row)
        for (ptrdiff_t i = 0; i < n; i++)
            T(add_terms)(s + i * s_row, a + i * a_row, W, w_row, 1, cols);
}

/* Most rows, and least columns of W for each, for which this is faster than the loop
 * nest. */
enum { T(FEW_ROWS) = 4, T(FEW_COLUMNS) = 32 };

/* z[i, j] = b[j] + sum over k of a[i, k] W[k, j] for columns j0 .. j1, in strips of
 * columns whose sums stay in the first-level cache, and 8 rows of W at a time.
 * a (n, n_in)  W (n_in, n_out)  z (n, n_out)  b (n_out,), may be NULL */
static void T(few_rows)(REAL *z, const REAL *a, const REAL *W, const REAL *b,
                        ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t j0,
                        ptrdiff_t j1) {
    enum { SUMS = 16384 / sizeof(REAL) };
    REAL sums[SUMS]; /* of all chains but the first */
    const ptrdiff_t strip = SUMS / n / T(NR) * T(NR);
    for (ptrdiff_t j = j0, cols; j < j1; j += cols) {
        cols = bpcore_min(strip, j1 - j);
        for (ptrdiff_t k = 0; k < n_in; k += BPCORE_CHAIN) {
            REAL *const s = k ? sums : z + j;
            const ptrdiff_t s_row = k ? cols : n_out;
            for (ptrdiff_t i = 0; i < n; i++)
                if (k == 0 && b)
                    memcpy(s + i * s_row, b + j, (size_t)cols * sizeof(REAL));
                else
                    memset(s + i * s_row, 0, (size_t)cols * sizeof(REAL));
            T(add_chain)(s, s_row, a + k, n_in, W + k * n_out + j, n_out, n,
                         bpcore_min(BPCORE_CHAIN, n_in - k), cols);
            for (ptrdiff_t i = 0; k > 0 && i < n; i++)
                T(combine)(T(x_plus_y), z + i * n_out + j, s + i * s_row,
                           z + i * n_out + j, 0, cols);
        }
    }
}

/* z = a @ W + b for few rows and a W that is in no near cache: W is read once, as one
 * stream, and not copied.  Same bits as the loop nest (nest.h). */

/* s[j] += sum over `terms` terms of a[k] W[k, j] for j below `cols`, where k ascends */
BPCORE_INLINE void T(add_terms)(REAL *s, const REAL *a, const REAL *W, ptrdiff_t w_row,
                                const int terms, ptrdiff_t cols) {
    enum { L = T(LANES), MOST = 8 };
    T(vec) x[MOST];
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

/* Most rows for which this is faster than the loop nest. */
enum { T(FEW_ROWS) = 4 };

/* z[i, j] = b[j] + sum over k of a[i, k] W[k, j] for columns j0 .. j1, in strips of columns
 * whose sums stay in the first-level cache, and 8 rows of W at a time.
 * a (n, n_in)  W (n_in, n_out)  z (n, n_out)  b (n_out,), may be NULL */
static void T(few_rows)(REAL *z, const REAL *a, const REAL *W, const REAL *b,
                        ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t j0,
                        ptrdiff_t j1) {
    enum { SUMS = 16384 / sizeof(REAL), TERMS = 8 };
    REAL sums[SUMS];
    const ptrdiff_t strip = SUMS / n / T(NR) * T(NR);
    for (ptrdiff_t j = j0; j < j1; j += strip) {
        const ptrdiff_t cols = bpcore_min(strip, j1 - j);
        const size_t bytes = (size_t)cols * sizeof(REAL);
        for (ptrdiff_t k0 = 0, k1; k0 < n_in; k0 = k1) { /* a chain of terms */
            k1 = bpcore_min(k0 + BPCORE_CHAIN, n_in);
            REAL *const s = k0 ? sums : z + j;
            const ptrdiff_t s_row = k0 ? cols : n_out;
            for (ptrdiff_t i = 0; i < n; i++)
                if (k0 == 0 && b)
                    memcpy(s + i * s_row, b + j, bytes);
                else
                    memset(s + i * s_row, 0, bytes);
            for (ptrdiff_t k = k0; k < k1; k += TERMS) {
                const REAL *w = W + k * n_out + j, *x = a + k;
                for (ptrdiff_t i = 0; i < n; i++, x += n_in)
                    if (k1 - k >= TERMS)
                        T(add_terms)(s + i * s_row, x, w, n_out, TERMS, cols);
                    else
                        for (ptrdiff_t t = 0; t < k1 - k; t++)
                            T(add_terms)(s + i * s_row, x + t, w + t * n_out, n_out, 1, cols);
            }
            if (k0)
                for (ptrdiff_t i = 0; i < n; i++)
                    T(combine)(T(x_plus_y), z + i * n_out + j, s + i * s_row,
                               z + i * n_out + j, 0, cols);
        }
    }
}

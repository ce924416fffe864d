/* Packing: contiguous copies of A and B for the register tile, terms k0 .. k1. */

/* panel[k - k0, c] = B[k, j + c], with row stride NR */
static void T(pack)(REAL *panel, const REAL *B, ptrdiff_t b_row, ptrdiff_t k0,
                    ptrdiff_t k1, ptrdiff_t j, ptrdiff_t cols) {
    B += k0 * b_row + j;
    if (cols == T(NR))
        for (ptrdiff_t k = k0; k < k1; k++, panel += T(NR), B += b_row)
            BPCORE_UNROLL for (int v = 0; v < T(NR); v += T(LANES))
                T(store)(panel + v, T(load)(B + v));
    else
        for (ptrdiff_t k = k0; k < k1; k++, panel += T(NR), B += b_row)
            memcpy(panel, B, (size_t)cols * sizeof(REAL));
}

/* panel[k - k0, c] = W[j + c, k], for B = W transposed, LANES x LANES at a time;
 * columns from `cols` to the next whole vector are zero. */
static void T(pack_transposed)(REAL *panel, const REAL *W, ptrdiff_t w_row,
                               ptrdiff_t k0, ptrdiff_t k1, ptrdiff_t j,
                               ptrdiff_t cols) {
    for (ptrdiff_t c = 0; c < cols; c += T(LANES))
        for (ptrdiff_t k = k0; k < k1; k += T(LANES)) {
            const REAL *block = W + (j + c) * w_row + k;
            const ptrdiff_t left = k1 - k < T(LANES) ? k1 - k : T(LANES);
            const T(tail) tail = T(make_tail)(left);
            T(vec) rows[T(LANES)];
            for (int i = 0; i < T(LANES); i++)
                rows[i] = c + i >= cols       ? (T(vec)){0}
                          : left < T(LANES) ? T(load_tail)(block + i * w_row, tail)
                                            : T(load)(block + i * w_row);
            T(transpose)(rows);
            REAL *to = panel + (k - k0) * T(NR) + c;
            for (ptrdiff_t i = 0; i < left; i++) T(store)(to + i * T(NR), rows[i]);
        }
}

/* panel[k - k0, r] = a[k, i + r], with row stride `rows`, for A = a transposed */
static void T(pack_rows)(REAL *panel, const REAL *a, ptrdiff_t a_col, ptrdiff_t k0,
                         ptrdiff_t k1, ptrdiff_t i, ptrdiff_t rows) {
    if (rows == BPCORE_TILE_ROWS) /* constant size: compiled to loads and stores */
        for (ptrdiff_t k = k0; k < k1; k++, panel += BPCORE_TILE_ROWS)
            memcpy(panel, a + k * a_col + i, BPCORE_TILE_ROWS * sizeof(REAL));
    else
        for (ptrdiff_t k = k0; k < k1; k++, panel += rows)
            memcpy(panel, a + k * a_col + i, (size_t)rows * sizeof(REAL));
}

/* Prefetches part number `part` of `parts` of some rows of `length` elements into the
 * second-level cache.  (Inline, since GCC removes calls of functions that only
 * prefetch.) */
BPCORE_INLINE void T(prefetch)(const REAL *at, ptrdiff_t row, ptrdiff_t rows,
                               ptrdiff_t length, ptrdiff_t part, ptrdiff_t parts) {
    const ptrdiff_t line = 64 / (ptrdiff_t)sizeof(REAL);
    for (ptrdiff_t r = part * rows / parts; r < (part + 1) * rows / parts; r++)
        for (ptrdiff_t c = 0; c < length; c += line)
            BPCORE_PREFETCH(at + r * row + c);
}

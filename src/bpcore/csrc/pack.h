/* A panel of B = W transposed, copied so that its rows are contiguous:
 *
 *     panel[k - k0, c] = W[j + c, k]      k in [k0, k1)   c < cols   panel (.., NR)
 *
 * LANES x LANES at a time; columns from cols to the next whole vector are zero. */
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

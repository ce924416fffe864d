/* Panels of B, copied so that the register tile reads them as one stream of rows NR
 * wide, k in [k0, k1) and columns from j on, `cols` of them. */

/* panel[k - k0, c] = B[k, j + c] */
static void T(pack)(REAL *panel, const REAL *B, ptrdiff_t b_row, ptrdiff_t k0,
                    ptrdiff_t k1, ptrdiff_t j, ptrdiff_t cols) {
    for (ptrdiff_t k = k0; k < k1; k++, panel += T(NR))
        memcpy(panel, B + k * b_row + j, (size_t)cols * sizeof(REAL));
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

/* The panel at row k0 and column j: copied into `room` if `packed`, else in place; the
 * distance of its rows goes to *b_row. */
static const REAL *T(panel)(const bpcore_product *p, int packed, REAL *room,
                            ptrdiff_t k0, ptrdiff_t k1, ptrdiff_t j, ptrdiff_t cols,
                            ptrdiff_t *b_row) {
    if (!packed) {
        *b_row = p->b_row;
        return (const REAL *)p->B + k0 * p->b_row + j;
    }
    *b_row = T(NR);
    if (p->b_transposed)
        T(pack_transposed)(room, p->B, p->b_row, k0, k1, j, cols);
    else
        T(pack)(room, p->B, p->b_row, k0, k1, j, cols);
    return room;
}

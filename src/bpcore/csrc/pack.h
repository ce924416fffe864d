/* Packing: contiguous copies of A and B for the register tile, terms k0 .. k1. */

/* panels[j / NR][k, j % NR] = B[k, j], in long runs along the rows of B, of which the
 * one after the next is prefetched */
static void T(copy_rows)(REAL *panels, ptrdiff_t apart, const REAL *B, ptrdiff_t b_row,
                         ptrdiff_t terms, ptrdiff_t cols) {
    const ptrdiff_t whole = cols - cols % T(NR);
    for (ptrdiff_t k = 0; k < terms; k++, B += b_row, panels += T(NR)) {
        REAL *to = panels;
        ptrdiff_t j = 0;
        for (; j < whole; j += T(NR), to += apart) {
            BPCORE_PREFETCH(B + 2 * b_row + j);
            BPCORE_UNROLL for (int v = 0; v < T(NR); v += T(LANES))
                T(store)(to + v, T(load)(B + j + v));
        }
        for (; j < cols; j++) *to++ = B[j];
    }
}

/* to[k, c] = from[c, k] for LANES x LANES elements, of which there are `rows` rows of
 * `terms`; the columns of `to` beyond `rows` become zero. */
BPCORE_INLINE void T(transpose_block)(REAL *to, ptrdiff_t to_row, const REAL *from,
                                      ptrdiff_t row, ptrdiff_t rows, ptrdiff_t terms) {
    T(vec) block[T(LANES)];
    if (rows >= T(LANES) && terms >= T(LANES)) {
        T(load_transposed)(block, from, row, T(LANES));
        BPCORE_UNROLL for (int i = 0; i < T(LANES); i++)
            T(store)(to + i * to_row, block[i]);
        return;
    }
    const T(tail) tail = T(make_tail)(bpcore_min(terms, T(LANES)));
    for (int i = 0; i < T(LANES); i++)
        block[i] = i < rows ? T(load_tail)(from + i * row, tail) : (T(vec)){0};
    T(transpose)(block);
    for (int i = 0; i < bpcore_min(terms, T(LANES)); i++)
        T(store)(to + i * to_row, block[i]);
}

/* panel[k, c] = W[c, k], for B = W transposed; columns from `cols` to the next whole
 * vector are zero. */
static void T(copy_transposed)(REAL *panel, const REAL *W, ptrdiff_t w_row,
                               ptrdiff_t terms, ptrdiff_t cols) {
    for (ptrdiff_t c = 0; c < cols; c += T(LANES))
        for (ptrdiff_t k = 0; k < terms; k += T(LANES))
            T(transpose_block)(panel + k * T(NR) + c, T(NR), W + c * w_row + k, w_row,
                               cols - c, terms - k);
}

/* panels = B at terms k0 .. k1 and columns j0 .. j1 */
static void T(copy_B)(const bpcore_product *p, REAL *panels, ptrdiff_t apart,
                      ptrdiff_t k0, ptrdiff_t k1, ptrdiff_t j0, ptrdiff_t j1) {
    const REAL *B = p->B;
    if (!p->b_transposed) {
        T(copy_rows)(panels, apart, B + k0 * p->b_row + j0, p->b_row, k1 - k0, j1 - j0);
        return;
    }
    for (ptrdiff_t j = j0; j < j1; j += T(NR), panels += apart)
        T(copy_transposed)(panels, B + j * p->b_row + k0, p->b_row, k1 - k0,
                           bpcore_min(T(NR), j1 - j));
}

/* Rows of the next tile of `left` rows: TILE_ROWS, but two tiles of about equal height
 * at the end, since a tile of fewer than 4 rows takes as long as one of 4: a sum waits 4
 * cycles for its next multiply-add. */
static inline ptrdiff_t T(tile_height)(ptrdiff_t left) {
    const ptrdiff_t most = BPCORE_TILE_ROWS;
    if (left > most && left < most + 4) return (left + 1) / 2;
    return bpcore_min(left, most);
}

/* to[k, r] = a[k a_col + r], from a row-major array whose rows are the columns of A.  If
 * `wide`, whole vectors are read and written, and what is stored beyond a row is
 * overwritten by the next; the last row is always exact. */
BPCORE_INLINE void T(copy_columns)(REAL *to, const REAL *a, ptrdiff_t a_col,
                                   ptrdiff_t terms, const ptrdiff_t rows, int wide) {
    ptrdiff_t k = 0;
    if (wide)
        for (; k < terms - 1; k++, to += rows, a += a_col)
            BPCORE_UNROLL for (ptrdiff_t r = 0; r < rows; r += T(LANES))
                T(store)(to + r, T(load)(a + r));
    for (; k < terms; k++, to += rows, a += a_col)
        memcpy(to, a, (size_t)rows * sizeof(REAL));
}

/* to[k, r] = a[r a_row + k], LANES x LANES at a time.  Stores of whole vectors are
 * overwritten by the next; the last ends up to LANES - 1 elements behind the copy. */
BPCORE_INLINE void T(copy_across)(REAL *to, const REAL *a, ptrdiff_t a_row,
                                  ptrdiff_t terms, const ptrdiff_t rows) {
    enum { L = T(LANES), GROUPS = (BPCORE_TILE_ROWS + L - 1) / L };
    ptrdiff_t k = 0;
    for (; k + L <= terms; k += L) {
        T(vec) group[GROUPS][L];
        BPCORE_UNROLL for (int g = 0; g < GROUPS; g++)
            T(load_transposed)(group[g], a + g * L * a_row + k, a_row, rows - g * L);
        BPCORE_UNROLL for (int i = 0; i < L; i++)
            BPCORE_UNROLL for (int g = 0; g < GROUPS; g++)
                if (g * L < rows) T(store)(to + (k + i) * rows + g * L, group[g][i]);
    }
    for (; k < terms; k++)
        for (ptrdiff_t r = 0; r < rows; r++) to[k * rows + r] = a[r * a_row + k];
}

/* Terms k0 .. k1 of rows i0 .. i1 of A, tile by tile, each as [k, row].  Rows of an array
 * that is transposed are read in pieces that stay in the first-level cache, since
 * several tiles share their cache lines. */
static void T(copy_A)(const bpcore_product *p, REAL *to, ptrdiff_t k0, ptrdiff_t k1,
                      ptrdiff_t i0, ptrdiff_t i1) {
    enum { PIECE = 8 };
    const ptrdiff_t terms = k1 - k0, piece = p->a_col == 1 ? terms : PIECE;
    for (ptrdiff_t k = k0; k < k1; k += piece) {
        const ptrdiff_t now = bpcore_min(piece, k1 - k);
        REAL *tile = to;
        for (ptrdiff_t i = i0, rows; i < i1; i += rows, tile += rows * terms) {
            rows = T(tile_height)(i1 - i);
            const int wide = i + BPCORE_TILE_ROWS + T(LANES) <= p->m;
            const REAL *a = (const REAL *)p->A + i * p->a_row + k * p->a_col;
            REAL *at = tile + (k - k0) * rows;
            switch (rows) { /* constant sizes: compiled to loads and stores */
#define CASE(r)                                                   \
    case r:                                                       \
        if (p->a_col == 1)                                        \
            T(copy_across)(at, a, p->a_row, now, r);              \
        else                                                      \
            T(copy_columns)(at, a, p->a_col, now, r, wide);       \
        break;
                BPCORE_EACH_TILE_ROWS(CASE)
#undef CASE
            }
        }
    }
}

/* Prefetches `length` elements into the second-level cache.  (Inline, since GCC removes
 * calls of functions that only prefetch.) */
BPCORE_INLINE void T(prefetch)(const REAL *at, ptrdiff_t length) {
    const ptrdiff_t line = 64 / (ptrdiff_t)sizeof(REAL);
    for (ptrdiff_t c = 0; c < length; c += line) BPCORE_PREFETCH(at + c);
}

/* Lists of the terms that are not 0 for all rows of a tile.  Inputs of mini-batches are
 * often mostly zeros: the margins of images, one-hot columns.  A tile that adds only the
 * listed terms (tile.h) has the bits of one that adds every term, if B is finite.
 *
 * Why they are the same.  Let s be the sum of a chain with every term, t the sum of the
 * listed ones.  At every term s and t are equal, or t is -0 and s is +0:
 *
 *   - They begin equal: at the bias, or at 0.
 *   - A term that is not listed leaves t.  Its product is a zero, since B is finite, so s
 *     stays what it is, unless it is -0: that may become +0.
 *   - A listed term adds the same product (exact, or rounded without a fused multiply-add)
 *     to both.  Equal sums stay equal; different zeros both become the product, rounded,
 *     unless it is a zero before it is added: then s stays +0, and t becomes +0 or stays -0.
 *
 * So a sum t that is not -0 has the bits of s.  Where it is -0 (a bias may be, and a
 * product may underflow to it) every term is added. */

/* Lists up to BPCORE_CHAIN terms of TILE_ROWS rows of A, of which a_row or a_col is 1.
 * Every term is written, and the next one over it if it is 0: no branch. */
static void T(list_terms)(bpcore_list *list, const REAL *A, ptrdiff_t a_row,
                          ptrdiff_t a_col, ptrdiff_t terms) {
    ptrdiff_t count = 0, k = 0;
    if (a_col == 1)
        for (; k + T(LANES) <= terms; k += T(LANES)) {
            INT lanes[T(LANES)];
            T(ivec) any = {0};
            BPCORE_UNROLL for (int r = 0; r < BPCORE_TILE_ROWS; r++)
                any |= T(bits)(T(load)(A + r * a_row + k));
            any &= T(broadcast_int)(~INT_SIGN_BIT);
            if (!T(any)(any)) continue;
            any = T(equal_int)(any, (T(ivec)){0});
            memcpy(lanes, &any, sizeof(any));
            BPCORE_UNROLL for (int i = 0; i < T(LANES); i++) {
                list->term[count] = (uint8_t)(k + i);
                count += 1 + (ptrdiff_t)lanes[i];
            }
        }
    for (; k < terms; k++) {
        REAL a[BPCORE_TILE_ROWS];
        const REAL *at = A + k * a_col;
        if (a_row != 1) {
            for (int r = 0; r < BPCORE_TILE_ROWS; r++) a[r] = at[r * a_row];
            at = a;
        }
        list->term[count] = (uint8_t)k;
        count += !T(are_zeros)(at, BPCORE_TILE_ROWS);
    }
    list->count = count;
}

/* The lists of a block of TILE_ROWS rows, chain by chain.  Rows of an array are read in
 * place, LANES terms at a time, even if there is a copy of A. */
static void T(list_chains)(bpcore_list *list, const bpcore_product *p,
                           const T(block) *b) {
    const int in_place = p->a_col == 1;
    const ptrdiff_t a_row = in_place ? p->a_row : b->a_row;
    const ptrdiff_t a_col = in_place ? 1 : b->a_col;
    const REAL *A = in_place ? (const REAL *)p->A + b->i * a_row + b->k0 : b->A;
    for (ptrdiff_t k = b->k0; k < b->k1; k += BPCORE_CHAIN, A += BPCORE_CHAIN * a_col)
        T(list_terms)(list++, A, a_row, a_col, bpcore_min(BPCORE_CHAIN, b->k1 - k));
}

/* `any_tile` of the listed terms, for TILE_ROWS rows */
static void T(listed_tile)(const bpcore_product *p, T(block) *b, ptrdiff_t cols) {
    enum { LAST = BPCORE_TILE_ROWS - 1 };
    const T(tail) none = T(make_tail)(T(LANES));
    for (b->cols = T(NR); cols >= T(NR); cols -= T(NR)) {
        T(chains)(T(tile_listed), T(by_2)[LAST], p, b, none);
        T(next_columns)(b, T(NR));
    }
    b->cols = cols;
    if (cols > T(LANES))
        T(chains)(T(tile_listed_tail_2), T(by_tail_2)[LAST], p, b,
                  T(make_tail)(cols - T(LANES)));
    else if (cols > 0)
        T(chains)(T(tile_listed_tail), T(by_tail)[LAST], p, b, T(make_tail)(cols));
}

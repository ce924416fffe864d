/* The loop nest of every matrix product: C = finish(start + A @ B).
 *
 * It divides the product into register tiles, by the block sizes and copies of plan.h.
 * The order of every sum is fixed in the tile (tile.h), so no bit depends on them or on
 * the number of workers. */

/* Rows i0 .. i1, columns j0 .. j1 and terms k0 .. k1 of a product, and the panels of B
 * there, if B is copied. */
typedef struct {
    ptrdiff_t i0, i1, j0, j1, k0, k1;
    REAL *panels;
} T(range);

/* The block of B that comes after `now` within `all`: `rows` rows of `length` elements, of
 * which each tile prefetches `step`, from `next` on. */
typedef struct {
    const REAL *at;
    ptrdiff_t row, rows, length, step, next;
} T(ahead);

static T(ahead) T(next_block)(const bpcore_product *p, const T(plan) *plan,
                              const T(range) *all, const T(range) *now) {
    T(range) next = {.j0 = now->j1, .k0 = now->k0, .k1 = now->k1};
    if (next.j0 == all->j1) {
        next.j0 = all->j0, next.k0 = now->k1;
        next.k1 = T(block_end)(next.k0, plan->kc, p->k);
    }
    const ptrdiff_t terms = next.k1 - next.k0;
    const ptrdiff_t cols = bpcore_min(plan->nc, all->j1 - next.j0);
    T(ahead) ahead = {.row = p->b_row, .rows = terms, .length = cols};
    ahead.at = (const REAL *)p->B + next.k0 * p->b_row + next.j0;
    if (p->b_transposed) {
        ahead.rows = cols, ahead.length = terms;
        ahead.at = (const REAL *)p->B + next.j0 * p->b_row + next.k0;
    }
    if (p->packed) { /* panels one after the other */
        ahead.at = T(packed_panels)(p, plan, next.k0, next.j0);
        ahead.row = ahead.length = T(NR);
        ahead.rows = (cols + T(NR) - 1) / T(NR) * plan->panel / T(NR);
    }
    const ptrdiff_t step = plan->rows_outside ? plan->nc : T(NR);
    const ptrdiff_t tiles = (now->i1 - now->i0 + BPCORE_TILE_ROWS - 1) / BPCORE_TILE_ROWS *
                            ((now->j1 - now->j0 + step - 1) / step);
    ahead.step = (ahead.rows + tiles - 1) / tiles;
    return ahead;
}

/* Adds the terms of a range to `rows` rows of C from i by `cols` columns from j: those
 * that are listed, or every term if `list` is NULL.  A tile's list is made with the first
 * columns of the range; the others use it. */
static void T(add_tile)(const bpcore_worker *worker, const bpcore_product *p,
                        const T(plan) *plan, const T(range) *now, T(block) *b,
                        ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j, ptrdiff_t cols,
                        bpcore_list *list) {
    b->i = i, b->j = j, b->k0 = now->k0, b->k1 = now->k1;
    if (plan->copies_A) {
        REAL *copy = (REAL *)(worker->room + plan->A_at);
        b->A = copy + (i - now->i0) * (now->k1 - now->k0), b->a_row = 1, b->a_col = rows;
    } else {
        b->A = (const REAL *)p->A + i * p->a_row + now->k0 * p->a_col;
    }
    if (plan->copies_B)
        b->B = now->panels + (j - now->j0) / T(NR) * plan->panel;
    else
        b->B = (const REAL *)p->B + now->k0 * p->b_row + j;
    /* Partial sums are stored in C, unless C is the weight to be updated: then tile by
     * tile, each with its rows one after the other. */
    if (p->finish == BPCORE_DESCEND) {
        const ptrdiff_t width = T(padded)(p->n);
        REAL *sums = (REAL *)(worker->room + plan->partial_at);
        b->partial = sums + (i - now->i0) * width + j * rows;
        b->w_row = T(NR), b->w_panel = rows * T(NR);
    } else {
        b->partial = (REAL *)p->C + i * p->c_row + j;
    }
    b->list = list;
    if (!list) {
        T(any_tile)(p, b, rows, cols);
        return;
    }
    if (j == now->j0) T(list_chains)(list, p, b);
    T(listed_tile)(p, b, cols);
}

/* Whether it pays to list the terms of a range: of a sample of them, for the tile of rows
 * in its middle, at most half are not 0. */
static int T(listing_pays)(const bpcore_product *p, const T(plan) *plan,
                           const T(range) *now) {
    enum { SAMPLE = 32 };
    const ptrdiff_t rows = now->i1 - now->i0, terms = now->k1 - now->k0;
    if (plan->chains == 0 || rows < BPCORE_TILE_ROWS) return 0;
    const ptrdiff_t i = now->i0 + rows / 2 / BPCORE_TILE_ROWS * BPCORE_TILE_ROWS;
    /* odd, since zeros are often in every other term */
    const ptrdiff_t step = terms / SAMPLE | 1;
    ptrdiff_t left = terms / step / 2;
    for (ptrdiff_t k = now->k0; k < now->k1 && left >= 0; k += step) {
        const REAL *const a = (const REAL *)p->A + i * p->a_row + k * p->a_col;
        int r = 0;
        while (r < BPCORE_TILE_ROWS && a[r * p->a_row] == 0) r++;
        left -= r < BPCORE_TILE_ROWS;
    }
    return left >= 0;
}

/* Whether the elements of B of a range are finite. */
static int T(B_is_finite)(const bpcore_product *p, const T(range) *now) {
    ptrdiff_t row = now->k0, end = now->k1, first = now->j0, last = now->j1;
    if (p->b_transposed) row = now->j0, end = now->j1, first = now->k0, last = now->k1;
    const REAL *const B = (const REAL *)p->B + first;
    while (row < end && T(all_finite)(B + row * p->b_row, last - first)) row++;
    return row == end;
}

/* Adds the terms of a range to its rows and columns; with `lists`, the listed ones. */
static void T(sweep)(const bpcore_worker *worker, const bpcore_product *p,
                     const T(plan) *plan, const T(range) *now, T(block) *b,
                     T(ahead) ahead, const int lists) {
    const ptrdiff_t step = plan->rows_outside ? plan->nc : T(NR);
    bpcore_list *const all_lists = (bpcore_list *)(worker->room + plan->lists_at);
    for (ptrdiff_t i0 = now->i0, i1; i0 < now->i1; i0 = i1) { /* loop 3: rows */
        /* the last block takes up to a tile more: its tiles are those of `copy_A` */
        i1 = now->i1 - i0 < plan->mc + BPCORE_TILE_ROWS ? now->i1 : i0 + plan->mc;
        for (ptrdiff_t j = now->j0; j < now->j1; j += step) { /* loop 2: columns */
            const ptrdiff_t cols = bpcore_min(step, now->j1 - j);
            bpcore_list *list = all_lists;
            for (ptrdiff_t i = i0, rows; i < i1; i += rows) { /* loop 1: tiles */
                rows = T(tile_height)(i1 - i);
                for (ptrdiff_t end = bpcore_min(ahead.next + ahead.step, ahead.rows);
                     ahead.next < end; ahead.next++)
                    T(prefetch)(ahead.at + ahead.next * ahead.row, ahead.length);
                T(add_tile)(worker, p, plan, now, b, i, rows, j, cols,
                            lists && rows == BPCORE_TILE_ROWS ? list : NULL);
                if (!plan->rows_outside) list += plan->chains; /* else one at a time */
            }
        }
    }
}

/* A block at the first row, column and term of a product, in place. */
static inline T(block) T(first_block)(const bpcore_product *p) {
    T(block) b = {.k1 = p->k, .A = p->A, .a_row = p->a_row, .a_col = p->a_col, .B = p->B,
                  .b_row = p->b_row, .panel = T(NR), .partial = p->C, .w_row = p->c_row,
                  .w_panel = T(NR)};
    return b;
}

/* Whether a product is one tile of rows by a small B: no blocks, no copies. */
static inline int T(is_one_tile)(const bpcore_product *p) {
    return p->m <= BPCORE_TILE_ROWS && !p->b_transposed && !T(sums_wait)(p) &&
           p->k * p->n * (ptrdiff_t)sizeof(REAL) <= T(blocks).l1 / 2;
}

/* This worker's part of the product: a range of rows or of columns, whichever has more
 * tiles. */
static void T(multiply)(const bpcore_worker *worker, const bpcore_product *p) {
    if (p->m == 0 || p->n == 0) return;
    T(block) b = T(first_block)(p);
    T(rates) rates;
    if (p->finish == BPCORE_DESCEND) rates = T(make_rates)(p->optimizer), b.rates = &rates;
    if (worker->count == 1 && T(is_one_tile)(p)) {
        T(any_tile)(p, &b, p->m, p->n);
        return;
    }
    const T(plan) plan = T(make_plan)(p);
    T(range) all = {.i1 = p->m, .j1 = p->n}, now;
    if (worker->count > 1) {
        if (p->m / BPCORE_TILE_ROWS >= p->n / T(NR))
            bpcore_worker_range(worker, p->m, BPCORE_TILE_ROWS, &all.i0, &all.i1);
        else
            bpcore_worker_range(worker, p->n, T(NR), &all.j0, &all.j1);
    }
    b.prefetches = plan.prefetches;
    if (plan.copies_B) b.b_row = T(NR), b.panel = plan.panel;
    if (plan.copies_B && p->a_col == 1) b.layout = T(COPIED_B);
    if (plan.copies_A) b.layout = T(COPIED);
    REAL *const A_copy = (REAL *)(worker->room + plan.A_at);
    for (now.i0 = all.i0; now.i0 < all.i1; now.i0 = now.i1) { /* loop 6: rows of C */
        now.i1 = bpcore_min(now.i0 + plan.rows, all.i1);
        for (now.k0 = 0; now.k0 < p->k; now.k0 = now.k1) { /* loop 5: terms */
            now.k1 = T(block_end)(now.k0, plan.kc, p->k);
            const int pays = T(listing_pays)(p, &plan, &now);
            if (plan.copies_A) T(copy_A)(p, A_copy, now.k0, now.k1, now.i0, now.i1);
            for (now.j0 = all.j0; now.j0 < all.j1; now.j0 = now.j1) { /* loop 4 */
                now.j1 = bpcore_min(now.j0 + plan.nc, all.j1);
                now.panels = (REAL *)worker->room;
                if (p->packed)
                    now.panels = T(packed_panels)(p, &plan, now.k0, now.j0);
                else if (plan.copies_B)
                    T(copy_B)(p, now.panels, plan.panel, now.k0, now.k1, now.j0, now.j1);
                T(ahead) ahead = {0};
                if (plan.reads_ahead) ahead = T(next_block)(p, &plan, &all, &now);
                T(sweep)(worker, p, &plan, &now, &b, ahead,
                         pays && T(B_is_finite)(p, &now));
            }
        }
    }
}

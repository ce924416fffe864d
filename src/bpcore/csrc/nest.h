/* The loop nest of every matrix product: C = finish(start + A @ B).
 *
 * It divides the product into register tiles and decides which parts of A and B are
 * copied first.  The order of every sum is fixed in the tile (tile.h), so no bit
 * depends on the block sizes chosen here or on the number of workers. */

/* Block sizes and copies of one product. */
typedef struct {
    int copies_B, copies_A, prefetches_B;
    ptrdiff_t mc, nc, kc; /* rows, columns and terms per block */
    ptrdiff_t panel;      /* stride between copied panels of B, in elements */
    /* Scratch memory: copies of B, of A from A_at, partial sums from partial_at;
     * bytes. */
    ptrdiff_t A_at, partial_at, bytes;
} T(plan);

/* Elements of a copied panel of B, plus a cache line, so that panels start in different
 * cache sets. */
static inline ptrdiff_t T(panel)(ptrdiff_t terms) {
    return terms * T(NR) + 64 / (ptrdiff_t)sizeof(REAL);
}

static T(plan) T(make_plan)(const bpcore_product *p) {
    const ptrdiff_t size = sizeof(REAL);
    const int descends = p->finish == BPCORE_DESCEND, over_batch = p->a_col != 1;
    T(plan) plan = {.mc = BPCORE_MC, .nc = T(NR), .kc = BPCORE_KC_IN_PLACE};
    plan.copies_B = p->b_transposed || p->m * p->b_row * size >= BPCORE_PACK_FROM ||
                    (over_batch && p->k > BPCORE_KC_DESCEND);
    if (p->m == 1 && !p->b_transposed) {
        /* With one row of A, B is used once: it is read in place, in long streams. */
        plan.copies_B = 0;
        plan.nc = p->n;
    }
    plan.copies_A = plan.copies_B && over_batch;
    plan.prefetches_B = plan.copies_B && !plan.copies_A &&
                     p->k * p->n * size >= BPCORE_FETCH_FROM;
    if (plan.copies_B) plan.kc = BPCORE_KC;
    if (descends && (!plan.copies_B || p->k <= BPCORE_KC_DESCEND)) plan.kc = p->k;
    if (plan.kc > p->k) plan.kc = p->k;
    plan.panel = T(panel)(plan.kc);
    if (over_batch) plan.mc = p->m;
    if (plan.copies_A) {
        plan.nc *= BPCORE_BLOCK / (plan.panel * size);
        if (plan.nc > p->n) plan.nc = (p->n + T(NR) - 1) / T(NR) * T(NR);
    }
    if (plan.copies_B) plan.A_at = plan.nc / T(NR) * plan.panel * size;
    plan.partial_at = plan.A_at;
    if (plan.copies_A) plan.partial_at += plan.kc * BPCORE_TILE_ROWS * size;
    plan.bytes = plan.partial_at;
    if (descends && p->k > BPCORE_CHAIN) {
        /* Partial sums of one row of tiles, or of as many as fit into a block. */
        ptrdiff_t rows = BPCORE_TILE_ROWS;
        if (plan.kc < p->k) {
            rows *= 1 + BPCORE_BLOCK / (rows * p->n * size);
            plan.mc = rows;
        }
        plan.bytes += bpcore_min(rows, p->m) * p->n * size;
    }
    return plan;
}

/* Scratch memory that suffices for every product of a layer on mini-batches of up to n
 * rows, in bytes; never less for more rows. */
static ptrdiff_t T(room)(ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out) {
    const ptrdiff_t size = sizeof(REAL), terms = bpcore_min(n, BPCORE_KC_DESCEND);
    ptrdiff_t bytes = 0;
    if (n_in * n_out * size >= BPCORE_PACK_FROM || n > BPCORE_KC_DESCEND) {
        const ptrdiff_t panels = (n_out + T(NR) - 1) / T(NR);
        bytes += bpcore_min(panels * T(panel)(terms) * size, BPCORE_BLOCK);
        bytes += terms * BPCORE_TILE_ROWS * size;
    }
    if (n > BPCORE_CHAIN) bytes += BPCORE_TILE_ROWS * n_out * size;
    if (n > BPCORE_KC_DESCEND) bytes += BPCORE_BLOCK;
    /* Forward pass and delta propagation copy one panel at a time. */
    const ptrdiff_t longest = bpcore_min(n_in > n_out ? n_in : n_out, BPCORE_KC);
    const ptrdiff_t one = T(panel)(longest) * size;
    return ((bytes > one ? bytes : one) + 63) / 64 * 64;
}

/* panels = B at terms k0 .. k1 and columns j0 .. j1 */
static void T(copy_B)(const bpcore_product *p, REAL *panels, ptrdiff_t apart,
                      ptrdiff_t k0, ptrdiff_t k1, ptrdiff_t j0, ptrdiff_t j1) {
    for (ptrdiff_t j = j0; j < j1; j += T(NR), panels += apart) {
        const ptrdiff_t cols = bpcore_min(T(NR), j1 - j);
        if (p->b_transposed)
            T(pack_transposed)(panels, p->B, p->b_row, k0, k1, j, cols);
        else
            T(pack)(panels, p->B, p->b_row, k0, k1, j, cols);
    }
}

/* Prefetches a part of the next panel of B, at term k0 and column j. */
BPCORE_INLINE void T(prefetch_B)(const bpcore_product *p, ptrdiff_t kc, ptrdiff_t k0,
                              ptrdiff_t j, ptrdiff_t part, ptrdiff_t parts) {
    const REAL *B = p->B;
    const ptrdiff_t terms = bpcore_min(kc, p->k - k0);
    const ptrdiff_t cols = bpcore_min(T(NR), p->n - j);
    if (p->b_transposed)
        T(prefetch)(B + j * p->b_row + k0, p->b_row, cols, terms, part, parts);
    else
        T(prefetch)(B + k0 * p->b_row + j, p->b_row, terms, cols, part, parts);
}

/* Adds the terms b->k0 .. b->k1 to rows i0 .. i1 by columns j0 .. j1. */
static void T(sweep)(const bpcore_worker *worker, const bpcore_product *p,
                     const T(plan) *plan, T(block) *b, ptrdiff_t i0, ptrdiff_t i1,
                     ptrdiff_t j0, ptrdiff_t j1) {
    const REAL *B_copy = (REAL *)worker->room;
    REAL *A_copy = (REAL *)(worker->room + plan->A_at);
    REAL *partial_sums = (REAL *)(worker->room + plan->partial_at);
    const int descends = p->finish == BPCORE_DESCEND;
    const ptrdiff_t step = plan->copies_B ? T(NR) : plan->nc;
    b->b_row = plan->copies_B ? T(NR) : p->b_row;
    b->w_row = descends ? p->n : p->c_row;
    for (ptrdiff_t i = i0; i < i1; i += BPCORE_TILE_ROWS) { /* loop 2: rows of A */
        const ptrdiff_t rows = bpcore_min(BPCORE_TILE_ROWS, i1 - i);
        b->i = i;
        b->A = (const REAL *)p->A + i * p->a_row + b->k0 * p->a_col;
        b->a_row = p->a_row, b->a_col = p->a_col;
        if (plan->copies_A) {
            T(pack_rows)(A_copy, p->A, p->a_col, b->k0, b->k1, i, rows);
            b->A = A_copy, b->a_row = 1, b->a_col = rows;
        }
        if (plan->prefetches_B && j1 < p->n)
            T(prefetch_B)(p, plan->kc, b->k0, j1, (i - i0) / BPCORE_TILE_ROWS,
                       (i1 - i0 + BPCORE_TILE_ROWS - 1) / BPCORE_TILE_ROWS);
        /* Partial sums are stored in C, unless C is the weight to be updated. */
        REAL *partial = (REAL *)p->C + i * p->c_row;
        if (descends) partial = partial_sums + (plan->kc < p->k ? (i - i0) * p->n : 0);
        for (ptrdiff_t j = j0; j < j1; j += step) { /* loop 1: panels of B */
            b->j = j;
            b->partial = partial + j;
            b->B = plan->copies_B ? B_copy + (j - j0) / T(NR) * plan->panel
                                  : (const REAL *)p->B + b->k0 * p->b_row + j;
            T(any_tile)(p, b, rows, bpcore_min(step, j1 - j));
        }
    }
}

/* This worker's part of the product: a range of rows or of columns, whichever has more
 * tiles. */
static void T(multiply)(const bpcore_worker *worker, const bpcore_product *p) {
    const T(plan) plan = T(make_plan)(p);
    ptrdiff_t i_from = 0, i_to = p->m, j_from = 0, j_to = p->n;
    if (worker->count > 1) {
        if (p->m / BPCORE_TILE_ROWS >= p->n / T(NR))
            bpcore_worker_range(worker, p->m, BPCORE_TILE_ROWS, &i_from, &i_to);
        else
            bpcore_worker_range(worker, p->n, T(NR), &j_from, &j_to);
    }
    T(block) b = {0};
    if (p->finish == BPCORE_DESCEND) b.rates = T(make_rates)(p->optimizer);
    for (ptrdiff_t i = i_from; i < i_to; i += plan.mc) { /* loop 5: rows of C */
        const ptrdiff_t i1 = bpcore_min(i + plan.mc, i_to);
        for (b.k0 = 0; b.k0 < p->k; b.k0 = b.k1) { /* loop 4: terms of the sums */
            b.k1 = bpcore_min(b.k0 + plan.kc, p->k);
            for (ptrdiff_t j = j_from; j < j_to; j += plan.nc) { /* loop 3: columns */
                const ptrdiff_t j1 = bpcore_min(j + plan.nc, j_to);
                if (plan.copies_B)
                    T(copy_B)(p, (REAL *)worker->room, plan.panel, b.k0, b.k1, j, j1);
                T(sweep)(worker, p, &plan, &b, i, i1, j, j1);
            }
        }
    }
}

/* The plan of a product: which parts of A and B are copied, and the sizes of the blocks.
 * It depends on the shape and on the CPU's caches (engine/blocking.py).  No bit depends
 * on it.  The thresholds were measured: docs/decisions.md. */

/* Set at import; until then, for caches of 32 and 512 KiB. */
static bpcore_blocks T(blocks) = {
    .l1 = 1 << 15, .l2 = 1 << 19, .kc = BPCORE_CHAIN, .mc = BPCORE_TILE_ROWS, .nc = T(NR),
};

enum {
    /* B is copied from so many tiles of rows on, if it is larger than half of the first-
     * level cache (twice of it for sums over the mini-batch, whose A is copied too), or
     * than the second-level cache; from 2 rows on, if it is larger than VERY_FAR of
     * those: a copy reads it in runs that are longer than a tile is wide. */
    T(COPY_B_NEAR) = 8, T(COPY_B_FAR) = 2, T(VERY_FAR) = 8,
    /* With B, A is copied from so many panels of B on: the columns of an array (rows of
     * A of which each term is in another cache line), or its rows. */
    T(COPY_A_COLUMNS) = 4, T(COPY_A_ROWS) = 16,
    /* Fewest terms of a tile that prefetches; fewer take less time than it costs. */
    T(PREFETCH_TERMS) = 8,
    /* Most bytes of copied rows of A, and of partial sums outside C. */
    T(FAR_BYTES) = 1 << 20,
    /* Of rows of A that are columns of an array, terms are listed from so many on, and
     * from so many panels of B on. */
    T(LIST_TERMS) = 48, T(LIST_PANELS) = 4,
};

typedef struct {
    int copies_B, copies_A;
    int rows_outside; /* whether a tile's rows are taken over all columns of a block */
    int prefetches;   /* whether tiles prefetch C and what the epilogue reads */
    int reads_ahead;  /* whether the next block of B is prefetched */
    ptrdiff_t rows;   /* of C: their A is copied, and their partial sums are stored */
    ptrdiff_t mc, nc, kc; /* rows, columns and terms per block */
    ptrdiff_t chains;     /* most chains of a block whose terms are listed; 0: never */
    ptrdiff_t panel;      /* stride between copied panels of B, in elements */
    /* Scratch memory: copies of B, of A from A_at, partial sums from partial_at, lists of
     * terms from lists_at; bytes. */
    ptrdiff_t A_at, partial_at, lists_at, bytes;
} T(plan);

/* Elements of a copied panel of B, plus a cache line, so that panels start in different
 * cache sets. */
static inline ptrdiff_t T(panel)(ptrdiff_t terms) {
    return terms * T(NR) + 64 / (ptrdiff_t)sizeof(REAL);
}

/* Most terms of a block: the last one takes up to a quarter more, instead of leaving
 * them to a block of their own. */
static inline ptrdiff_t T(longest)(ptrdiff_t k) {
    return bpcore_min(T(blocks).kc + T(blocks).kc / 4, k);
}
/* The end of the block of terms that begins at k0. */
static inline ptrdiff_t T(block_end)(ptrdiff_t k0, ptrdiff_t kc, ptrdiff_t k) {
    return k - k0 <= kc + kc / 4 ? k : k0 + kc;
}

/* Terms of the longest block of k terms exactly. */
static inline ptrdiff_t T(longest_block)(ptrdiff_t k) {
    const ptrdiff_t kc = T(blocks).kc;
    ptrdiff_t last = k;
    while (last > kc + kc / 4) last -= kc;
    return last < k && last < kc ? kc : last;
}

/* Scratch memory of a copy of A of so many bytes: the last vector stored may end behind
 * it. */
static inline ptrdiff_t T(A_room)(ptrdiff_t bytes) {
    return (bytes + (ptrdiff_t)sizeof(T(vec)) + 63) / 64 * 64;
}

/* Whether sums wait between two chains in scratch memory: C has the weights. */
static inline int T(sums_wait)(const bpcore_product *p) {
    return p->finish == BPCORE_DESCEND && p->k > BPCORE_CHAIN;
}

/* Columns of partial sums in scratch memory, where they are in whole tiles. */
static inline ptrdiff_t T(padded)(ptrdiff_t cols) {
    return (cols + T(NR) - 1) / T(NR) * T(NR);
}

/* Rows of which `row` bytes each fit into FAR_BYTES: whole tiles, at least one. */
static inline ptrdiff_t T(far_rows)(ptrdiff_t row) {
    const ptrdiff_t tiles = T(FAR_BYTES) / (row * BPCORE_TILE_ROWS);
    return (tiles > 1 ? tiles : 1) * BPCORE_TILE_ROWS;
}

/* Rows per block if m rows are divided into as few blocks as possible of up to `most`,
 * all of about the same size. */
static inline ptrdiff_t T(even_rows)(ptrdiff_t m, ptrdiff_t most) {
    const ptrdiff_t blocks = m > most ? (m + most - 1) / most : 1;
    const ptrdiff_t rows = (m + blocks - 1) / blocks;
    return (rows + BPCORE_TILE_ROWS - 1) / BPCORE_TILE_ROWS * BPCORE_TILE_ROWS;
}

/* Chains of so many terms, if they may be listed (list.h); else 0. */
static inline ptrdiff_t T(chains_to_list)(const bpcore_product *p, ptrdiff_t terms) {
    int may = p->m > BPCORE_TILE_ROWS && p->k * p->n >= BPCORE_SPARSE_SIZE;
    if (p->a_col != 1) may &= p->k >= T(LIST_TERMS) && p->n >= T(LIST_PANELS) * T(NR);
    return may ? (terms + BPCORE_CHAIN - 1) / BPCORE_CHAIN : 0;
}

/* Nothing is copied: B is small, or used by few rows.  If several tiles of rows use it,
 * it is read in blocks of terms that stay in a near cache. */
static T(plan) T(plan_in_place)(const bpcore_product *p, T(plan) plan) {
    const ptrdiff_t C_row = T(padded)(p->n) * (ptrdiff_t)sizeof(REAL);
    plan.rows_outside = 1;
    if (p->m > BPCORE_TILE_ROWS) plan.kc = T(sums_wait)(p) ? T(blocks).kc : 2 * T(blocks).kc;
    if (T(sums_wait)(p)) {
        plan.rows = T(even_rows)(p->m, T(far_rows)(C_row));
        plan.bytes = bpcore_min(plan.rows, p->m) * C_row;
    }
    return plan;
}

/* Fewest rows of A from which on B, in rows, is copied. */
static ptrdiff_t T(copy_from)(const bpcore_product *p) {
    const ptrdiff_t l1 = T(blocks).l1, l2 = T(blocks).l2;
    const ptrdiff_t bytes = p->k * p->n * (ptrdiff_t)sizeof(REAL);
    if (bytes <= (p->a_col == 1 ? l1 / 2 : 2 * l1)) return PTRDIFF_MAX;
    if (bytes <= l2) return T(COPY_B_NEAR) * BPCORE_TILE_ROWS;
    return bytes <= T(VERY_FAR) * l2 ? T(COPY_B_FAR) * BPCORE_TILE_ROWS : 2;
}

/* B is copied, and A where that pays. */
static T(plan) T(plan_copies)(const bpcore_product *p, T(plan) plan) {
    const bpcore_blocks *const blocks = &T(blocks);
    const ptrdiff_t size = sizeof(REAL), B_bytes = p->k * p->n * size;
    const ptrdiff_t longest = T(longest)(p->k), panels = (p->n + T(NR) - 1) / T(NR);
    plan.panel = T(panel)(p->packed ? T(longest_block)(p->k) : longest);
    const ptrdiff_t bytes = plan.panel * size; /* of a panel */
    plan.copies_A = panels >= (p->a_col == 1 ? T(COPY_A_ROWS) : T(COPY_A_COLUMNS));
    plan.reads_ahead = B_bytes > (p->packed ? blocks->l2 : blocks->l2 / 2);
    /* If all terms are in one block, C is read and written once, as one stream, with all
     * panels in half of the second-level cache.  Otherwise a panel is in the first-level
     * cache while it is multiplied by mc rows of A. */
    const int one_block = longest == p->k;
    if (!one_block) plan.kc = blocks->kc;
    plan.rows_outside = one_block && (p->finish == BPCORE_DESCEND ||
                                      panels * bytes <= blocks->l2 / 2);
    const int few = p->m < T(COPY_B_FAR) * BPCORE_TILE_ROWS;
    ptrdiff_t fit = few && p->b_transposed      ? blocks->l1 / 2
                    : few || plan.rows_outside ? blocks->l2 / 2
                                               : blocks->nc * blocks->kc * size;
    fit = bpcore_min(fit / bytes, panels);
    plan.nc = (fit > 1 ? fit : 1) * T(NR);

    ptrdiff_t row = longest * size; /* the longer of A and of partial sums, in bytes */
    const ptrdiff_t C_row = T(padded)(p->n) * size;
    if (T(sums_wait)(p) && row < C_row) row = C_row;
    plan.rows = T(even_rows)(p->m, T(far_rows)(row));
    plan.mc = bpcore_min(blocks->mc, plan.rows);

    plan.A_at = p->packed ? 0 : plan.nc / T(NR) * bytes;
    plan.partial_at = plan.A_at;
    if (plan.copies_A) plan.partial_at += T(A_room)(bpcore_min(plan.rows, p->m) * longest * size);
    plan.bytes = plan.partial_at;
    if (T(sums_wait)(p)) plan.bytes += bpcore_min(plan.rows, p->m) * C_row;
    return plan;
}

static T(plan) T(make_plan)(const bpcore_product *p) {
    T(plan) plan = {.rows = p->m, .mc = p->m, .nc = p->n, .kc = p->k};
    plan.prefetches = BPCORE_TILE_PREFETCHES && p->k >= T(PREFETCH_TERMS) &&
                      p->m * p->n * (ptrdiff_t)sizeof(REAL) > T(blocks).l1;
    plan.copies_B = p->b_transposed || p->packed || p->m >= T(copy_from)(p);
    plan = plan.copies_B ? T(plan_copies)(p, plan) : T(plan_in_place)(p, plan);
    plan.chains = T(chains_to_list)(p, bpcore_min(p->k, plan.kc + plan.kc / 4));
    if (plan.chains == 0) return plan;
    const ptrdiff_t tiles = plan.rows_outside ? 1 : plan.mc / BPCORE_TILE_ROWS + 1;
    plan.lists_at = (plan.bytes + 63) / 64 * 64;
    plan.bytes = plan.lists_at + tiles * plan.chains * (ptrdiff_t)sizeof(bpcore_list);
    return plan;
}

/* Scratch memory that suffices for a product of up to p->k terms, if it is over the
 * mini-batch, or else of up to p->m rows: never less for more. */
static ptrdiff_t T(bound)(const bpcore_product *p) {
    const ptrdiff_t size = sizeof(REAL), longest = T(longest)(p->k);
    const ptrdiff_t panels = (p->n + T(NR) - 1) / T(NR);
    const ptrdiff_t panel = T(panel)(longest) * size;
    const T(plan) plan = T(make_plan)(p);
    ptrdiff_t bytes = 0;
#define LARGER(x, y) ((x) > (y) ? (x) : (y))
    if (plan.copies_B) {
        const ptrdiff_t caches = LARGER(T(blocks).l1, T(blocks).l2) / 2;
        const ptrdiff_t block = LARGER(T(blocks).nc * T(blocks).kc * size, caches);
        bytes += bpcore_min(panels * panel, LARGER(block, panel));
    }
    const ptrdiff_t A_row = longest * size, C_row = T(padded)(p->n) * size;
    if (plan.copies_A)
        bytes += T(A_room)(
            bpcore_min(p->m * A_row, LARGER(T(FAR_BYTES), BPCORE_TILE_ROWS * A_row)));
    if (T(sums_wait)(p))
        bytes += bpcore_min(p->m * C_row, LARGER(T(FAR_BYTES), BPCORE_TILE_ROWS * C_row));
#undef LARGER
    const ptrdiff_t kc = 2 * T(blocks).kc; /* the most, of products in place */
    const ptrdiff_t chains = T(chains_to_list)(p, bpcore_min(p->k, kc + kc / 4));
    const ptrdiff_t rows = bpcore_min(T(blocks).mc, p->m + BPCORE_TILE_ROWS - 1);
    const ptrdiff_t tiles = rows / BPCORE_TILE_ROWS + 1;
    bytes = (bytes + 63) / 64 * 64 + tiles * chains * (ptrdiff_t)sizeof(bpcore_list);
    return (bytes + 63) / 64 * 64;
}

/* The packed copy of B (`pack`): panel by panel of each block of terms.  The panels of
 * the block that begins at term k0, from column j0 on: */
static inline REAL *T(packed_panels)(const bpcore_product *p, const T(plan) *plan,
                                     ptrdiff_t k0, ptrdiff_t j0) {
    const ptrdiff_t panels = (p->n + T(NR) - 1) / T(NR);
    return (REAL *)p->packed + (k0 / plan->kc * panels + j0 / T(NR)) * plan->panel;
}

/* The bytes of the plan of a product. */
static ptrdiff_t T(planned)(const bpcore_product *p) { return T(make_plan)(p).bytes; }

/* The most bytes over the products of a layer on n rows. */
static ptrdiff_t T(most_bytes)(ptrdiff_t (*bytes)(const bpcore_product *), ptrdiff_t n,
                               ptrdiff_t n_in, ptrdiff_t n_out) {
    bpcore_product products[] = {
        bpcore_affine(NULL, NULL, n, n_in, n_out),
        bpcore_delta_product(NULL, NULL, n, n_in, n_out),
        bpcore_weight_gradient(NULL, NULL, n, n_in, n_out),
        bpcore_bias_gradient(NULL, NULL, n, n_out),
        bpcore_weight_gradient(NULL, NULL, n, n_in, n_out),
        bpcore_bias_gradient(NULL, NULL, n, n_out),
        bpcore_affine(NULL, NULL, n, n_in, n_out),
    };
    ptrdiff_t most = 0;
    products[6].packed = products; /* any address */
    products[4].finish = products[5].finish = BPCORE_DESCEND;
    for (int i = 0; i < 7; i++) {
        const ptrdiff_t found = bytes(&products[i]);
        if (found > most) most = found;
    }
    return most;
}

/* Scratch memory that suffices for every product of a layer on mini-batches of up to n
 * rows, in bytes; never less for more rows. */
static ptrdiff_t T(room)(ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out) {
    return T(most_bytes)(T(bound), n, n_in, n_out);
}

/* What the products of n rows use of it.  For tests: at most `room` of n or more rows. */
static ptrdiff_t T(taken)(ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out) {
    return T(most_bytes)(T(planned), n, n_in, n_out);
}

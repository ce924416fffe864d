/* Dropout and gaussian noise for rows first .. end of a mini-batch, from counter-based
 * random bits (random.h): no bit depends on the number of workers. */

/* out = 0 with probability p, else x / (1 - p);  out may be x.  The same key drops the
 * same elements. */
static void T(drop_rows)(REAL *out, const REAL *x, uint64_t key, double p,
                         ptrdiff_t width, ptrdiff_t first, ptrdiff_t end) {
    const uint32_t threshold = (uint32_t)(p * 4294967296.0);
    const REAL scale = (REAL)(1 / (1 - p));
    for (ptrdiff_t i = first; i < end; i++) {
        const uint64_t row = bpcore_key(key, (uint64_t)i);
        REAL *const to = out + i * width;
        const REAL *const from = x + i * width;
        for (ptrdiff_t j = 0; j < width; j++)
            to[j] = bpcore_bits(row, (uint32_t)j) < threshold ? 0 : from[j] * scale;
    }
}

TERM(quantile_term, T(normal_quantile)(x, y))
TERM(x_plus_c_times_y, T(fma)(y, c, x))

/* out = x + scale times standard normal numbers;  out may be x. */
static void T(add_noise_rows)(REAL *out, const REAL *x, uint64_t key, double scale,
                              ptrdiff_t width, ptrdiff_t first, ptrdiff_t end) {
    enum { AT_A_TIME = 256 };
    REAL q[AT_A_TIME], rest[AT_A_TIME];
    for (ptrdiff_t i = first; i < end; i++) {
        const uint64_t row = bpcore_key(key, (uint64_t)i);
        for (ptrdiff_t j = 0; j < width; j += AT_A_TIME) {
            const ptrdiff_t count = bpcore_min(AT_A_TIME, width - j);
            const ptrdiff_t at = i * width + j;
            for (ptrdiff_t r = 0; r < count; r++) {
                /* q = (bits + 1/2) / 2^32 and 1/2 - |q|, the latter without
                 * cancellation */
                const int32_t bits = (int32_t)bpcore_bits(row, (uint32_t)(j + r));
                const int32_t beyond = INT32_MAX - (bits < 0 ? ~bits : bits);
                q[r] = ((REAL)bits + (REAL)0.5) * (REAL)0x1p-32;
                rest[r] = ((REAL)beyond + (REAL)0.5) * (REAL)0x1p-32;
            }
            T(combine)(T(quantile_term), q, q, rest, 0, count);
            T(combine)(T(x_plus_c_times_y), out + at, x + at, q, (REAL)scale, count);
        }
    }
}
#undef TERM

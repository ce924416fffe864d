"""Sums, softmax, layer norm and products of a row as C.

The order of the sums is that of ``csrc/rows.h``, ``normalise.h`` and ``tile.h``.
"""

from __future__ import annotations

from bpcore.files.c.function import Function

#: By name.
ROWS: dict[str, Function] = {
    "row_sum": Function(
        (),
        """
/* The sum of x[i] y[i], or of x[i] if y is 0: SUMS sums, then added in halves. */
static inline REAL NAME_row_sum(const REAL *x, const REAL *y, int32_t n) {
    REAL sum[SUMS] = {0};
    for (int32_t i = 0; i < n; i++) sum[i % SUMS] += y ? x[i] * y[i] : x[i];
    for (int half = SUMS / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) sum[i] += sum[i + half];
    return sum[0];
}
""",
    ),
    "softmax": Function(
        ("exp", "row_sum"),
        """
/* z = exp(z - max z) / sum exp(z - max z) */
static inline void NAME_softmax(REAL *z, int32_t n) {
    REAL highest = z[0];
    for (int32_t i = 1; i < n; i++) highest = z[i] > highest ? z[i] : highest;
    for (int32_t i = 0; i < n; i++)
        z[i] = NAME_exp(z[i] == highest ? 0 : z[i] - highest);
    const REAL inverse = 1 / NAME_row_sum(z, 0, n);
    for (int32_t i = 0; i < n; i++) z[i] *= inverse;
}
""",
    ),
    "layer_norm": Function(
        ("abs", "bits", "from_bits", "row_sum", "sqrt"),
        """
/* u = gain (u - mean) / sqrt(variance + 1e-5) + shift;  u is multiplied by a power of
 * two first if its squares would overflow. */
static inline void NAME_layer_norm(REAL *u, const REAL *gain, const REAL *shift,
                                   int32_t n) {
    REAL most = 0, c = 1;
    for (int32_t i = 0; i < n; i++)
        most = NAME_abs(u[i]) > most ? NAME_abs(u[i]) : most;
    if (most > FAR && NAME_bits(most) != INFINITE)
        c = 1 / (NAME_from_bits(NAME_bits(most) & INFINITE) * 0.25r);
    for (int32_t i = 0; i < n; i++) u[i] *= c;
    const REAL mean = NAME_row_sum(u, 0, n) / (REAL)n;
    for (int32_t i = 0; i < n; i++) u[i] -= mean;
    const REAL variance = NAME_row_sum(u, u, n) / (REAL)n;
    const REAL inverse = 1 / NAME_sqrt(variance + c * c * 1e-5r);
    for (int32_t i = 0; i < n; i++) {
        u[i] *= inverse;
        u[i] *= gain[i];
        u[i] += shift[i];
    }
}
""",
    ),
    "dense": Function(
        (),
        """
/* z[j] = b[j] + sum over k of a[k] W[j][k], b = 0 for zeros: fused multiply-adds in
 * order of k, in chains of 256, whose sums are added. */
static inline void NAME_dense(const REAL *a, int32_t n_in, const REAL *W,
                              const REAL *b, int32_t n_out, REAL *z) {
    for (int32_t j = 0; j < n_out; j++, W += n_in) {
        REAL total = b ? b[j] : 0;
        for (int32_t k = 0; k < n_in;) {
            const int32_t end = n_in - k > 256 ? k + 256 : n_in, first = k == 0;
            REAL sum = first ? total : 0;
            for (; k < end; k++) sum = FMA(a[k], W[k], sum);
            total = first ? sum : sum + total;
        }
        z[j] = total;
    }
}
""",
    ),
    "dense_int8": Function(
        (),
        """
/* The same with weights of 8 bits: a weight is W[j][k] scale[j], rounded. */
static inline void NAME_dense_int8(const REAL *a, int32_t n_in, const int8_t *W,
                                   const REAL *scale, const REAL *b, int32_t n_out,
                                   REAL *z) {
    for (int32_t j = 0; j < n_out; j++, W += n_in) {
        REAL total = b ? b[j] : 0;
        for (int32_t k = 0; k < n_in;) {
            const int32_t end = n_in - k > 256 ? k + 256 : n_in, first = k == 0;
            REAL sum = first ? total : 0;
            for (; k < end; k++) sum = FMA(a[k], (REAL)W[k] * scale[j], sum);
            total = first ? sum : sum + total;
        }
        z[j] = total;
    }
}
""",
    ),
}

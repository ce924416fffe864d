/* Norms of numbers whose squares overflow or underflow in their dtype: the numbers are
 * first scaled by a power of two.  Norms that need no scale keep their bits. */

#ifndef BPCORE_NORMS_H
#define BPCORE_NORMS_H

#include <math.h>
#include <stddef.h>

/* Whether a sum of squares needs no scale: it is finite, and so large that terms lost
 * to underflow do not matter: those above 2^-26 (float32) of it are normal numbers. */
static inline int bpcore_squares_fit(double sum, size_t itemsize) {
    return sum >= (itemsize == 4 ? 0x1p-100 : 0x1p-960) && sum <= 0x1.fffffffffffffp+1023;
}

/* e such that `largest` / 2^e is about 1; 2^e and 2^-e are normal numbers of the dtype.
 * 0 if `largest` is 0, infinite or NaN. */
static inline int bpcore_exponent(double largest, size_t itemsize) {
    const int most = itemsize == 4 ? 126 : 1022;
    int e = 0;
    if (largest > 0 && largest <= 0x1.fffffffffffffp+1023) frexp(largest, &e);
    return e > most ? most : e < -most ? -most : e;
}

#endif

/* Norms of numbers whose squares overflow or vanish in their dtype: the numbers are
 * first scaled by a power of two, which changes no bit of what fits unscaled. */

#ifndef BPCORE_NORMS_H
#define BPCORE_NORMS_H

#include <math.h>
#include <stddef.h>

/* Whether a sum of squares of numbers of so many bytes has lost none that matter: it is
 * finite, and its terms are normal numbers down to 2^-26 (float32) of it. */
static inline int bpcore_squares_fit(double sum, size_t itemsize) {
    return sum >= (itemsize == 4 ? 0x1p-100 : 0x1p-960) && sum <= 0x1.fffffffffffffp+1023;
}

/* e such that what is at most `largest` is at most about 1 times 2^e; 2^e and 2^-e are
 * normal numbers of the dtype.  0 where that is 0, infinite or NaN. */
static inline int bpcore_exponent(double largest, size_t itemsize) {
    const int most = itemsize == 4 ? 126 : 1022;
    int e = 0;
    if (largest > 0 && largest <= 0x1.fffffffffffffp+1023) frexp(largest, &e);
    return e > most ? most : e < -most ? -most : e;
}

#endif

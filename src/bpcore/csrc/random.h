/* Counter-based random bits: those of element (i, j) of a mini-batch are a function of
 * the stream's key, the row and the column, not of the order of evaluation. */

#ifndef BPCORE_RANDOM_H
#define BPCORE_RANDOM_H

#include <stdint.h>

/* The finisher of SplitMix64 (Steele, Lea and Flood 2014). */
static inline uint64_t bpcore_mix64(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The key of item i of the stream `key`. */
static inline uint64_t bpcore_key(uint64_t key, uint64_t i) {
    return bpcore_mix64(key + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* A 32-bit mixing function with low bias (Wellons 2018). */
static inline uint32_t bpcore_mix32(uint32_t x) {
    x = (x ^ (x >> 16)) * UINT32_C(0x7feb352d);
    x = (x ^ (x >> 15)) * UINT32_C(0x846ca68b);
    return x ^ (x >> 16);
}

/* 32 random bits for item i of the stream `key`. */
static inline uint32_t bpcore_bits(uint64_t key, uint32_t i) {
    return bpcore_mix32(bpcore_mix32(i + (uint32_t)key) ^ (uint32_t)(key >> 32));
}

#endif

/* Random bits by place rather than in turn: element (i, j) of a mini-batch has those of
 * its stream's key, its row and its column, whoever computes them and when. */

#ifndef BPCORE_RANDOM_H
#define BPCORE_RANDOM_H

#include <stdint.h>

/* The finisher of SplitMix64 (Steele, Lea and Flood 2014). */
static inline uint64_t bpcore_mix64(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* A key of its own for item i of the stream `key`. */
static inline uint64_t bpcore_key(uint64_t key, uint64_t i) {
    return bpcore_mix64(key + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* A mixer of 32 bits of low bias (Wellons 2018). */
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

/* Atomic operations on words that threads share.  GCC and Clang have the memory orders
 * of C11; MSVC's operations are sequentially consistent, whatever is asked for. */

#ifndef BPCORE_ATOMICS_H
#define BPCORE_ATOMICS_H

#include <stddef.h>

#include "compiler.h"

#if defined(BPCORE_GNU_C)
#define BPCORE_RELAXED __ATOMIC_RELAXED
#define BPCORE_ACQUIRE __ATOMIC_ACQUIRE
#define BPCORE_RELEASE __ATOMIC_RELEASE
#define BPCORE_ACQ_REL __ATOMIC_ACQ_REL
#define BPCORE_SEQ_CST __ATOMIC_SEQ_CST

BPCORE_INLINE size_t bpcore_load(const size_t *word, int order) {
    return __atomic_load_n(word, order);
}
BPCORE_INLINE void bpcore_store(size_t *word, size_t value, int order) {
    __atomic_store_n(word, value, order);
}
/* Adds, and returns the sum. */
BPCORE_INLINE size_t bpcore_add(size_t *word, size_t change, int order) {
    return __atomic_add_fetch(word, change, order);
}
/* Replaces `old` by `value`, with the order given if the word is `old`; returns whether
 * it was. */
BPCORE_INLINE int bpcore_replace(size_t *word, size_t old, size_t value, int order) {
    return __atomic_compare_exchange_n(word, &old, value, 0, order, __ATOMIC_RELAXED);
}
BPCORE_INLINE void bpcore_fence(int order) { __atomic_thread_fence(order); }
#else
#include <intrin.h>
#if defined(_WIN64)
typedef __int64 bpcore_word;
#define BPCORE_INTERLOCKED(operation) _Interlocked##operation##64
#else
typedef long bpcore_word;
#define BPCORE_INTERLOCKED(operation) _Interlocked##operation
#endif
enum { BPCORE_RELAXED, BPCORE_ACQUIRE, BPCORE_RELEASE, BPCORE_ACQ_REL, BPCORE_SEQ_CST };

static inline size_t bpcore_add(size_t *word, size_t change, int order) {
    volatile bpcore_word *const at = (volatile bpcore_word *)word;
    (void)order;
    return (size_t)BPCORE_INTERLOCKED(ExchangeAdd)(at, (bpcore_word)change) + change;
}
static inline size_t bpcore_load(const size_t *word, int order) {
    return bpcore_add((size_t *)word, 0, order);
}
static inline void bpcore_store(size_t *word, size_t value, int order) {
    volatile bpcore_word *const at = (volatile bpcore_word *)word;
    (void)order;
    BPCORE_INTERLOCKED(Exchange)(at, (bpcore_word)value);
}
static inline int bpcore_replace(size_t *word, size_t old, size_t value, int order) {
    volatile bpcore_word *const at = (volatile bpcore_word *)word;
    (void)order;
    return BPCORE_INTERLOCKED(CompareExchange)(at, (bpcore_word)value,
                                               (bpcore_word)old) == (bpcore_word)old;
}
/* The operations above are fences themselves. */
static inline void bpcore_fence(int order) { (void)order; }
#undef BPCORE_INTERLOCKED
#endif

#endif

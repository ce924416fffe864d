/* Two counts of loans, both safe without the GIL: of those that are not returned yet,
 * and of all that were ever made. */

#ifndef BPCORE_LOANS_H
#define BPCORE_LOANS_H

#if defined(_MSC_VER)
#include <intrin.h>
#endif

typedef struct {
    long open, made;
} bpcore_loans;

#if defined(_MSC_VER)
static inline long bpcore_add_to(long *count, long change) {
    return _InterlockedExchangeAdd(count, change) + change;
}
#else
static inline long bpcore_add_to(long *count, long change) {
    return __atomic_add_fetch(count, change, __ATOMIC_SEQ_CST);
}
#endif

static inline void bpcore_lend(bpcore_loans *loans) {
    bpcore_add_to(&loans->open, 1);
    bpcore_add_to(&loans->made, 1);
}
static inline void bpcore_return(bpcore_loans *loans) { bpcore_add_to(&loans->open, -1); }

static inline long bpcore_count(const long *count) {
#if defined(_MSC_VER)
    return *(const volatile long *)count;
#else
    return __atomic_load_n(count, __ATOMIC_SEQ_CST);
#endif
}

/* Whether none is open, and none was made meanwhile; `made` is set to the number of loans
 * so far. */
static inline int bpcore_none_open(const bpcore_loans *loans, long *made) {
    *made = bpcore_count(&loans->made);
    return bpcore_count(&loans->open) == 0 && bpcore_count(&loans->made) == *made;
}

#endif

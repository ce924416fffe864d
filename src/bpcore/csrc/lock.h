/* A lock that is refused, not waited for: it holds its owner thread and how often that
 * has entered.  Entering is one compare-and-swap, with and without Python's GIL. */

#ifndef BPCORE_LOCK_H
#define BPCORE_LOCK_H

#include <stdint.h>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

typedef struct {
    uintptr_t owner; /* its thread's number, 0 while it is free */
    int depth;       /* read and written by the owner only */
} bpcore_lock;

#if defined(_MSC_VER)
static inline uintptr_t bpcore_owner(bpcore_lock *lock) {
    return *(volatile uintptr_t *)&lock->owner;
}
static inline int bpcore_acquire(bpcore_lock *lock, uintptr_t thread) {
    return !_InterlockedCompareExchangePointer((void *volatile *)&lock->owner,
                                               (void *)thread, NULL);
}
static inline void bpcore_release(bpcore_lock *lock) {
    _InterlockedExchangePointer((void *volatile *)&lock->owner, NULL);
}
#else
static inline uintptr_t bpcore_owner(bpcore_lock *lock) {
    return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);
}
static inline int bpcore_acquire(bpcore_lock *lock, uintptr_t thread) {
    uintptr_t nobody = 0;
    return __atomic_compare_exchange_n(&lock->owner, &nobody, thread, 0,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static inline void bpcore_release(bpcore_lock *lock) {
    __atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
}
#endif

/* Whether the thread has entered: it may, again and again, until it has left as often;
 * any other may not. */
static inline int bpcore_enter(bpcore_lock *lock, uintptr_t thread) {
    if (bpcore_owner(lock) != thread && !bpcore_acquire(lock, thread)) return 0;
    lock->depth++;
    return 1;
}

static inline void bpcore_leave(bpcore_lock *lock) {
    if (--lock->depth == 0) bpcore_release(lock);
}

#endif

/* Non-blocking reentrant lock: its owner thread and how often that has entered.
 * Entering fails instead of waiting, and is one compare-and-swap, so that it needs no
 * GIL. */

#ifndef BPCORE_LOCK_H
#define BPCORE_LOCK_H

#include <stdint.h>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

typedef struct {
    uintptr_t owner; /* number of the owner thread, 0 if the lock is free */
    int depth;       /* entries so far; read and written by the owner only */
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
    uintptr_t unowned = 0;
    return __atomic_compare_exchange_n(&lock->owner, &unowned, thread, 0,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static inline void bpcore_release(bpcore_lock *lock) {
    __atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
}
#endif

/* Enters, and returns 1; returns 0 if another thread is the owner.  The owner may enter
 * again; the lock is free once it has left as often as it entered. */
static inline int bpcore_enter(bpcore_lock *lock, uintptr_t thread) {
    if (bpcore_owner(lock) != thread && !bpcore_acquire(lock, thread)) return 0;
    lock->depth++;
    return 1;
}

static inline void bpcore_leave(bpcore_lock *lock) {
    if (--lock->depth == 0) bpcore_release(lock);
}

#endif

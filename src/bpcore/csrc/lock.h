/* Non-blocking reentrant lock: its owner thread and how often that has entered.
 * Entering fails instead of waiting, and is one compare-and-swap, so that it needs no
 * GIL. */

#ifndef BPCORE_LOCK_H
#define BPCORE_LOCK_H

#include "atomics.h"
#include "threads.h"

typedef struct {
    size_t owner; /* number of the owner thread, 0 if the lock is free */
    int depth;    /* entries so far; read and written by the owner only */
    int forks;    /* those of the process when it was last entered */
} bpcore_lock;

/* Forks between the first process and this one. */
static int bpcore_forks = 0;

static void bpcore_count_fork(void) { bpcore_forks++; }
static void bpcore_init_locks(void) { bpcore_call_after_fork(bpcore_count_fork); }

/* Enters, and returns 1; returns 0 if another thread is the owner.  The owner may enter
 * again; the lock is free once it has left as often as it entered. */
static inline int bpcore_enter(bpcore_lock *lock, size_t thread) {
    if (lock->forks != bpcore_forks) { /* a child has only the thread that forked */
        if (lock->owner != thread) lock->owner = 0, lock->depth = 0;
        lock->forks = bpcore_forks;
    }
    if (bpcore_load(&lock->owner, BPCORE_RELAXED) != thread &&
        !bpcore_replace(&lock->owner, 0, thread, BPCORE_ACQUIRE))
        return 0;
    lock->depth++;
    return 1;
}

static inline void bpcore_leave(bpcore_lock *lock) {
    if (--lock->depth == 0) bpcore_store(&lock->owner, 0, BPCORE_RELEASE);
}

#endif

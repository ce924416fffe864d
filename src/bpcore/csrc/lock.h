/* Non-blocking reentrant lock: its owner thread and how often that has entered.
 * Entering fails instead of waiting, and is one compare-and-swap, so that it needs no
 * GIL.
 *
 * An owner that will change what the lock guards says so first.  So other threads may
 * read it without the lock beside an owner that only reads: what they read is whole if
 * `changes` is even before, and the same after.
 *
 * A child process has only the thread that forked.  All locks are in a list, so that
 * those of other threads are free in the child. */

#ifndef BPCORE_LOCK_H
#define BPCORE_LOCK_H

#include "atomics.h"
#include "threads.h"

typedef struct bpcore_lock {
    size_t owner;  /* number of the owner thread, 0 if the lock is free */
    size_t changes; /* odd from the first change to when the lock is free again */
    int depth;     /* entries so far; read and written by the owner only */
    int abandoned; /* in a child process: its owner thread does not exist here */
    struct bpcore_lock *next, **link; /* in the list; what refers to this one */
} bpcore_lock;

#if defined(BPCORE_FORKS)
static struct {
    bpcore_mutex mutex;
    bpcore_lock *first;
} bpcore_locks;

static inline void bpcore_add_lock(bpcore_lock *lock) {
    bpcore_mutex_lock(&bpcore_locks.mutex);
    lock->next = bpcore_locks.first;
    lock->link = &bpcore_locks.first;
    if (lock->next) lock->next->link = &lock->next;
    bpcore_locks.first = lock;
    bpcore_mutex_unlock(&bpcore_locks.mutex);
}

static inline void bpcore_remove_lock(bpcore_lock *lock) {
    if (!lock->link) return; /* never added */
    bpcore_mutex_lock(&bpcore_locks.mutex);
    *lock->link = lock->next;
    if (lock->next) lock->next->link = lock->link;
    bpcore_mutex_unlock(&bpcore_locks.mutex);
}

/* Around a fork the list is locked, so that the child's is whole. */
static inline void bpcore_hold_locks(void) { bpcore_mutex_lock(&bpcore_locks.mutex); }
static inline void bpcore_release_locks(void) { bpcore_mutex_unlock(&bpcore_locks.mutex); }

static inline void bpcore_free_locks(void) {
    bpcore_mutex_init(&bpcore_locks.mutex);
    for (bpcore_lock *lock = bpcore_locks.first; lock; lock = lock->next)
        if (lock->owner && lock->owner != bpcore_this_thread()) {
            lock->owner = 0, lock->depth = 0, lock->abandoned = 1;
            lock->changes += lock->changes & 1;
        }
}

static inline void bpcore_init_locks(void) {
    bpcore_mutex_init(&bpcore_locks.mutex);
    bpcore_call_around_fork(bpcore_hold_locks, bpcore_release_locks, bpcore_free_locks);
}
#else
static inline void bpcore_add_lock(bpcore_lock *lock) { (void)lock; }
static inline void bpcore_remove_lock(bpcore_lock *lock) { (void)lock; }
static inline void bpcore_init_locks(void) {}
#endif

/* Enters, and returns 1; returns 0 if another thread is the owner.  The owner may enter
 * again; the lock is free once it has left as often as it entered. */
static inline int bpcore_enter(bpcore_lock *lock, size_t thread) {
    if (bpcore_load(&lock->owner, BPCORE_RELAXED) != thread &&
        !bpcore_replace(&lock->owner, 0, thread, BPCORE_ACQUIRE))
        return 0;
    lock->depth++;
    return 1;
}

static inline void bpcore_leave(bpcore_lock *lock) {
    if (--lock->depth) return;
    if (lock->changes & 1)
        bpcore_store(&lock->changes, lock->changes + 1, BPCORE_RELEASE);
    bpcore_store(&lock->owner, 0, BPCORE_RELEASE);
}

/* The owner will change what the lock guards. */
static inline void bpcore_begin_changes(bpcore_lock *lock) {
    if (lock->changes & 1) return;
    bpcore_store(&lock->changes, lock->changes + 1, BPCORE_RELAXED);
    bpcore_fence(BPCORE_RELEASE); /* before the changes */
}

/* Whether this thread is the owner. */
static inline int bpcore_owns(const bpcore_lock *lock, size_t thread) {
    return bpcore_load(&lock->owner, BPCORE_RELAXED) == thread;
}

/* Changes so far, before a thread reads without the lock; odd if it must not. */
static inline size_t bpcore_changes(const bpcore_lock *lock) {
    return bpcore_load(&lock->changes, BPCORE_ACQUIRE);
}

/* Whether nothing was changed since then. */
static inline int bpcore_unchanged(const bpcore_lock *lock, size_t changes) {
    bpcore_fence(BPCORE_ACQUIRE); /* after all that was read */
    return bpcore_load(&lock->changes, BPCORE_RELAXED) == changes;
}

#endif

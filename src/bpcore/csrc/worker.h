/* A worker: one of the threads that run the same kernel at the same time, each on its
 * own tiles, rows or elements.  No bit depends on the number of workers. */

#ifndef BPCORE_WORKER_H
#define BPCORE_WORKER_H

#include <stddef.h>

#include "atomics.h"
#include "clock.h"
#include "threads.h"

/* Barrier: every worker of a task waits here until all have arrived. */
typedef struct {
    size_t arrived, round, sleepers;
#if defined(BPCORE_THREADS)
    bpcore_mutex lock; /* for the fields below */
    bpcore_condition released;
    double slept; /* seconds, summed over workers */
#endif
} bpcore_barrier;

typedef struct {
    int index, count;  /* this is worker `index` of `count` */
    char *room;        /* its scratch memory: 64-byte aligned */
    bpcore_barrier *barrier; /* not used if count is 1 */
} bpcore_worker;

static inline ptrdiff_t bpcore_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* This worker's range, from .. to, of `size` items that are divided in units. */
static inline void bpcore_worker_range(const bpcore_worker *worker, ptrdiff_t size,
                                ptrdiff_t unit, ptrdiff_t *from, ptrdiff_t *to) {
    *from = 0, *to = size;
    if (worker->count == 1) return; /* a division takes longer than a small kernel */
    const ptrdiff_t units = (size + unit - 1) / unit;
    *from = bpcore_min(worker->index * units / worker->count * unit, size);
    *to = bpcore_min((worker->index + 1) * units / worker->count * unit, size);
}

#if defined(BPCORE_THREADS)
/* Iterations of spinning before a worker sleeps: about 20 microseconds. */
#define BPCORE_SPINS 1024

/* Sleeps until the round is over: another program uses the core of a worker. */
static void bpcore_sleep(bpcore_barrier *barrier, size_t round) {
    const double start = bpcore_seconds();
    bpcore_mutex_lock(&barrier->lock);
    bpcore_add(&barrier->sleepers, 1, BPCORE_SEQ_CST);
    while (bpcore_load(&barrier->round, BPCORE_SEQ_CST) == round)
        bpcore_condition_wait(&barrier->released, &barrier->lock);
    bpcore_add(&barrier->sleepers, (size_t)-1, BPCORE_SEQ_CST);
    barrier->slept += bpcore_seconds() - start;
    bpcore_mutex_unlock(&barrier->lock);
}
#endif

/* Waits until every worker of the task has arrived.  A step has a barrier every few
 * microseconds, so a worker spins before it sleeps. */
static inline void bpcore_barrier_wait(const bpcore_worker *worker) {
#if defined(BPCORE_THREADS)
    if (worker->count == 1) return;
    bpcore_barrier *barrier = worker->barrier;
    const size_t round = bpcore_load(&barrier->round, BPCORE_RELAXED);
    if (bpcore_add(&barrier->arrived, 1, BPCORE_ACQ_REL) == (size_t)worker->count) {
        bpcore_store(&barrier->arrived, 0, BPCORE_RELAXED);
        bpcore_store(&barrier->round, round + 1, BPCORE_SEQ_CST);
        if (bpcore_load(&barrier->sleepers, BPCORE_SEQ_CST)) {
            bpcore_mutex_lock(&barrier->lock);
            bpcore_condition_wake_all(&barrier->released);
            bpcore_mutex_unlock(&barrier->lock);
        }
        return;
    }
    for (int spins = 0; spins < BPCORE_SPINS; spins++) {
        if (bpcore_load(&barrier->round, BPCORE_ACQUIRE) != round) return;
        bpcore_pause();
    }
    bpcore_sleep(barrier, round);
#else
    (void)worker;
#endif
}

#endif

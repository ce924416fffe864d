/* A worker: one of the threads that run the same kernel at the same time, each on its
 * own tiles, rows or elements.  No bit depends on the number of workers. */

#ifndef BPCORE_WORKER_H
#define BPCORE_WORKER_H

#include <stddef.h>

#include "clock.h"

#if defined(__GNUC__) && !defined(_WIN32)
#define BPCORE_THREADS
#include <pthread.h>
#endif

/* Barrier: every worker of a task waits here until all have arrived. */
typedef struct {
    int arrived;
    unsigned round;
#if defined(BPCORE_THREADS)
    int sleepers;
    pthread_mutex_t lock; /* for the fields below */
    pthread_cond_t released;
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
static void bpcore_sleep(bpcore_barrier *barrier, unsigned round) {
    const double start = bpcore_seconds();
    pthread_mutex_lock(&barrier->lock);
    __atomic_add_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&barrier->round, __ATOMIC_SEQ_CST) == round)
        pthread_cond_wait(&barrier->released, &barrier->lock);
    __atomic_sub_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
    barrier->slept += bpcore_seconds() - start;
    pthread_mutex_unlock(&barrier->lock);
}
#endif

/* Waits until every worker of the task has arrived.  A step has a barrier every few
 * microseconds, so a worker spins before it sleeps. */
static inline void bpcore_barrier_wait(const bpcore_worker *worker) {
#if defined(BPCORE_THREADS)
    if (worker->count == 1) return;
    bpcore_barrier *barrier = worker->barrier;
    const unsigned round = __atomic_load_n(&barrier->round, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == worker->count) {
        __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&barrier->round, round + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&barrier->sleepers, __ATOMIC_SEQ_CST)) {
            pthread_mutex_lock(&barrier->lock);
            pthread_cond_broadcast(&barrier->released);
            pthread_mutex_unlock(&barrier->lock);
        }
        return;
    }
    for (int spins = 0; spins < BPCORE_SPINS; spins++) {
        if (__atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE) != round) return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("isb");
#endif
    }
    bpcore_sleep(barrier, round);
#else
    (void)worker;
#endif
}

#endif

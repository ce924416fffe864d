/* A worker: one of the threads that run the same kernel at the same time, each on
 * tiles, rows or elements of its own.  No bit depends on how many there are. */

#ifndef BPCORE_WORKER_H
#define BPCORE_WORKER_H

#include <stddef.h>

#include "clock.h"

#if defined(__GNUC__) && !defined(_WIN32)
#define BPCORE_THREADS
#include <pthread.h>
#endif

/* Where the workers of one task wait for each other. */
typedef struct {
    int arrived;
    unsigned round;
#if defined(BPCORE_THREADS)
    int sleepers;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t opened;
    double slept; /* seconds, by all workers together */
#endif
} bpcore_gate;

typedef struct {
    int index, count;  /* this is worker `index` of `count` */
    char *room;        /* its own, for copies: 64-byte aligned */
    bpcore_gate *gate; /* theirs; not used where count is 1 */
} bpcore_worker;

static inline ptrdiff_t bpcore_least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* This worker's part, from .. to, of `size` things that are dealt out by `unit`s. */
static inline void bpcore_share(const bpcore_worker *worker, ptrdiff_t size,
                                ptrdiff_t unit, ptrdiff_t *from, ptrdiff_t *to) {
    const ptrdiff_t units = (size + unit - 1) / unit;
    *from = bpcore_least(worker->index * units / worker->count * unit, size);
    *to = bpcore_least((worker->index + 1) * units / worker->count * unit, size);
}

#if defined(BPCORE_THREADS)
/* Looks at the gate, about 20 microseconds, before a worker sleeps. */
#define BPCORE_SPINS 1024

/* Sleep until the round is over: another program has the core of a worker. */
static void bpcore_sleep(bpcore_gate *gate, unsigned round) {
    const double start = bpcore_seconds();
    pthread_mutex_lock(&gate->lock);
    __atomic_add_fetch(&gate->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&gate->round, __ATOMIC_SEQ_CST) == round)
        pthread_cond_wait(&gate->opened, &gate->lock);
    __atomic_sub_fetch(&gate->sleepers, 1, __ATOMIC_SEQ_CST);
    gate->slept += bpcore_seconds() - start;
    pthread_mutex_unlock(&gate->lock);
}
#endif

/* Wait until every worker of the task is here.  A step meets every few microseconds, so
 * a worker spins first. */
static inline void bpcore_meet(const bpcore_worker *worker) {
#if defined(BPCORE_THREADS)
    if (worker->count == 1) return;
    bpcore_gate *gate = worker->gate;
    const unsigned round = __atomic_load_n(&gate->round, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&gate->arrived, 1, __ATOMIC_ACQ_REL) == worker->count) {
        __atomic_store_n(&gate->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&gate->round, round + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&gate->sleepers, __ATOMIC_SEQ_CST)) {
            pthread_mutex_lock(&gate->lock);
            pthread_cond_broadcast(&gate->opened);
            pthread_mutex_unlock(&gate->lock);
        }
        return;
    }
    for (int spins = 0; spins < BPCORE_SPINS; spins++) {
        if (__atomic_load_n(&gate->round, __ATOMIC_ACQUIRE) != round) return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("isb");
#endif
    }
    bpcore_sleep(gate, round);
#else
    (void)worker;
#endif
}

#endif

/* A worker: one of the threads that run the same kernel at the same time, each on
 * tiles, rows or elements of its own.  No bit depends on how many there are. */

#ifndef BPCORE_WORKER_H
#define BPCORE_WORKER_H

#include <stddef.h>

#if defined(__GNUC__)
#include <sched.h>
#endif

/* Where the workers of one task wait for each other. */
typedef struct {
    int arrived;
    unsigned round;
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

/* Looks at the gate, a tenth of a millisecond or so, before others get the core. */
#define BPCORE_SPINS 4096

/* Wait until every worker of the task is here.  A step meets every few microseconds, so
 * this spins; a thread whose partner lost its core lets others have this one. */
static inline void bpcore_meet(const bpcore_worker *worker) {
#if defined(__GNUC__)
    if (worker->count == 1) return;
    bpcore_gate *gate = worker->gate;
    const unsigned round = __atomic_load_n(&gate->round, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&gate->arrived, 1, __ATOMIC_ACQ_REL) == worker->count) {
        __atomic_store_n(&gate->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&gate->round, round + 1, __ATOMIC_RELEASE);
        return;
    }
    int spins = 0;
    while (__atomic_load_n(&gate->round, __ATOMIC_ACQUIRE) == round)
        if (spins < BPCORE_SPINS) {
            spins++;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        } else {
            sched_yield();
        }
#else
    (void)worker;
#endif
}

#endif

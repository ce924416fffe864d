/* The thread team: threads of this process that sleep until there is a task, then run
 * it together with the calling thread.
 *
 * Threads are started when first needed.  The team runs one task at a time.  A caller
 * runs its task alone if the team is busy, or for some time after the team has gained
 * nothing because other programs use the cores.  Before a fork the threads end, unless
 * there is a task: a process of one thread forks safely, and Python warns of others.
 * After it both processes start threads again when they need them; a task that forked
 * goes on alone in the child.  Where there are no threads every task is run alone. */

#ifndef BPCORE_TEAM_H
#define BPCORE_TEAM_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arithmetic.h"
#include "worker.h"

/* One worker's part of a task; all its workers reach the same barriers. */
typedef void (*bpcore_job)(void *task, const bpcore_worker *worker);

static void bpcore_run_alone(char *rooms, bpcore_job job, void *task) {
    const bpcore_worker worker = {.count = 1, .room = rooms};
    job(task, &worker);
}

#if defined(BPCORE_THREADS)
/* `busy` is held while a caller uses the team, `lock` to access the fields below. */
static struct {
    bpcore_mutex busy, lock;
    bpcore_condition new_task;
    int members;     /* threads that exist: workers 1, 2, ... of a task */
    bpcore_thread *threads;
    int ends;        /* whether they are to end */
    uint64_t number; /* tasks so far */
    bpcore_job job;  /* NULL between tasks */
    void *task;
    int count;
    char *rooms;
    ptrdiff_t room_size;
    bpcore_barrier barrier;
    int rest, alone; /* tasks to run alone: decided last, and still to come */
} bpcore_team;

static void bpcore_reset_team(void) {
    memset(&bpcore_team, 0, sizeof(bpcore_team));
    bpcore_mutex_init(&bpcore_team.busy);
    bpcore_mutex_init(&bpcore_team.lock);
    bpcore_condition_init(&bpcore_team.new_task);
    bpcore_mutex_init(&bpcore_team.barrier.lock);
    bpcore_condition_init(&bpcore_team.barrier.released);
}

/* Most workers of a task; 0: no limit. */
static size_t bpcore_most_workers;

/* Threads inside bpcore_run.  The cores are divided among them. */
static size_t bpcore_callers;

/* Forks between the first process and this one. */
static int bpcore_forks;

/* The thread of worker `index`. */
static BPCORE_RESULT bpcore_member(void *index) {
    bpcore_worker worker = {.index = (int)(ptrdiff_t)index,
                            .barrier = &bpcore_team.barrier};
    uint64_t done = 0;
    bpcore_begin_arithmetic(); /* not that of the thread that has started this one */
    bpcore_mutex_lock(&bpcore_team.lock);
    for (;;) {
        while (!bpcore_team.job || bpcore_team.number == done ||
               bpcore_team.count <= worker.index) {
            if (bpcore_team.ends) {
                bpcore_mutex_unlock(&bpcore_team.lock);
                return 0;
            }
            bpcore_condition_wait(&bpcore_team.new_task, &bpcore_team.lock);
        }
        const bpcore_job job = bpcore_team.job;
        void *task = bpcore_team.task;
        done = bpcore_team.number;
        worker.count = bpcore_team.count;
        worker.room = bpcore_team.rooms + worker.index * bpcore_team.room_size;
        bpcore_mutex_unlock(&bpcore_team.lock);
        job(task, &worker);
        bpcore_barrier_wait(&worker);
        bpcore_mutex_lock(&bpcore_team.lock);
    }
}

/* Starts threads until there are `members`; returns their number, at most that. */
static int bpcore_start_members(int members) {
    if (bpcore_team.members < members) {
        const size_t bytes = (size_t)members * sizeof(bpcore_thread);
        bpcore_thread *threads = realloc(bpcore_team.threads, bytes);
        if (!threads) members = bpcore_team.members;
        else bpcore_team.threads = threads;
    }
    while (bpcore_team.members < members) {
        const int i = bpcore_team.members;
        void *index = (void *)(ptrdiff_t)(i + 1);
        if (!bpcore_start_thread(bpcore_member, index, &bpcore_team.threads[i])) break;
        bpcore_team.members++;
    }
    return (int)bpcore_min(bpcore_team.members, members);
}

/* Most tasks in a row that are run alone after a shared task that gained nothing. */
#define BPCORE_MAX_ALONE 64

/* Exponential back-off: if the workers of the last task slept most of the time, other
 * programs use the cores, and the next tasks are run alone, each time twice as many. */
static void bpcore_back_off(double seconds, int count) {
    bpcore_barrier *barrier = &bpcore_team.barrier;
    bpcore_mutex_lock(&barrier->lock);
    const int crowded = barrier->slept > 0.6 * seconds * (count - 1);
    barrier->slept = 0; /* sleep at the last barrier may count for the next task */
    bpcore_mutex_unlock(&barrier->lock);
    bpcore_team.rest = crowded ? bpcore_team.rest ? 2 * bpcore_team.rest : 4 : 0;
    bpcore_team.rest = (int)bpcore_min(bpcore_team.rest, BPCORE_MAX_ALONE);
    bpcore_team.alone = bpcore_team.rest;
}

/* Locks the team for a task; returns 0 if it is busy or the task is to be run alone. */
static int bpcore_try_team(void) {
    if (!bpcore_mutex_try(&bpcore_team.busy)) return 0;
    if (bpcore_team.alone == 0) return 1;
    bpcore_team.alone--;
    bpcore_mutex_unlock(&bpcore_team.busy);
    return 0;
}

static int bpcore_limited(int count) {
    const size_t most = bpcore_load(&bpcore_most_workers, BPCORE_RELAXED);
    return most && most < (size_t)count ? (int)most : count;
}

/* Gives the team a task; its first worker is the caller. */
static bpcore_worker bpcore_begin(int count, char *rooms, ptrdiff_t room_size,
                                  bpcore_job job, void *task) {
    bpcore_mutex_lock(&bpcore_team.lock);
    count = 1 + bpcore_start_members(count - 1);
    bpcore_team.number++;
    bpcore_team.job = job;
    bpcore_team.task = task;
    bpcore_team.count = count;
    bpcore_team.rooms = rooms;
    bpcore_team.room_size = room_size;
    bpcore_condition_wake_all(&bpcore_team.new_task);
    bpcore_mutex_unlock(&bpcore_team.lock);
    const bpcore_worker worker = {0, count, rooms, &bpcore_team.barrier};
    return worker;
}

/* Ends a task that all its workers have done. */
static void bpcore_end(double start, int count) {
    bpcore_mutex_lock(&bpcore_team.lock);
    bpcore_team.job = NULL;
    bpcore_mutex_unlock(&bpcore_team.lock);
    bpcore_back_off(bpcore_seconds() - start, count);
    bpcore_mutex_unlock(&bpcore_team.busy);
}

/* Runs the job with up to `count` workers, in the default state of arithmetic; `rooms`
 * is their scratch memory, room_size bytes each. */
static void bpcore_run(int count, char *rooms, ptrdiff_t room_size, bpcore_job job,
                       void *task) {
    const int forks = bpcore_forks;
    const bpcore_arithmetic before = bpcore_begin_arithmetic();
    if (count > 1) count = bpcore_limited(count);
    count /= (int)bpcore_add(&bpcore_callers, 1, BPCORE_RELAXED);
    if (count > 1 && bpcore_try_team()) {
        const double start = bpcore_seconds();
        bpcore_worker worker = bpcore_begin(count, rooms, room_size, job, task);
        job(task, &worker);
        bpcore_barrier_wait(&worker);
        if (forks == bpcore_forks) bpcore_end(start, worker.count);
    } else {
        bpcore_run_alone(rooms, job, task);
    }
    /* In the child of a fork during the job there is no caller. */
    if (forks == bpcore_forks) bpcore_add(&bpcore_callers, (size_t)-1, BPCORE_RELAXED);
    bpcore_end_arithmetic(before);
}

/* Forks so far, for bpcore_go_on. */
static inline int bpcore_count_forks(void) { return bpcore_forks; }

/* To be called by worker 0, while the others wait at a barrier, after code that may
 * have forked: `forks` is the count before it.  The child goes on alone. */
static inline void bpcore_go_on(const bpcore_worker *worker, int forks) {
    if (forks != bpcore_forks && worker->count > 1) ((bpcore_worker *)worker)->count = 1;
}

#if defined(BPCORE_FORKS)
/* The thread that forks and has locked the idle team until after the fork, or 0. */
static size_t bpcore_forker;

static void bpcore_before_fork(void) {
    if (!bpcore_mutex_try(&bpcore_team.busy)) return;
    bpcore_store(&bpcore_forker, bpcore_this_thread(), BPCORE_RELAXED);
    bpcore_mutex_lock(&bpcore_team.lock);
    bpcore_team.ends = 1;
    bpcore_condition_wake_all(&bpcore_team.new_task);
    bpcore_mutex_unlock(&bpcore_team.lock);
    while (bpcore_team.members)
        bpcore_join_thread(bpcore_team.threads[--bpcore_team.members]);
    bpcore_team.ends = 0;
}

static void bpcore_after_fork_in_parent(void) {
    if (bpcore_load(&bpcore_forker, BPCORE_RELAXED) != bpcore_this_thread()) return;
    bpcore_store(&bpcore_forker, 0, BPCORE_RELAXED);
    bpcore_mutex_unlock(&bpcore_team.busy);
}

static void bpcore_after_fork(void) {
    free(bpcore_team.threads);
    bpcore_reset_team();
    bpcore_forker = 0;
    bpcore_callers = 0;
    bpcore_forks++;
}
#endif

/* The limit, for programs that find it by its name (threadpoolctl). */
BPCORE_EXPORT int bpcore_get_num_threads(void) {
    return (int)bpcore_load(&bpcore_most_workers, BPCORE_RELAXED);
}
BPCORE_EXPORT void bpcore_set_num_threads(int most) {
    bpcore_store(&bpcore_most_workers, (size_t)(most > 0 ? most : 0), BPCORE_RELAXED);
}

/* To be called once, before any task. */
static void bpcore_init_team(void) {
    bpcore_reset_team();
#if defined(BPCORE_FORKS)
    bpcore_call_around_fork(bpcore_before_fork, bpcore_after_fork_in_parent,
                            bpcore_after_fork);
#endif
}

#else
static void bpcore_run(int count, char *rooms, ptrdiff_t room_size, bpcore_job job,
                       void *task) {
    (void)count, (void)room_size;
    const bpcore_arithmetic before = bpcore_begin_arithmetic();
    bpcore_run_alone(rooms, job, task);
    bpcore_end_arithmetic(before);
}

static inline int bpcore_count_forks(void) { return 0; }
static inline void bpcore_go_on(const bpcore_worker *worker, int forks) {
    (void)worker, (void)forks;
}
static void bpcore_init_team(void) {}
#endif

#endif

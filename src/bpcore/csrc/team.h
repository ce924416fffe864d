/* The thread team: threads of this process that sleep until there is a task, then run
 * it together with the calling thread.
 *
 * Threads are started when first needed.  The team runs one task at a time.  A caller
 * runs its task alone if the team is busy, or for some time after the team has gained
 * nothing because other programs use the cores.  After a fork the child starts its own
 * threads.  Without POSIX threads every task is run alone. */

#ifndef BPCORE_TEAM_H
#define BPCORE_TEAM_H

#include <stdint.h>
#include <string.h>

#include "worker.h"

/* One worker's part of a task; all its workers reach the same barriers. */
typedef void (*bpcore_job)(void *task, const bpcore_worker *worker);

static void bpcore_run_alone(char *rooms, bpcore_job job, void *task) {
    const bpcore_worker worker = {.count = 1, .room = rooms};
    job(task, &worker);
}

#if defined(BPCORE_THREADS)
#include <signal.h>

/* `busy` is held while a caller uses the team, `lock` to access the fields below. */
static struct {
    pthread_mutex_t busy, lock;
    pthread_cond_t new_task;
    int members;     /* threads that exist: workers 1, 2, ... of a task */
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
    pthread_mutex_init(&bpcore_team.busy, NULL);
    pthread_mutex_init(&bpcore_team.lock, NULL);
    pthread_cond_init(&bpcore_team.new_task, NULL);
    pthread_mutex_init(&bpcore_team.barrier.lock, NULL);
    pthread_cond_init(&bpcore_team.barrier.released, NULL);
}

/* Threads inside bpcore_run.  The cores are divided among them. */
static int bpcore_callers;

/* The thread of worker `index`. */
static void *bpcore_member(void *index) {
    bpcore_worker worker = {.index = (int)(ptrdiff_t)index,
                            .barrier = &bpcore_team.barrier};
    uint64_t done = 0;
    pthread_mutex_lock(&bpcore_team.lock);
    for (;;) {
        while (!bpcore_team.job || bpcore_team.number == done ||
               bpcore_team.count <= worker.index)
            pthread_cond_wait(&bpcore_team.new_task, &bpcore_team.lock);
        const bpcore_job job = bpcore_team.job;
        void *task = bpcore_team.task;
        done = bpcore_team.number;
        worker.count = bpcore_team.count;
        worker.room = bpcore_team.rooms + worker.index * bpcore_team.room_size;
        pthread_mutex_unlock(&bpcore_team.lock);
        job(task, &worker);
        bpcore_barrier_wait(&worker);
        pthread_mutex_lock(&bpcore_team.lock);
    }
    return NULL;
}

/* Starts threads until there are `members`; returns their number, at most that. */
static int bpcore_start_members(int members) {
    /* Signals are delivered to the program's own threads, never to these. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    while (bpcore_team.members < members) {
        void *index = (void *)(ptrdiff_t)(bpcore_team.members + 1);
        pthread_t thread;
        if (pthread_create(&thread, &detached, bpcore_member, index)) break;
        bpcore_team.members++;
    }
    pthread_attr_destroy(&detached);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return bpcore_min(bpcore_team.members, members);
}

/* Most tasks in a row that are run alone after a shared task that gained nothing. */
#define BPCORE_MAX_ALONE 64

/* Exponential back-off: if the workers of the last task slept most of the time, other
 * programs use the cores, and the next tasks are run alone, each time twice as many. */
static void bpcore_back_off(double seconds, int count) {
    bpcore_barrier *barrier = &bpcore_team.barrier;
    pthread_mutex_lock(&barrier->lock);
    const int crowded = barrier->slept > 0.6 * seconds * (count - 1);
    barrier->slept = 0; /* sleep at the last barrier may count for the next task */
    pthread_mutex_unlock(&barrier->lock);
    bpcore_team.rest = crowded ? bpcore_team.rest ? 2 * bpcore_team.rest : 4 : 0;
    bpcore_team.rest = bpcore_min(bpcore_team.rest, BPCORE_MAX_ALONE);
    bpcore_team.alone = bpcore_team.rest;
}

/* Locks the team for a task; returns 0 if it is busy or the task is to be run alone. */
static int bpcore_try_team(void) {
    if (pthread_mutex_trylock(&bpcore_team.busy)) return 0;
    if (bpcore_team.alone == 0) return 1;
    bpcore_team.alone--;
    pthread_mutex_unlock(&bpcore_team.busy);
    return 0;
}

/* Runs the job with up to `count` workers; `rooms` is their scratch memory, room_size
 * bytes each. */
static void bpcore_run(int count, char *rooms, ptrdiff_t room_size, bpcore_job job,
                       void *task) {
    const int callers = __atomic_add_fetch(&bpcore_callers, 1, __ATOMIC_RELAXED);
    count /= callers;
    if (count > 1 && bpcore_try_team()) {
        const double start = bpcore_seconds();
        pthread_mutex_lock(&bpcore_team.lock);
        count = 1 + bpcore_start_members(count - 1);
        bpcore_team.number++;
        bpcore_team.job = job;
        bpcore_team.task = task;
        bpcore_team.count = count;
        bpcore_team.rooms = rooms;
        bpcore_team.room_size = room_size;
        pthread_cond_broadcast(&bpcore_team.new_task);
        pthread_mutex_unlock(&bpcore_team.lock);
        const bpcore_worker worker = {0, count, rooms, &bpcore_team.barrier};
        job(task, &worker);
        bpcore_barrier_wait(&worker);
        pthread_mutex_lock(&bpcore_team.lock);
        bpcore_team.job = NULL;
        pthread_mutex_unlock(&bpcore_team.lock);
        bpcore_back_off(bpcore_seconds() - start, count);
        pthread_mutex_unlock(&bpcore_team.busy);
    } else {
        bpcore_run_alone(rooms, job, task);
    }
    __atomic_sub_fetch(&bpcore_callers, 1, __ATOMIC_RELAXED);
}

static void bpcore_after_fork(void) {
    bpcore_reset_team();
    bpcore_callers = 0;
}

/* To be called once, before any task. */
static void bpcore_init_team(void) {
    bpcore_reset_team();
    pthread_atfork(NULL, NULL, bpcore_after_fork);
}

#else
static void bpcore_run(int count, char *rooms, ptrdiff_t room_size, bpcore_job job,
                       void *task) {
    (void)count, (void)room_size;
    bpcore_run_alone(rooms, job, task);
}

static void bpcore_init_team(void) {}
#endif

#endif

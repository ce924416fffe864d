/* The thread team: threads of this process that sleep until there is a task, then run
 * it together with the calling thread.
 *
 * Threads are started when first needed.  The team runs one task at a time.  A caller
 * runs its task alone if the team is busy, or for some time after the team has gained
 * nothing because other programs use the cores.  After a fork the child starts its own
 * threads.  Where there are no threads every task is run alone. */

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
/* `busy` is held while a caller uses the team, `lock` to access the fields below. */
static struct {
    bpcore_mutex busy, lock;
    bpcore_condition new_task;
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
    bpcore_mutex_init(&bpcore_team.busy);
    bpcore_mutex_init(&bpcore_team.lock);
    bpcore_condition_init(&bpcore_team.new_task);
    bpcore_mutex_init(&bpcore_team.barrier.lock);
    bpcore_condition_init(&bpcore_team.barrier.released);
}

/* Threads inside bpcore_run.  The cores are divided among them. */
static size_t bpcore_callers;

/* The thread of worker `index`. */
static BPCORE_RESULT bpcore_member(void *index) {
    bpcore_worker worker = {.index = (int)(ptrdiff_t)index,
                            .barrier = &bpcore_team.barrier};
    uint64_t done = 0;
    bpcore_mutex_lock(&bpcore_team.lock);
    for (;;) {
        while (!bpcore_team.job || bpcore_team.number == done ||
               bpcore_team.count <= worker.index)
            bpcore_condition_wait(&bpcore_team.new_task, &bpcore_team.lock);
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
    return 0;
}

/* Starts threads until there are `members`; returns their number, at most that. */
static int bpcore_start_members(int members) {
    while (bpcore_team.members < members) {
        void *index = (void *)(ptrdiff_t)(bpcore_team.members + 1);
        if (!bpcore_start_thread(bpcore_member, index)) break;
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

/* Runs the job with up to `count` workers; `rooms` is their scratch memory, room_size
 * bytes each. */
static void bpcore_run(int count, char *rooms, ptrdiff_t room_size, bpcore_job job,
                       void *task) {
    count /= (int)bpcore_add(&bpcore_callers, 1, BPCORE_RELAXED);
    if (count > 1 && bpcore_try_team()) {
        const double start = bpcore_seconds();
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
        job(task, &worker);
        bpcore_barrier_wait(&worker);
        bpcore_mutex_lock(&bpcore_team.lock);
        bpcore_team.job = NULL;
        bpcore_mutex_unlock(&bpcore_team.lock);
        bpcore_back_off(bpcore_seconds() - start, count);
        bpcore_mutex_unlock(&bpcore_team.busy);
    } else {
        bpcore_run_alone(rooms, job, task);
    }
    bpcore_add(&bpcore_callers, (size_t)-1, BPCORE_RELAXED);
}

static void bpcore_after_fork(void) {
    bpcore_reset_team();
    bpcore_callers = 0;
}

/* To be called once, before any task. */
static void bpcore_init_team(void) {
    bpcore_reset_team();
    bpcore_call_after_fork(bpcore_after_fork);
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

/* The thread team: threads of this process that sleep until there is a task, then run
 * it beside the thread that brought it.
 *
 * They are started on first need.  The team takes one task at a time: who finds it
 * taken works alone, and so does everybody for a while where sharing did not pay, since
 * other programs have the cores.  A child of fork has no threads and starts its own.
 * Without POSIX threads every task is run alone. */

#ifndef BPCORE_TEAM_H
#define BPCORE_TEAM_H

#include <stdint.h>
#include <string.h>

#include "worker.h"

/* Does one worker's share of a task; all workers of it meet equally often. */
typedef void (*bpcore_job)(void *task, const bpcore_worker *worker);

static void bpcore_run_alone(char *rooms, bpcore_job job, void *task) {
    const bpcore_worker worker = {.count = 1, .room = rooms};
    job(task, &worker);
}

#if defined(BPCORE_THREADS)
#include <signal.h>

/* `taken` is held by who uses the team, `lock` to read or write what comes after it. */
static struct {
    pthread_mutex_t taken, lock;
    pthread_cond_t new_task;
    int members;     /* threads that exist: workers 1, 2, ... of any task */
    uint64_t number; /* of tasks so far */
    bpcore_job job;  /* NULL between tasks */
    void *task;
    int count;
    char *rooms;
    ptrdiff_t room_size;
    bpcore_gate gate;
    int rest, alone; /* tasks not shared after the last that was, and those to come */
} bpcore_team;

static void bpcore_forget_team(void) {
    memset(&bpcore_team, 0, sizeof(bpcore_team));
    pthread_mutex_init(&bpcore_team.taken, NULL);
    pthread_mutex_init(&bpcore_team.lock, NULL);
    pthread_cond_init(&bpcore_team.new_task, NULL);
    pthread_mutex_init(&bpcore_team.gate.lock, NULL);
    pthread_cond_init(&bpcore_team.gate.opened, NULL);
}

/* Threads inside bpcore_run: a core for each of them comes before a second for one. */
static int bpcore_callers;

/* The life of worker `index`. */
static void *bpcore_member(void *index) {
    bpcore_worker worker = {.index = (int)(ptrdiff_t)index, .gate = &bpcore_team.gate};
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
        bpcore_meet(&worker);
        pthread_mutex_lock(&bpcore_team.lock);
    }
    return NULL;
}

/* Starts members until there are `members`; returns how many there are. */
static int bpcore_enlist(int members) {
    /* Signals go to the threads of the program, never to these. */
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
    return bpcore_least(bpcore_team.members, members);
}

/* The longest that tasks are not shared after one for which that did not pay. */
#define BPCORE_MOST_ALONE 64

/* Whether the next task is to be shared, given how the last one went: if its workers
 * slept most of the time, other programs have the cores, and tasks are run alone for a
 * while, longer every time. */
static void bpcore_judge(double seconds, int count) {
    bpcore_gate *gate = &bpcore_team.gate;
    pthread_mutex_lock(&gate->lock);
    const int crowded = gate->slept > 0.6 * seconds * (count - 1);
    gate->slept = 0; /* who sleeps still, at the last gate, will count for the next */
    pthread_mutex_unlock(&gate->lock);
    bpcore_team.rest = crowded ? bpcore_team.rest ? 2 * bpcore_team.rest : 4 : 0;
    bpcore_team.rest = bpcore_least(bpcore_team.rest, BPCORE_MOST_ALONE);
    bpcore_team.alone = bpcore_team.rest;
}

/* Takes the team for a task, unless another has it or it is not to be shared. */
static int bpcore_take_team(void) {
    if (pthread_mutex_trylock(&bpcore_team.taken)) return 0;
    if (bpcore_team.alone == 0) return 1;
    bpcore_team.alone--;
    pthread_mutex_unlock(&bpcore_team.taken);
    return 0;
}

/* Runs the job with up to `count` workers, whose rooms lie room_size bytes apart. */
static void bpcore_run(int count, char *rooms, ptrdiff_t room_size, bpcore_job job,
                       void *task) {
    const int callers = __atomic_add_fetch(&bpcore_callers, 1, __ATOMIC_RELAXED);
    count /= callers;
    if (count > 1 && bpcore_take_team()) {
        const double start = bpcore_seconds();
        pthread_mutex_lock(&bpcore_team.lock);
        count = 1 + bpcore_enlist(count - 1);
        bpcore_team.number++;
        bpcore_team.job = job;
        bpcore_team.task = task;
        bpcore_team.count = count;
        bpcore_team.rooms = rooms;
        bpcore_team.room_size = room_size;
        pthread_cond_broadcast(&bpcore_team.new_task);
        pthread_mutex_unlock(&bpcore_team.lock);
        const bpcore_worker worker = {0, count, rooms, &bpcore_team.gate};
        job(task, &worker);
        bpcore_meet(&worker);
        pthread_mutex_lock(&bpcore_team.lock);
        bpcore_team.job = NULL;
        pthread_mutex_unlock(&bpcore_team.lock);
        bpcore_judge(bpcore_seconds() - start, count);
        pthread_mutex_unlock(&bpcore_team.taken);
    } else {
        bpcore_run_alone(rooms, job, task);
    }
    __atomic_sub_fetch(&bpcore_callers, 1, __ATOMIC_RELAXED);
}

static void bpcore_after_fork(void) {
    bpcore_forget_team();
    bpcore_callers = 0;
}

/* To be called once, before any task. */
static void bpcore_found_team(void) {
    bpcore_forget_team();
    pthread_atfork(NULL, NULL, bpcore_after_fork);
}

#else
static void bpcore_run(int count, char *rooms, ptrdiff_t room_size, bpcore_job job,
                       void *task) {
    (void)count, (void)room_size;
    bpcore_run_alone(rooms, job, task);
}

static void bpcore_found_team(void) {}
#endif

#endif

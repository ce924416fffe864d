/* Checks the thread team, its barrier, the atomic counts and the lock with the numbers of
 * threads that are the arguments, and the clock; then prints the caches and the
 * instruction sets that the processor reports.  Exit status 1: a check failed. */

#include <stdio.h>
#include <stdlib.h>

#include "csrc/clock.h"
#include "csrc/cpu.h"
#include "csrc/loans.h"
#include "csrc/lock.h"
#include "csrc/team.h"

enum { MOST = 64, ROUNDS = 50, LOANS = 1000000, ENTRIES = 300000, TRIES = 1000 };

static void require(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void wait_for(double seconds) {
    const double start = bpcore_seconds();
    while (bpcore_seconds() - start < seconds) continue;
}

typedef struct {
    int workers; /* that have run the task */
    int rounds[MOST];
    bpcore_loans loans;
    bpcore_lock lock;
    int entries; /* counted inside the lock */
} work;

/* Each worker sees what the others wrote before the barrier, whether it spins there or
 * sleeps: in every fifth round one worker is late. */
static void check_barrier(work *it, const bpcore_worker *worker) {
    for (int round = 1; round <= ROUNDS; round++) {
        if (round % 5 == 0 && round / 5 % worker->count == worker->index) wait_for(1e-3);
        it->rounds[worker->index] = round;
        bpcore_barrier_wait(worker);
        for (int i = 0; i < worker->count; i++)
            require(it->rounds[i] == round, "a worker passed the barrier too early");
        bpcore_barrier_wait(worker);
    }
}

static void count_loans(work *it) {
    for (int i = 0; i < LOANS; i++) bpcore_lend(&it->loans), bpcore_return(&it->loans);
    bpcore_lend(&it->loans);
}

static void enter(work *it, size_t thread) {
    for (int i = 0; i < ENTRIES; i++) {
        while (!bpcore_enter(&it->lock, thread)) bpcore_pause();
        require(bpcore_enter(&it->lock, thread), "the owner did not enter again");
        it->entries++;
        bpcore_leave(&it->lock);
        bpcore_leave(&it->lock);
    }
}

static void run_work(void *task, const bpcore_worker *worker) {
    work *it = task;
    if (worker->index == 0) it->workers = worker->count;
    check_barrier(it, worker);
    count_loans(it);
    bpcore_barrier_wait(worker); /* so that all begin at once */
    enter(it, (size_t)worker->index + 1);
}

/* Exactly `count` workers: the team may rest, then again. */
static void check_team(int count) {
    require(count <= MOST, "too many threads for this program");
    for (int tries = 0; tries < TRIES; tries++) {
        work it = {0};
        size_t made;
        bpcore_run(count, NULL, 0, run_work, &it);
        require(it.loans.open == (size_t)it.workers, "loans that are open");
        require(!bpcore_none_open(&it.loans, &made), "no loan is open");
        require(made == (size_t)it.workers * (LOANS + 1), "loans that were made");
        require(it.entries == it.workers * ENTRIES, "two owners of one lock");
        if (it.workers == count) return;
    }
    require(0, "never so many workers");
}

/* The team needs microseconds: a counter of ticks of 15 ms would not do. */
static void check_clock(void) {
    double least = 1;
    for (int i = 0; i < 100; i++) {
        const double start = bpcore_seconds();
        double step = 0;
        while (step == 0) step = bpcore_seconds() - start;
        require(step > 0, "the clock went back");
        if (step < least) least = step;
    }
    require(least < 1e-4, "the clock's steps are too long");
}

int main(int argc, char **argv) {
    check_clock();
    bpcore_init_team();
    for (int i = 1; i < argc; i++) check_team(atoi(argv[i]));
    for (uint32_t level = 1; level <= 2; level++) {
        const bpcore_cache cache = bpcore_data_cache(level);
        printf("cache %d: %ld bytes, %ld ways\n", (int)level, (long)cache.bytes,
               (long)cache.ways);
    }
    printf("x86_64_v2 %d, x86_64_v3 %d, x86_64_v4 %d, arm64 %d\n", bpcore_has_x86_64_v2(),
           bpcore_has_x86_64_v3(), bpcore_has_x86_64_v4(), bpcore_has_arm64());
    return 0;
}

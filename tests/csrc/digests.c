/* Prints digests of what the kernels compute, a line for each build that this processor
 * runs, dtype, number of threads (the arguments) and kernel:
 *
 *     x86_64_v3 float32 4 forward 1f0c9d47a2e86b35
 *
 * BPCORE_BUILDS must be defined as in csrc/builds.h. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/builds.h"
#include "csrc/cpu.h"
#include "csrc/random.h"
#include "csrc/team.h"

#define ONE_MORE(INTEGER, name) +1
enum {
    ACTIVATIONS = BPCORE_EACH_ACTIVATION(ONE_MORE),
    LOSSES = BPCORE_EACH_LOSS(ONE_MORE),
    RULES = BPCORE_EACH_RULE(ONE_MORE),
    STATES = 3,  /* most arrays of an optimizer's state */
    TRIES = 1000 /* more than the team rests */
};

/* n, n_in, n_out: a single row, odd sizes, and sums of more than one chain with so many
 * weights that zero inputs are skipped. */
static const ptrdiff_t SHAPES[][3] = {{1, 7, 5}, {9, 33, 18}, {14, 300, 70}};

enum { FORWARD, PROPAGATE, GRADIENT, UPDATE, LOSS, KERNELS };
static const char *const NAMES[KERNELS] = {"forward", "propagate", "gradient", "update",
                                           "loss"};

/* The arrays of a layer and its mini-batch; sizes in elements. */
typedef enum {
    A, W, B, DELTA, Y, /* drawn */
    RESULT, Z, RESULT_BELOW, DW, DB, STATE_W, STATE_B, D_LOSS,
    ARRAYS
} array;

typedef struct {
    const bpcore_table *k;
    ptrdiff_t n, n_in, n_out;
    bpcore_activation f;
    bpcore_loss loss;
    bpcore_optimizer of_W, of_b;
    char *arrays[ARRAYS], *rooms;
    ptrdiff_t sizes[ARRAYS], room;
    double *E;
    int workers; /* that have run the task */
} layer;

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* `bytes` of memory, all 0, at a multiple of 64; never freed. */
static void *memory(ptrdiff_t bytes) {
    char *at = calloc(1, (size_t)bytes + 64);
    if (!at) fail("out of memory");
    return at + (64 - (size_t)at % 64) % 64;
}

/* Element i: a number between -1 and 1, of Y between 0 and 1; of A most are 0. */
static double drawn(array which, ptrdiff_t i) {
    const uint64_t bits = bpcore_key((uint64_t)which, (uint64_t)i);
    const double x = (double)(bits >> 11 | 1) / 0x1p53;
    if (which == A && bits % 4) return 0;
    return which == Y ? x : 2 * x - 1;
}

/* Inputs are drawn, results and the optimizer's state are 0. */
static void fill(layer *it) {
    for (int which = 0; which < ARRAYS; which++)
        for (ptrdiff_t i = 0; i < it->sizes[which]; i++) {
            const double x = which <= Y ? drawn((array)which, i) : 0;
            if (it->k->itemsize == 4)
                ((float *)it->arrays[which])[i] = (float)x;
            else
                ((double *)it->arrays[which])[i] = x;
        }
}

static bpcore_optimizer settings(bpcore_rule rule, ptrdiff_t state_apart) {
    bpcore_optimizer it = {
        .rule = rule, .lr_factor = 1, .weight_decay = 0.01, .clip_value = 0.75,
        .momentum = 0.9, .dampening = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8,
        .decay = 0.004, .shrink = 0.5, .grow = 1.2, .least = 1e-6, .most = 50,
        .state_apart = state_apart,
    };
    return it;
}

/* The layer with activation, shape, loss and optimizer number i. */
static layer make(const bpcore_table *k, int i, int count) {
    const ptrdiff_t *shape = SHAPES[i % 3];
    const ptrdiff_t n = shape[0], n_in = shape[1], n_out = shape[2];
    layer it = {.k = k, .n = n, .n_in = n_in, .n_out = n_out,
                .f = (bpcore_activation)(i % ACTIVATIONS),
                .loss = (bpcore_loss)(i % LOSSES),
                .of_W = settings((bpcore_rule)(i % RULES), n_in * n_out),
                .of_b = settings((bpcore_rule)(i % RULES), n_out)};
    const ptrdiff_t sizes[ARRAYS] = {
        [A] = n * n_in, [W] = n_in * n_out, [B] = n_out, [DELTA] = n * n_out,
        [Y] = n * n_out, [RESULT] = n * n_out, [Z] = n * n_out, [RESULT_BELOW] = n * n_in,
        [DW] = n_in * n_out, [DB] = n_out, [STATE_W] = STATES * n_in * n_out,
        [STATE_B] = STATES * n_out, [D_LOSS] = n * n_out};
    memcpy(it.sizes, sizes, sizeof(sizes));
    for (int which = 0; which < ARRAYS; which++)
        it.arrays[which] = memory(sizes[which] * k->itemsize);
    it.E = memory(n * (ptrdiff_t)sizeof(double));
    it.room = (k->room(n, n_in, n_out) + 63) / 64 * 64;
    it.rooms = memory(count * it.room);
    k->prepare(&it.of_W, 0.01, 2);
    k->prepare(&it.of_b, 0.01, 2);
    return it;
}

static void run_kernels(void *task, const bpcore_worker *worker) {
    layer *it = task;
    const bpcore_table *k = it->k;
    char **x = it->arrays;
    const ptrdiff_t n = it->n, n_in = it->n_in, n_out = it->n_out;
    const bpcore_targets targets = {.y = x[Y]};
    if (worker->index == 0) it->workers = worker->count;
    k->forward(worker, x[RESULT], x[Z], x[A], x[W], NULL, x[B], n, n_in, n_out,
               it->f);
    k->propagate(worker, x[RESULT_BELOW], x[DELTA], x[W], x[A], n, n_in, n_out, it->f);
    k->gradient(worker, x[DW], x[DB], x[A], x[DELTA], n, n_in, n_out);
    k->loss(worker, it->E, x[D_LOSS], x[Y], &targets, 0.5, n, n_out, it->loss, 0.25);
    bpcore_barrier_wait(worker);
    k->update(worker, x[W], x[B], x[STATE_W], x[STATE_B], x[A], x[DELTA], n, n_in, n_out,
              &it->of_W, &it->of_b);
}

/* FNV-1a */
static void add_bytes(uint64_t *digest, const void *bytes, ptrdiff_t size) {
    for (const unsigned char *at = bytes; size > 0; size--, at++)
        *digest = (*digest ^ *at) * UINT64_C(0x100000001b3);
}
static void add(uint64_t *digest, const layer *it, array which) {
    add_bytes(digest, it->arrays[which], it->sizes[which] * it->k->itemsize);
}

/* Runs the kernels with exactly `count` workers: the team may rest, then again. */
static void run_with(layer *it, int count) {
    for (int tries = 0; it->workers != count; tries++) {
        if (tries == TRIES) fail("never so many workers");
        fill(it);
        bpcore_run(count, it->rooms, it->room, run_kernels, it);
    }
}

static void print_digests(const char *isa, const bpcore_table *k, int count) {
    uint64_t digests[KERNELS];
    for (int i = 0; i < KERNELS; i++) digests[i] = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < ACTIVATIONS || i < LOSSES || i < RULES; i++) {
        layer it = make(k, i, count);
        run_with(&it, count);
        add(&digests[FORWARD], &it, RESULT), add(&digests[FORWARD], &it, Z);
        add(&digests[PROPAGATE], &it, RESULT_BELOW);
        add(&digests[GRADIENT], &it, DW), add(&digests[GRADIENT], &it, DB);
        add(&digests[UPDATE], &it, W), add(&digests[UPDATE], &it, B);
        add(&digests[UPDATE], &it, STATE_W), add(&digests[UPDATE], &it, STATE_B);
        add(&digests[LOSS], &it, D_LOSS);
        add_bytes(&digests[LOSS], it.E, it.n * (ptrdiff_t)sizeof(double));
    }
    for (int i = 0; i < KERNELS; i++)
        printf("%s float%d %d %s %08lx%08lx\n", isa, 8 * (int)k->itemsize, count,
               NAMES[i], (unsigned long)(digests[i] >> 32),
               (unsigned long)(digests[i] & 0xffffffffu));
}

/* Whether this processor has an instruction set. */
static int has(const char *isa) {
    return strcmp(isa, "x86_64_v4") == 0   ? bpcore_has_x86_64_v4()
           : strcmp(isa, "x86_64_v3") == 0 ? bpcore_has_x86_64_v3()
           : strcmp(isa, "x86_64_v2") == 0 ? bpcore_has_x86_64_v2()
           : strcmp(isa, "arm64") == 0     ? bpcore_has_arm64()
                                           : 1;
}

int main(int argc, char **argv) {
    bpcore_init_team();
    for (int i = 0; bpcore_builds[i]; i++) {
        const bpcore_kernels *build = bpcore_builds[i];
        for (int argument = 1; has(build->isa) && argument < argc; argument++) {
            print_digests(build->isa, build->f32, atoi(argv[argument]));
            print_digests(build->isa, build->f64, atoi(argv[argument]));
        }
    }
    return 0;
}

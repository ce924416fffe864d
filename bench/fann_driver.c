/* FANN's incremental training, one pass over the rows of a file after another.
 *
 *     fann_driver FILE
 *
 * FILE holds, in the byte order of this machine,
 *     uint32  n_sizes, n_rows, sizes[n_sizes]
 *     float   lr, momentum, weights, X (n_rows, n_0), y (n_rows, n_L)
 * with the weights in FANN's own order: layer by layer, unit by unit, the weights of all
 * its inputs and then its bias.
 *
 * Each line of standard input is a command, answered by one line:
 *     train N    make N passes; answers the seconds they took and those on the core
 *     weights    answers all weights
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <floatfann.h>

static void *read_items(FILE *file, size_t count, size_t size)
{
    void *items = malloc(count * size);
    if (items == NULL || fread(items, size, count, file) != count) {
        fputs("fann_driver: the file is too short, or too large\n", stderr);
        exit(EXIT_FAILURE);
    }
    return items;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

/* FANN_SIGMOID is 1 / (1 + exp(-2 steepness x)): at steepness 1/2, the logistic
 * function. Its linear error function makes the derivative of half the squared error. */
static struct fann *network(const unsigned *sizes, unsigned n_sizes, FILE *file)
{
    struct fann *ann = fann_create_standard_array(n_sizes, sizes);
    fann_set_activation_function_hidden(ann, FANN_SIGMOID);
    fann_set_activation_function_output(ann, FANN_SIGMOID);
    fann_set_activation_steepness_hidden(ann, 0.5f);
    fann_set_activation_steepness_output(ann, 0.5f);
    fann_set_train_error_function(ann, FANN_ERRORFUNC_LINEAR);
    fann_set_training_algorithm(ann, FANN_TRAIN_INCREMENTAL);

    float *rates = read_items(file, 2, sizeof *rates);
    fann_set_learning_rate(ann, rates[0]);
    fann_set_learning_momentum(ann, rates[1]);
    free(rates);

    /* fann_set_weight searches the whole net for each weight; this is its array. */
    size_t n_weights = fann_get_total_connections(ann);
    fann_type *weights = read_items(file, n_weights, sizeof *weights);
    memcpy(ann->weights, weights, n_weights * sizeof *weights);
    free(weights);
    return ann;
}

static void train(struct fann *ann, fann_type *X, fann_type *y, unsigned n_rows)
{
    unsigned n_in = fann_get_num_input(ann), n_out = fann_get_num_output(ann);
    for (unsigned row = 0; row < n_rows; row++)
        fann_train(ann, X + (size_t)row * n_in, y + (size_t)row * n_out);
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL) {
        fputs("usage: fann_driver FILE\n", stderr);
        return EXIT_FAILURE;
    }
    unsigned *counts = read_items(file, 2, sizeof *counts);
    unsigned n_sizes = counts[0], n_rows = counts[1];
    unsigned *sizes = read_items(file, n_sizes, sizeof *sizes);
    struct fann *ann = network(sizes, n_sizes, file);
    fann_type *X = read_items(file, (size_t)n_rows * sizes[0], sizeof *X);
    fann_type *y = read_items(file, (size_t)n_rows * sizes[n_sizes - 1], sizeof *y);

    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned long passes;
        if (sscanf(line, "train %lu", &passes) == 1) {
            double on_core = seconds(CLOCK_PROCESS_CPUTIME_ID);
            double start = seconds(CLOCK_MONOTONIC);
            while (passes-- > 0)
                train(ann, X, y, n_rows);
            double taken = seconds(CLOCK_MONOTONIC) - start;
            on_core = seconds(CLOCK_PROCESS_CPUTIME_ID) - on_core;
            printf("%.9g %.9g\n", taken, on_core);
        } else if (strcmp(line, "weights\n") == 0) {
            for (unsigned i = 0; i < fann_get_total_connections(ann); i++)
                printf("%.9g ", ann->weights[i]);
            putchar('\n');
        } else {
            fprintf(stderr, "fann_driver: no such command: %s", line);
            return EXIT_FAILURE;
        }
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}

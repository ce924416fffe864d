/* Seconds of a clock, from any start. */

#ifndef BPCORE_CLOCK_H
#define BPCORE_CLOCK_H

#include <time.h>

static double bpcore_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif

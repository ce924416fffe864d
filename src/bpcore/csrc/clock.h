/* Monotonic clock: seconds since an arbitrary start. */

#ifndef BPCORE_CLOCK_H
#define BPCORE_CLOCK_H

#if defined(_WIN32)
#include "win32.h"
static double bpcore_seconds(void) {
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return (double)ticks.QuadPart / (double)per_second.QuadPart;
}
#else
#include <time.h>
static double bpcore_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
#endif

#endif

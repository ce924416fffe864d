/* The state of a thread's floating-point arithmetic: how it rounds, whether it takes
 * subnormal numbers for 0, and which exceptions stop the program.
 *
 * A library that GCC linked for fast mathematics, for one, lets the thread that loads
 * it flush subnormal numbers to 0.  Kernels run in the state that IEEE 754 has by default,
 * in which every thread begins, since their bits depend on it; then the caller's state
 * is set again.  For compilers and processors without access to it nothing is done. */

#ifndef BPCORE_ARITHMETIC_H
#define BPCORE_ARITHMETIC_H

#include <stdint.h>

#include "compiler.h"

typedef uint64_t bpcore_arithmetic;

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>

/* To the nearest number, subnormal numbers as they are, no exception stops. */
#define BPCORE_DEFAULT_ARITHMETIC 0x1F80u
/* Flags of exceptions that have occurred, which are no part of the state. */
#define BPCORE_OCCURRED 0x3Fu

static inline bpcore_arithmetic bpcore_arithmetic_now(void) {
    return _mm_getcsr() & ~BPCORE_OCCURRED;
}
static inline void bpcore_set_arithmetic(bpcore_arithmetic state) {
    _mm_setcsr((unsigned)state);
}

#elif defined(__aarch64__) && defined(BPCORE_GNU_C)
#define BPCORE_DEFAULT_ARITHMETIC 0u

static inline bpcore_arithmetic bpcore_arithmetic_now(void) {
    bpcore_arithmetic state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
}
static inline void bpcore_set_arithmetic(bpcore_arithmetic state) {
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
}

#else
#define BPCORE_DEFAULT_ARITHMETIC 0u

static inline bpcore_arithmetic bpcore_arithmetic_now(void) { return 0; }
static inline void bpcore_set_arithmetic(bpcore_arithmetic state) { (void)state; }
#endif

/* Sets the default state; returns that before, for bpcore_end_arithmetic. */
static inline bpcore_arithmetic bpcore_begin_arithmetic(void) {
    const bpcore_arithmetic before = bpcore_arithmetic_now();
    if (before != BPCORE_DEFAULT_ARITHMETIC)
        bpcore_set_arithmetic(BPCORE_DEFAULT_ARITHMETIC);
    return before;
}

static inline void bpcore_end_arithmetic(bpcore_arithmetic before) {
    if (before != BPCORE_DEFAULT_ARITHMETIC) bpcore_set_arithmetic(before);
}

#endif

/* Instruction sets that the processor and the operating system support.  CPUID reports
 * the processor's features, XCR0 the registers that the system saves at context
 * switches. (__builtin_cpu_supports does this too, but with some runtimes it always
 * returns 0.) */

#ifndef BPCORE_CPU_H
#define BPCORE_CPU_H

#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
/* The registers a, b, c, d after CPUID. */
typedef struct {
    uint32_t a, b, c, d;
} bpcore_cpuid_t;

static bpcore_cpuid_t bpcore_cpuid(uint32_t leaf) {
    bpcore_cpuid_t r;
    __asm__("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
    return r;
}

/* Bit n, and whether all of `bits` are set; numbers as in the processors' manuals. */
#define BIT(n) (UINT32_C(1) << (n))
#define ALL(given, bits) (((given) & (bits)) == (bits))

static int bpcore_has_x86_64_v2(void) { /* SSE4.2, POPCNT */
    return ALL(bpcore_cpuid(1).c, BIT(20) | BIT(23));
}

/* Whether the system saves these registers: bits of XCR0, readable if OSXSAVE is
 * set. */
static int bpcore_saves(uint32_t registers) {
    uint32_t low, high;
    if (!ALL(bpcore_cpuid(1).c, BIT(27))) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ALL(low, registers);
}

static int bpcore_has_x86_64_v3(void) { /* FMA, AVX; BMI1, AVX2, BMI2; xmm, ymm */
    return bpcore_has_x86_64_v2() && bpcore_cpuid(0).a >= 7 &&
           ALL(bpcore_cpuid(1).c, BIT(12) | BIT(28)) &&
           ALL(bpcore_cpuid(7).b, BIT(3) | BIT(5) | BIT(8)) &&
           bpcore_saves(BIT(1) | BIT(2));
}

static int bpcore_has_x86_64_v4(void) { /* AVX512 F, DQ, CD, BW, VL; masks, zmm */
    return bpcore_has_x86_64_v3() &&
           ALL(bpcore_cpuid(7).b, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)) &&
           bpcore_saves(BIT(5) | BIT(6) | BIT(7));
}
#undef BIT
#undef ALL
#else
static int bpcore_has_x86_64_v2(void) { return 0; }
static int bpcore_has_x86_64_v3(void) { return 0; }
static int bpcore_has_x86_64_v4(void) { return 0; }
#endif

static int bpcore_has_arm64(void) { /* every arm64 has NEON with FMA */
#if defined(__aarch64__)
    return 1;
#else
    return 0;
#endif
}

#endif

/* Instruction sets that the processor and the operating system support, and the data
 * caches of a core.  CPUID reports the processor's features, XCR0 the registers that the
 * system saves at context switches. (__builtin_cpu_supports does this too, but with some
 * runtimes it always returns 0.) */

#ifndef BPCORE_CPU_H
#define BPCORE_CPU_H

#include <stdint.h>

#include "compiler.h"
#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__unix__)
#include <unistd.h>
#elif defined(_MSC_VER)
#include <intrin.h>
#endif

/* A data cache: 0 bytes if its size is not known, 0 ways if its ways are not. */
typedef struct {
    int64_t bytes, ways;
} bpcore_cache;

#if defined(__x86_64__) || defined(_M_X64)
/* The registers a, b, c, d after CPUID. */
typedef struct {
    uint32_t a, b, c, d;
} bpcore_cpuid_t;

#if defined(BPCORE_GNU_C)
static bpcore_cpuid_t bpcore_cpuid_at(uint32_t leaf, uint32_t part) {
    bpcore_cpuid_t r;
    __asm__("cpuid"
            : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
            : "a"(leaf), "c"(part));
    return r;
}
/* The low half of XCR0. */
static uint32_t bpcore_xcr0(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#else
static bpcore_cpuid_t bpcore_cpuid_at(uint32_t leaf, uint32_t part) {
    int r[4];
    __cpuidex(r, (int)leaf, (int)part);
    return (bpcore_cpuid_t){(uint32_t)r[0], (uint32_t)r[1], (uint32_t)r[2],
                            (uint32_t)r[3]};
}
static uint32_t bpcore_xcr0(void) { return (uint32_t)_xgetbv(0); }
#endif
static bpcore_cpuid_t bpcore_cpuid(uint32_t leaf) { return bpcore_cpuid_at(leaf, 0); }

/* Bit n, and whether all of `bits` are set; numbers as in the processors' manuals. */
#define BIT(n) (UINT32_C(1) << (n))
#define ALL(given, bits) (((given) & (bits)) == (bits))

static int bpcore_has_x86_64_v2(void) { /* SSE4.2, POPCNT */
    return ALL(bpcore_cpuid(1).c, BIT(20) | BIT(23));
}

/* Whether the system saves these registers: bits of XCR0, readable if OSXSAVE is
 * set. */
static int bpcore_saves(uint32_t registers) {
    return ALL(bpcore_cpuid(1).c, BIT(27)) && ALL(bpcore_xcr0(), registers);
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

/* The data or unified cache of a level, 1 or 2, from the leaf for cache parameters: AMD's
 * processors with the topology extensions have their own. */
static bpcore_cache bpcore_data_cache(uint32_t level) {
    const bpcore_cache unknown = {0, 0};
    uint32_t leaf = 4;
    if (bpcore_cpuid(0x80000000).a >= 0x8000001D &&
        ALL(bpcore_cpuid(0x80000001).c, BIT(22)))
        leaf = 0x8000001D;
    else if (bpcore_cpuid(0).a < leaf)
        return unknown;
    for (uint32_t part = 0; part < 16; part++) {
        const bpcore_cpuid_t r = bpcore_cpuid_at(leaf, part);
        const uint32_t type = r.a & 31; /* 0: no more, 1: data, 2: code, 3: both */
        if (type == 0) return unknown;
        if (type == 2 || (r.a >> 5 & 7) != level) continue;
        const int64_t ways = (r.b >> 22) + 1, partitions = (r.b >> 12 & 1023) + 1;
        const int64_t line = (r.b & 4095) + 1, sets = (int64_t)r.c + 1;
        return (bpcore_cache){ways * partitions * line * sets, ways};
    }
    return unknown;
}
#undef BIT
#undef ALL
#else
static int bpcore_has_x86_64_v2(void) { return 0; }
static int bpcore_has_x86_64_v3(void) { return 0; }
static int bpcore_has_x86_64_v4(void) { return 0; }

#if defined(__APPLE__)
static bpcore_cache bpcore_data_cache(uint32_t level) {
    const char *const names[2][2] = {{"hw.perflevel0.l1dcachesize", "hw.l1dcachesize"},
                                     {"hw.perflevel0.l2cachesize", "hw.l2cachesize"}};
    for (int i = 0; i < 2; i++) {
        int64_t bytes = 0;
        size_t size = sizeof(bytes);
        if (!sysctlbyname(names[level - 1][i], &bytes, &size, NULL, 0) && bytes > 0)
            return (bpcore_cache){bytes, 0};
    }
    return (bpcore_cache){0, 0};
}
#elif defined(_SC_LEVEL1_DCACHE_SIZE)
static bpcore_cache bpcore_data_cache(uint32_t level) {
    const int first = level == 1;
    return (bpcore_cache){
        sysconf(first ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE),
        sysconf(first ? _SC_LEVEL1_DCACHE_ASSOC : _SC_LEVEL2_CACHE_ASSOC)};
}
#else
static bpcore_cache bpcore_data_cache(uint32_t level) {
    return (void)level, (bpcore_cache){0, 0};
}
#endif
#endif

static int bpcore_has_arm64(void) { /* every arm64 has NEON with FMA */
#if defined(__aarch64__) || defined(_M_ARM64)
    return 1;
#else
    return 0;
#endif
}

#endif

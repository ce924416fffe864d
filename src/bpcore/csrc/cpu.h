/* Which instruction sets this processor and this operating system allow.  The builtin
 * asks the system too: it reads which registers are saved on a switch of tasks. */

#ifndef BPCORE_CPU_H
#define BPCORE_CPU_H

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS(feature) (__builtin_cpu_supports(feature) != 0)
static int bpcore_has_x86_64_v2(void) { return HAS("sse4.2") && HAS("popcnt"); }
static int bpcore_has_x86_64_v3(void) {
    return bpcore_has_x86_64_v2() && HAS("avx2") && HAS("fma") && HAS("bmi") &&
           HAS("bmi2");
}
static int bpcore_has_x86_64_v4(void) {
    return bpcore_has_x86_64_v3() && HAS("avx512f") && HAS("avx512bw") &&
           HAS("avx512cd") && HAS("avx512dq") && HAS("avx512vl");
}
#undef HAS
#else
static int bpcore_has_x86_64_v2(void) { return 0; }
static int bpcore_has_x86_64_v3(void) { return 0; }
static int bpcore_has_x86_64_v4(void) { return 0; }
#endif

static int bpcore_has_arm64(void) {
#if defined(__aarch64__)
    return 1;
#else
    return 0;
#endif
}

#endif

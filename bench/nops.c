/* A loop of instructions that do nothing: it runs at the rate of the front end. */
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* So few that they stay in the cache of decoded instructions. */
#define PER_LOOP 36

/* Runs so many loops; returns their nops. */
long long nops(long long loops)
{
    for (long long i = 0; i < loops; i++)
        __asm__ volatile(".rept 36\n\tnop\n\t.endr");
    return loops * PER_LOOP;
}

/* The time stamp counter, whose rate is constant; 0 where there is none. */
long long ticks(void)
{
#if defined(__x86_64__)
    return (long long)__rdtsc();
#else
    return 0;
#endif
}

/* What the compiler has beyond standard C, and what stands for it elsewhere.
 *
 * BPCORE_GNU_C: the extensions of GNU C, such as vector types, inline assembler and
 * atomic builtins.  GCC and every Clang have them; clang-cl does not define __GNUC__. */

#ifndef BPCORE_COMPILER_H
#define BPCORE_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define BPCORE_GNU_C
#endif

/* BPCORE_SMALL: a build that may be slow.  Its loops are not unrolled, and each function
 * is compiled once instead of into every caller. */

/* GCC unrolls short constant loops before it allocates registers only with a pragma. */
#if defined(BPCORE_GNU_C) && !defined(__clang__) && !defined(BPCORE_SMALL)
#define BPCORE_UNROLL _Pragma("GCC unroll 16")
#define BPCORE_UNROLL_4 _Pragma("GCC unroll 4")
#else
#define BPCORE_UNROLL
#define BPCORE_UNROLL_4
#endif

#if defined(BPCORE_GNU_C) && !defined(BPCORE_SMALL)
/* GCC and Clang inline the tile into every shape only with an attribute. */
#define BPCORE_INLINE static inline __attribute__((always_inline))
#else
#define BPCORE_INLINE static inline
#endif

#if defined(BPCORE_GNU_C)
#define BPCORE_NOINLINE __attribute__((noinline))
/* Into the second-level cache, or the first. */
#define BPCORE_PREFETCH(at) __builtin_prefetch(at, 0, 2)
#define BPCORE_PREFETCH_NEAR(at) __builtin_prefetch(at, 0, 3)
/* A pointer that the compiler does not replace by another and an offset. */
#define BPCORE_OPAQUE(pointer) __asm__("" : "+r"(pointer))
#else
#define BPCORE_NOINLINE
#define BPCORE_PREFETCH(at) ((void)(at))
#define BPCORE_PREFETCH_NEAR(at) ((void)(at))
#define BPCORE_OPAQUE(pointer) ((void)(pointer))
#endif

/* A symbol that other object files of this module see, and other modules do not. */
#if defined(BPCORE_GNU_C) && !defined(_WIN32)
#define BPCORE_HIDDEN __attribute__((visibility("hidden")))
#else
#define BPCORE_HIDDEN
#endif

/* A function that programs find by its name. */
#if defined(_WIN32)
#define BPCORE_EXPORT __declspec(dllexport)
#elif defined(BPCORE_GNU_C)
#define BPCORE_EXPORT __attribute__((visibility("default")))
#else
#define BPCORE_EXPORT
#endif

#endif

/* The kernels of both dtypes, written once and included per dtype. */

#ifndef BPCORE_DTYPES_H
#define BPCORE_DTYPES_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "norms.h"
#include "product.h"
#include "random.h"
#include "table.h"
#include "types.h"
#include "worker.h"

/* Per instruction set: name, register width, rows of the register tile.  The tile uses
 * TILE_ROWS x 2 vectors for sums, two for B and one for A:
 *     x86_64_v4, arm64   16 + 2 + 1 of 32 registers
 *     x86_64_v3, _v2     12 + 2 + 1 of 16 registers
 * (12 and 14 rows were no faster on x86_64_v4, see docs/decisions.md).
 *
 * TILE_TERMS: terms per iteration of a tile whose operands are copied.
 * TILE_PREFETCHES: whether a tile prefetches C and what its epilogue reads.  Both were
 * measured on x86_64_v3 and v4; on v4 prefetching was slower (docs/decisions.md). */
#if defined(BPCORE_ISA_X86_64_V4)
#include <immintrin.h>
#define BPCORE_ISA x86_64_v4
#define BPCORE_VECTOR_BYTES 64
#define BPCORE_TILE_ROWS 8
#define BPCORE_TILE_TERMS 4
#define BPCORE_TILE_PREFETCHES 0
#elif defined(BPCORE_ISA_X86_64_V3)
#include <immintrin.h>
#define BPCORE_ISA x86_64_v3
#define BPCORE_VECTOR_BYTES 32
#define BPCORE_TILE_ROWS 6
#define BPCORE_TILE_TERMS 4
#define BPCORE_TILE_PREFETCHES 1
#elif defined(BPCORE_ISA_X86_64_V2)
#include <emmintrin.h>
#define BPCORE_ISA x86_64_v2
#define BPCORE_VECTOR_BYTES 16
#define BPCORE_TILE_ROWS 6
#elif defined(BPCORE_ISA_ARM64)
#include <arm_neon.h>
#define BPCORE_ISA arm64
#define BPCORE_VECTOR_BYTES 16
#define BPCORE_TILE_ROWS 8
#elif defined(BPCORE_ISA_SCALAR)
#define BPCORE_ISA scalar
#define BPCORE_TILE_ROWS 4
#else
#error "the build must define one BPCORE_ISA_..."
#endif
#if !defined(BPCORE_TILE_TERMS)
#define BPCORE_TILE_TERMS 1
#define BPCORE_TILE_PREFETCHES 0
#endif

/* X(1) X(2) ... X(BPCORE_TILE_ROWS) */
#define BPCORE_ROWS_TO_4(X) X(1) X(2) X(3) X(4)
#define BPCORE_ROWS_TO_6(X) BPCORE_ROWS_TO_4(X) X(5) X(6)
#define BPCORE_ROWS_TO_8(X) BPCORE_ROWS_TO_6(X) X(7) X(8)
#if BPCORE_TILE_ROWS == 8
#define BPCORE_EACH_TILE_ROWS BPCORE_ROWS_TO_8
#elif BPCORE_TILE_ROWS == 6
#define BPCORE_EACH_TILE_ROWS BPCORE_ROWS_TO_6
#else
#define BPCORE_EACH_TILE_ROWS BPCORE_ROWS_TO_4
#endif

/* Shared by both dtypes, in float64 (prepare.h). */
static void bpcore_prepare(bpcore_optimizer *o, double lr, int64_t t);
static void bpcore_widen(const bpcore_optimizer *o, double g, double *w, double *state);
static int bpcore_squares_at(bpcore_rule rule);

#define REAL float
#define INT int32_t
#define INT_SIGN_BIT INT32_MIN
#define REAL_BITS 32
#define T(name) name##_f32
#define X86(name) name##s
#define X86_FMA "vfmadd231ps"
#define ARM(name) name##32
#define MASK512 __mmask16
#define TAIL_MASKS {-1, -1, -1, -1, -1, -1, -1, -1}
#define LARGEST FLT_MAX
#define SCALAR_FMA fmaf
#define SCALAR_SQRT sqrtf
#include "dtype.h"

#define REAL double
#define INT int64_t
#define INT_SIGN_BIT INT64_MIN
#define REAL_BITS 64
#define T(name) name##_f64
#define X86(name) name##d
#define X86_FMA "vfmadd231pd"
#define ARM(name) name##64
#define MASK512 __mmask8
#define TAIL_MASKS {-1, -1, -1, -1}
#define LARGEST DBL_MAX
#define SCALAR_FMA fma
#define SCALAR_SQRT sqrt
#include "dtype.h"

#include "prepare.h"
#include "bounds.h"

#endif

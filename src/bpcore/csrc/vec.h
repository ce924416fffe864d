/* Vector operations: the few in which instruction sets differ, and those built from
 * them.  Included once per dtype by dtypes.h with
 *
 *     REAL  float or double     INT  the signed integer of the same width
 *     T(x)  x_f32 or x_f64
 *
 * One of BPCORE_ISA_SCALAR, _X86_64_V2, _X86_64_V3, _X86_64_V4, _ARM64 is set
 * by the build, never derived from compiler macros.
 *
 * Every function is exact or correctly rounded, so a formula written in it has
 * the same bits in every build with a fused multiply-add (all but x86_64_v2). */

#if defined(BPCORE_ISA_SCALAR)
typedef REAL T(vec);
typedef INT T(ivec);
typedef REAL T(vec_unaligned);
#else
typedef REAL T(vec) __attribute__((vector_size(BPCORE_VECTOR_BYTES)));
typedef INT T(ivec) __attribute__((vector_size(BPCORE_VECTOR_BYTES)));
typedef REAL T(vec_unaligned) __attribute__((
    vector_size(BPCORE_VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#endif

/* Lanes per register, columns per register tile, columns per tile of a single row. */
enum {
    T(LANES) = sizeof(T(vec)) / sizeof(REAL),
    T(NR) = 2 * T(LANES),
    T(WIDE) = 8 * T(LANES)
};

static inline T(vec) T(load)(const REAL *p) { return *(const T(vec_unaligned) *)p; }
static inline void T(store)(REAL *p, T(vec) a) { *(T(vec_unaligned) *)p = a; }

static inline REAL T(first_lane)(T(vec) a) {
#if defined(BPCORE_ISA_SCALAR)
    return a;
#else
    return a[0];
#endif
}

/* (x, x, ..., x); x - 0 keeps the sign of a negative zero, x + 0 would not. */
static inline T(vec) T(broadcast)(REAL x) { return x - (T(vec)){0}; }
static inline T(ivec) T(broadcast_int)(INT x) { return x - (T(ivec)){0}; }

/* The same bits read as the other type. */
static inline T(ivec) T(bits)(T(vec) a) {
    union { T(vec) real; T(ivec) integer; } u = {.real = a};
    return u.integer;
}
static inline T(vec) T(from_bits)(T(ivec) a) {
    union { T(ivec) integer; T(vec) real; } u = {.integer = a};
    return u.real;
}

/* Lanes of all ones where a < b (never for NaN), all zeros elsewhere. */
static inline T(ivec) T(less)(T(vec) a, T(vec) b) {
#if defined(BPCORE_ISA_SCALAR)
    return -(INT)(a < b);
#else
    return a < b;
#endif
}
static inline T(ivec) T(equal)(T(vec) a, T(vec) b) {
#if defined(BPCORE_ISA_SCALAR)
    return -(INT)(a == b);
#else
    return a == b;
#endif
}

static inline T(ivec) T(equal_int)(T(ivec) a, T(ivec) b) {
#if defined(BPCORE_ISA_SCALAR)
    return -(INT)(a == b);
#else
    return a == b;
#endif
}

/* Lanes where a is -0. */
static inline T(ivec) T(minus_zeros)(T(vec) a) {
    return T(equal_int)(T(bits)(a), T(broadcast_int)(INT_SIGN_BIT));
}

/* Whether any bit is set. */
static inline int T(any)(T(ivec) a) {
#if defined(BPCORE_ISA_X86_64_V4)
    return _mm512_test_epi64_mask((__m512i)a, (__m512i)a) != 0;
#elif defined(BPCORE_ISA_X86_64_V3)
    return !_mm256_testz_si256((__m256i)a, (__m256i)a);
#else
    INT lanes[T(LANES)], any = 0;
    memcpy(lanes, &a, sizeof(a));
    for (int i = 0; i < T(LANES); i++) any |= lanes[i];
    return any != 0;
#endif
}

/* Whether `count` elements, in whole words of 8 bytes, are all 0, of either sign. */
BPCORE_INLINE int T(are_zeros)(const REAL *x, const int count) {
    const uint64_t signs = sizeof(REAL) == 4 ? 0x8000000080000000u : 1ull << 63;
    const int words = count * (int)sizeof(REAL) / 8;
    uint64_t any = 0;
    BPCORE_UNROLL for (int i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, (const char *)x + 8 * i, 8);
        any |= word;
    }
    return (any & ~signs) == 0;
}

/* A mask of lane i: all ones there, all zeros elsewhere. */
static inline T(ivec) T(lane_mask)(int64_t i) {
#if defined(BPCORE_ISA_SCALAR)
    return -(INT)(i == 0);
#else
    static const INT numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    T(ivec) lanes;
    memcpy(&lanes, numbers, sizeof(lanes));
    return lanes == T(broadcast_int)((INT)i);
#endif
}

/* a where the mask is set, b elsewhere. */
static inline T(vec) T(select)(T(ivec) mask, T(vec) a, T(vec) b) {
    return T(from_bits)((mask & T(bits)(a)) | (~mask & T(bits)(b)));
}
static inline T(vec) T(abs)(T(vec) a) {
    return T(select)(T(broadcast_int)(INT_SIGN_BIT), (T(vec)){0}, a);
}
/* |a| with the sign of b. */
static inline T(vec) T(copysign)(T(vec) a, T(vec) b) {
    return T(select)(T(broadcast_int)(INT_SIGN_BIT), b, a);
}

/* a if a < b else b, and a if a > b else b; hence b where either is NaN or both are
 * 0. */
static inline T(vec) T(min)(T(vec) a, T(vec) b) {
#if defined(BPCORE_ISA_X86_64_V4)
    return X86(_mm512_min_p)(a, b);
#elif defined(BPCORE_ISA_X86_64_V3)
    return X86(_mm256_min_p)(a, b);
#elif defined(BPCORE_ISA_X86_64_V2)
    return X86(_mm_min_p)(a, b);
#else
    return T(select)(T(less)(a, b), a, b);
#endif
}
static inline T(vec) T(max)(T(vec) a, T(vec) b) {
#if defined(BPCORE_ISA_X86_64_V4)
    return X86(_mm512_max_p)(a, b);
#elif defined(BPCORE_ISA_X86_64_V3)
    return X86(_mm256_max_p)(a, b);
#elif defined(BPCORE_ISA_X86_64_V2)
    return X86(_mm_max_p)(a, b);
#else
    return T(select)(T(less)(b, a), a, b);
#endif
}

/* The square root, correctly rounded. */
static inline T(vec) T(sqrt)(T(vec) a) {
#if defined(BPCORE_ISA_X86_64_V4)
    return X86(_mm512_sqrt_p)(a);
#elif defined(BPCORE_ISA_X86_64_V3)
    return X86(_mm256_sqrt_p)(a);
#elif defined(BPCORE_ISA_X86_64_V2)
    return X86(_mm_sqrt_p)(a);
#elif defined(BPCORE_ISA_ARM64)
    return ARM(vsqrtq_f)(a);
#else
    return SCALAR_SQRT(a);
#endif
}

/* 1 above 0, -1 below; zeros of both signs and NaN are returned unchanged. */
static inline T(vec) T(sign)(T(vec) a) {
    const T(ivec) nonzero = T(less)((T(vec)){0}, T(abs)(a));
    return T(select)(nonzero, T(copysign)(T(broadcast)(1), a), a);
}

/* a * b + c, rounded once (x86_64_v2 has no such instruction: rounded twice). */
static inline T(vec) T(fma)(T(vec) a, T(vec) b, T(vec) c) {
#if defined(BPCORE_ISA_X86_64_V4)
    return X86(_mm512_fmadd_p)(a, b, c);
#elif defined(BPCORE_ISA_X86_64_V3)
    return X86(_mm256_fmadd_p)(a, b, c);
#elif defined(BPCORE_ISA_X86_64_V2)
    return a * b + c;
#elif defined(BPCORE_ISA_ARM64)
    return ARM(vfmaq_f)(c, a, b);
#else
    return SCALAR_FMA(a, b, c);
#endif
}

/* sum = a * b + sum, rounded once.  For AVX2 in assembler: with 16 registers, GCC copies
 * and spills sums of an unrolled loop that it compiles from C. */
BPCORE_INLINE void T(accumulate)(T(vec) *sum, T(vec) a, T(vec) b) {
#if defined(BPCORE_ISA_X86_64_V3)
    __asm__(X86_FMA " %2, %1, %0" : "+x"(*sum) : "x"(a), "x"(b));
#else
    *sum = T(fma)(a, b, *sum);
#endif
}

/* --- tails: the first `count` lanes, 0 < count <= LANES.  Loads set the other lanes to
 * zero; `join` takes them from b --- */

#if defined(BPCORE_ISA_X86_64_V4)
typedef MASK512 T(tail);
static inline T(tail) T(make_tail)(ptrdiff_t count) {
    return (MASK512)((1u << count) - 1u);
}
static inline T(vec) T(load_tail)(const REAL *p, T(tail) tail) {
    return X86(_mm512_maskz_loadu_p)(tail, p);
}
static inline void T(store_tail)(REAL *p, T(vec) a, T(tail) tail) {
    X86(_mm512_mask_storeu_p)(p, tail, a);
}
static inline T(vec) T(join)(T(tail) tail, T(vec) a, T(vec) b) {
    return X86(_mm512_mask_mov_p)(b, tail, a);
}
#elif defined(BPCORE_ISA_X86_64_V3)
typedef __m256i T(tail);
static inline T(tail) T(make_tail)(ptrdiff_t count) {
    static const INT ones_then_zeros[2 * T(LANES)] = TAIL_MASKS;
    return _mm256_loadu_si256((const __m256i *)(ones_then_zeros + T(LANES) - count));
}
static inline T(vec) T(load_tail)(const REAL *p, T(tail) tail) {
    return X86(_mm256_maskload_p)(p, tail);
}
/* In pieces of 16, 8 and 4 bytes: a masked store takes 12 cycles on AMD's processors. */
static inline void T(store_tail)(REAL *p, T(vec) a, T(tail) tail) {
    const int bytes = __builtin_popcount((unsigned)_mm256_movemask_epi8(tail));
    __m256i rest = (__m256i)a;
    char *to = (char *)p;
    if (bytes & 32) return (void)_mm256_storeu_si256((__m256i_u *)p, rest);
    __m128i half = _mm256_castsi256_si128(rest);
    if (bytes & 16) {
        _mm_storeu_si128((__m128i_u *)to, half);
        to += 16, half = _mm256_extracti128_si256(rest, 1);
    }
    if (bytes & 8) {
        _mm_storel_epi64((__m128i_u *)to, half);
        to += 8, half = _mm_unpackhi_epi64(half, half);
    }
    /* GCC 9 and 10 have no _mm_storeu_si32. */
    if (bytes & 4) _mm_store_ss((float *)to, _mm_castsi128_ps(half));
}
static inline T(vec) T(join)(T(tail) tail, T(vec) a, T(vec) b) {
    return T(select)((T(ivec))tail, a, b);
}
#elif defined(BPCORE_ISA_SCALAR) /* its one lane is always whole */
typedef int T(tail);
static inline T(tail) T(make_tail)(ptrdiff_t count) { return (void)count, 1; }
static inline T(vec) T(load_tail)(const REAL *p, T(tail) tail) { return (void)tail, *p; }
static inline void T(store_tail)(REAL *p, T(vec) a, T(tail) tail) { (void)tail, *p = a; }
static inline T(vec) T(join)(T(tail) tail, T(vec) a, T(vec) b) {
    return (void)tail, (void)b, a;
}
#else
typedef ptrdiff_t T(tail);
static inline T(tail) T(make_tail)(ptrdiff_t count) { return count; }
static inline T(vec) T(load_tail)(const REAL *p, T(tail) tail) {
    REAL lanes[T(LANES)] = {0};
    for (ptrdiff_t i = 0; i < tail; i++) lanes[i] = p[i];
    return T(load)(lanes);
}
static inline void T(store_tail)(REAL *p, T(vec) a, T(tail) tail) {
    REAL lanes[T(LANES)];
    T(store)(lanes, a);
    for (ptrdiff_t i = 0; i < tail; i++) p[i] = lanes[i];
}
static inline T(vec) T(join)(T(tail) tail, T(vec) a, T(vec) b) {
    REAL lanes[T(LANES)];
    T(store)(lanes, b);
    T(store_tail)(lanes, a, tail);
    return T(load)(lanes);
}
#endif

/* --- shuffles, with the same order of lanes in every build --- */

#if defined(BPCORE_ISA_SCALAR)
#define FOLD(combine, a) ((void)0)
static inline void T(transpose)(T(vec) *rows) { (void)rows; }
BPCORE_INLINE void T(load_transposed)(T(vec) *column, const REAL *from, ptrdiff_t row,
                                   const ptrdiff_t rows) {
    *column = rows > 0 ? *from : 0, (void)row;
}
#else
/* GCC has Clang's name for it since version 12. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (T(ivec)){__VA_ARGS__})
#endif

/* ZIP: the lower or upper halves of two vectors, interleaved; with AVX2, whose shuffles
 * stay within half a register, those of each half, and HALVES are the lower or upper
 * halves of two vectors. FOLD: a reduction of the lanes of `a` in halves.  Each lane is
 * combined with the lane half a vector away, then a quarter away, and so on; the result
 * is in the first lane. */
#define SWAP(combine, a, ...) a = combine(a, SHUFFLE(a, a, __VA_ARGS__))
#if BPCORE_VECTOR_BYTES * 8 / REAL_BITS == 16
#define ZIP_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define FOLD(combine, a)                                                           \
    SWAP(combine, a, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);         \
    SWAP(combine, a, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);         \
    SWAP(combine, a, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);         \
    SWAP(combine, a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#elif BPCORE_VECTOR_BYTES * 8 / REAL_BITS == 8
#if BPCORE_VECTOR_BYTES == 32
#define ZIP_LOW 0, 8, 1, 9, 4, 12, 5, 13
#define ZIP_HIGH 2, 10, 3, 11, 6, 14, 7, 15
#define LOW_HALVES 0, 1, 2, 3, 8, 9, 10, 11
#define HIGH_HALVES 4, 5, 6, 7, 12, 13, 14, 15
#else
#define ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#endif
#define FOLD(combine, a)                           \
    SWAP(combine, a, 4, 5, 6, 7, 0, 1, 2, 3);       \
    SWAP(combine, a, 2, 3, 0, 1, 6, 7, 4, 5);       \
    SWAP(combine, a, 1, 0, 3, 2, 5, 4, 7, 6)
#elif BPCORE_VECTOR_BYTES * 8 / REAL_BITS == 4
#if BPCORE_VECTOR_BYTES == 32
#define ZIP_LOW 0, 4, 2, 6
#define ZIP_HIGH 1, 5, 3, 7
#define LOW_HALVES 0, 1, 4, 5
#define HIGH_HALVES 2, 3, 6, 7
#else
#define ZIP_LOW 0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#endif
#define FOLD(combine, a)               \
    SWAP(combine, a, 2, 3, 0, 1);       \
    SWAP(combine, a, 1, 0, 3, 2)
#else
#define ZIP_LOW 0, 2
#define ZIP_HIGH 1, 3
#define FOLD(combine, a) SWAP(combine, a, 1, 0)
#endif

/* rows[i] = (low half of rows[i], low half of rows[i + GROUP]),
 * rows[i + GROUP] = the same of their high halves, if ZIP acts on halves */
static inline void T(exchange_halves)(T(vec) *rows) {
    (void)rows;
#if defined(LOW_HALVES)
    enum { GROUP = T(LANES) / 2 };
    BPCORE_UNROLL for (int i = 0; i < GROUP; i++) {
        const T(vec) a = rows[i], b = rows[i + GROUP];
        rows[i] = SHUFFLE(a, b, LOW_HALVES);
        rows[i + GROUP] = SHUFFLE(a, b, HIGH_HALVES);
    }
#endif
}

/* Perfect shuffles, in two groups if ZIP acts on halves. */
static inline void T(zip)(T(vec) *rows) {
    T(vec) zipped[T(LANES)];
#if defined(LOW_HALVES)
    enum { GROUP = T(LANES) / 2 };
#else
    enum { GROUP = T(LANES) };
#endif
    BPCORE_UNROLL for (int length = 1; length < GROUP; length *= 2) {
        BPCORE_UNROLL for (int g = 0; g < T(LANES); g += GROUP)
            BPCORE_UNROLL for (int i = 0; i < GROUP / 2; i++) {
                const T(vec) a = rows[g + i], b = rows[g + i + GROUP / 2];
                zipped[g + 2 * i] = SHUFFLE(a, b, ZIP_LOW);
                zipped[g + 2 * i + 1] = SHUFFLE(a, b, ZIP_HIGH);
            }
        BPCORE_UNROLL for (int i = 0; i < T(LANES); i++) rows[i] = zipped[i];
    }
}

/* Transposes LANES x LANES elements. */
static inline void T(transpose)(T(vec) *rows) {
    T(exchange_halves)(rows);
    T(zip)(rows);
}

/* column[k][r] = from[r row + k] for LANES columns; lanes from `rows` on are 0.  With
 * AVX2 halves of rows are joined as they are loaded, which takes no shuffle. */
BPCORE_INLINE void T(load_transposed)(T(vec) *column, const REAL *from, ptrdiff_t row,
                                      const ptrdiff_t rows) {
#if defined(BPCORE_ISA_X86_64_V3)
    enum { GROUP = T(LANES) / 2 };
    /* strides that no address of x86 has, in registers of their own */
    ptrdiff_t row3 = 3 * row, row5 = 5 * row, row7 = 7 * row;
    BPCORE_OPAQUE(row3);
    BPCORE_OPAQUE(row5);
    BPCORE_OPAQUE(row7);
    BPCORE_UNROLL for (int i = 0; i < T(LANES); i++) {
        const REAL *at = from + i / GROUP * GROUP;
        __m128i half[2];
        BPCORE_UNROLL for (int h = 0; h < 2; h++) {
            const int r = i % GROUP + h * GROUP;
            const ptrdiff_t offset = r == 3   ? row3
                                     : r == 5 ? row5
                                     : r == 6 ? 2 * row3
                                     : r == 7 ? row7
                                              : r * row;
            half[h] = r < rows ? _mm_loadu_si128((const __m128i_u *)(at + offset))
                               : _mm_setzero_si128();
        }
        column[i] = (T(vec))_mm256_inserti128_si256(_mm256_castsi128_si256(half[0]),
                                                    half[1], 1);
    }
    T(zip)(column);
#else
    BPCORE_UNROLL for (int r = 0; r < T(LANES); r++)
        column[r] = r < rows ? T(load)(from + r * row) : (T(vec)){0};
    T(transpose)(column);
#endif
}
#endif

/* The sum and the maximum of all lanes, reduced in halves. */
static inline T(vec) T(plus)(T(vec) a, T(vec) b) { return a + b; }
static inline REAL T(sum_of_lanes)(T(vec) a) {
    FOLD(T(plus), a);
    return T(first_lane)(a);
}
static inline REAL T(max_of_lanes)(T(vec) a) {
    FOLD(T(max), a);
    return T(first_lane)(a);
}
#undef ZIP_LOW
#undef ZIP_HIGH
#undef LOW_HALVES
#undef HIGH_HALVES
#undef SWAP
#undef FOLD
#undef SHUFFLE

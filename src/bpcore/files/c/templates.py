"""The fixed text of a C header."""

from __future__ import annotations

from string import Template

#: For each dtype: the user's macro of a fused multiply-add, the compiler's function,
#: and what is defined where the processor has an instruction for it.
FMA = {
    "float32": (
        "BPCORE_FMAF",
        "__builtin_fmaf",
        "defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__) ||",
        "defined(__ARM_FEATURE_FMA) ||",
        "(defined(__riscv_flen) && __riscv_flen >= 32)",
    ),
    "float64": (
        "BPCORE_FMA",
        "__builtin_fma",
        "defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__) ||",
        "(defined(__ARM_FEATURE_FMA) && (__ARM_FP & 8)) ||",
        "(defined(__riscv_flen) && __riscv_flen >= 64)",
    ),
}

#: Largest relative difference of a test without a fused multiply-add.
TOLERANCE = {"float32": "1e-4f", "float64": "1e-12"}

ABOUT = Template("""\
$name.h: $what
Written by bpcore $version.  C99; it needs <stdint.h> only: no library, no heap.

    flash   $flash bytes of constants, and the code of the functions
    RAM     $ram bytes of values between layers, while ${name}_predict runs

    void ${name}_predict(const $x_real x[$n_in], $out_real out[$n_out])
$functions    int ${name}_self_test(void)
        The number of outputs of $rows test vectors that are wrong: 0.

The values between layers are on the stack; define BPCORE_SCRATCH as `static` before
this file is included to have them in static memory (then one call at a time).

The outputs have the same bits as those of `predict` in Python$whose if a * b + c
is computed as a fused multiply-add, which is rounded once.  This file does so where
the compiler says that the processor has an instruction for it (on x86-64 with -mfma
or -march=native).  Elsewhere a * b + c is rounded twice, and the last digits of the
outputs differ; then ${upper}_EXACT is 0, and ${name}_self_test allows for it.  To have
the same bits there too, define $macros before this file is
included, for example as $fma of <math.h>, which may be slow.
Compile without options by which a compiler may reorder or shorten arithmetic.
$notes""")

#: Products and sums that are written apart stay apart.
BEGIN = """
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif
"""
END = """
#if defined(__clang__)
#pragma STDC FP_CONTRACT DEFAULT
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif

#endif
"""

TOP = Template("""\
#ifndef ${upper}_H
#define ${upper}_H

#include <stdint.h>

#define ${upper}_N_IN $n_in
#define ${upper}_N_OUT $n_out
#define ${upper}_RAM $ram_number

#ifndef BPCORE_SCRATCH
#define BPCORE_SCRATCH
#endif
""")

FMA_MACRO = Template("""
/* a b + c, rounded once if ${prefix}_EXACT */
#if defined($macro)
#define ${prefix}_FMA(a, b, c) $macro(a, b, c)
#define ${prefix}_EXACT 1
#elif (defined(__GNUC__) || defined(__clang__)) && \\
    ($condition)
#define ${prefix}_FMA(a, b, c) $function(a, b, c)
#define ${prefix}_EXACT 1
#else
#define ${prefix}_FMA(a, b, c) ((a) * (b) + (c))
#define ${prefix}_EXACT 0
#endif
""")

PREDICT = Template("""
static inline void ${name}_predict(const $x_real x[$n_in], $out_real out[$n_out]) {
$body}
""")

#: The function of the class, by the rule.
LABELS = {
    "": Template(""),
    "half": Template("""
static inline int ${name}_label(const $out_real out[1]) {
    return out[0] > ($out_real)0.5;
}
"""),
    "largest": Template("""
static inline int ${name}_label(const $out_real out[$n_out]) {
    int label = 0;
    for (int i = 1; i < $n_out; i++) label = out[i] > out[label] ? i : label;
    return label;
}
"""),
}

SELF_TEST = Template("""
static inline int ${name}_self_test(void) {
    static const $x_real x[$rows][$n_in] = {
$x
    };
    static const $out_real expected[$rows][$n_out] = {
$expected
    };
    $out_real out[$n_out];
    int wrong = 0;
    for (int i = 0; i < $rows; i++) {
        ${name}_predict(x[i], out);
        for (int j = 0; j < $n_out; j++) {
            const $out_real y = expected[i][j], size = y < 0 ? -y : y;
            const $out_real difference = out[j] > y ? out[j] - y : y - out[j];
            const int near = difference <= $tolerance * (1 + size);
            const int nans = y != y && out[j] != out[j];
            wrong += !($bits(out[j]) == $bits(y) || nans || (!${upper}_EXACT && near));
        }
    }
    return wrong;
}
""")

/* The kernels of both dtypes for one instruction set, BPCORE_ISA_... (vec.h): setup.py
 * compiles this file once for each, with its flags. */

#include "dtypes.h"
#include "table.h"

#define BPCORE_QUOTED(isa) BPCORE_QUOTED_ISA(isa)
#define BPCORE_QUOTED_ISA(isa) #isa

extern BPCORE_HIDDEN const bpcore_kernels BPCORE_KERNELS(BPCORE_ISA);

const bpcore_kernels BPCORE_KERNELS(BPCORE_ISA) = {
    .isa = BPCORE_QUOTED(BPCORE_ISA),
    .compiler = BPCORE_COMPILER,
    .flags = BPCORE_FLAGS,
    .tile_rows = BPCORE_TILE_ROWS,
    .f32 = &table_f32,
    .f64 = &table_f64,
};

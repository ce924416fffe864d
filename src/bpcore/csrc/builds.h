/* The linked builds of the kernels: setup.py defines BPCORE_BUILDS as X(isa) X(isa)
 * ..., the best first and scalar last. */

#ifndef BPCORE_BUILDS_H
#define BPCORE_BUILDS_H

#include "table.h"

#define X(isa) extern BPCORE_HIDDEN const bpcore_kernels BPCORE_KERNELS(isa);
BPCORE_BUILDS
#undef X

#define X(isa) &BPCORE_KERNELS(isa),
static const bpcore_kernels *const bpcore_builds[] = {BPCORE_BUILDS NULL};
#undef X

#endif

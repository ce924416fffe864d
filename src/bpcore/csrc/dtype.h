/* All code of one dtype.  dtypes.h defines its macros, this file undefines them. */

#include "vec.h"
#include "elementary.h"
#include "arrays.h"
#include "finish.h"
#include "descent.h"
#include "rows.h"
#include "activations.h"
#include "losses.h"
#include "normalise.h"
#include "noise.h"
#include "tile.h"
#include "list.h"
#include "plan.h"
#include "pack.h"
#include "nest.h"
#include "row_forward.h"
#include "row_backward.h"
#include "rank_one.h"
#include "sparse_row.h"
#include "layer.h"

#undef REAL
#undef INT
#undef INT_SIGN_BIT
#undef REAL_BITS
#undef T
#undef X86
#undef X86_FMA
#undef ARM
#undef MASK512
#undef TAIL_MASKS
#undef LARGEST
#undef SCALAR_FMA
#undef SCALAR_SQRT

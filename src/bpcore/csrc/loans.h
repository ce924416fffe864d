/* Two counts of loans, both safe without the GIL: of those that are not returned yet,
 * and of all that were ever made. */

#ifndef BPCORE_LOANS_H
#define BPCORE_LOANS_H

#include "atomics.h"

typedef struct {
    size_t open, made;
} bpcore_loans;

static inline void bpcore_lend(bpcore_loans *loans) {
    bpcore_add(&loans->open, 1, BPCORE_SEQ_CST);
    bpcore_add(&loans->made, 1, BPCORE_SEQ_CST);
}
static inline void bpcore_return(bpcore_loans *loans) {
    bpcore_add(&loans->open, (size_t)-1, BPCORE_SEQ_CST);
}

/* Whether none is open, and none was made meanwhile; `made` is set to the number of loans
 * so far. */
static inline int bpcore_none_open(const bpcore_loans *loans, size_t *made) {
    *made = bpcore_load(&loans->made, BPCORE_SEQ_CST);
    return bpcore_load(&loans->open, BPCORE_SEQ_CST) == 0 &&
           bpcore_load(&loans->made, BPCORE_SEQ_CST) == *made;
}

#endif

/* The number of state arrays of an update rule. */

#ifndef BPCORE_STATES_H
#define BPCORE_STATES_H

#include "types.h"

/* How many arrays a step with these settings reads and writes (descent.h). */
static inline int bpcore_states_needed(const bpcore_optimizer *o) {
    switch (o->rule) {
    case BPCORE_PLAIN:
        return 0;
    case BPCORE_SGD:
        return o->momentum != 0;
    case BPCORE_PLAIN_MOMENTUM:
    case BPCORE_PLAIN_NESTEROV:
    case BPCORE_MOMENTUM:
    case BPCORE_ADAGRAD:
    case BPCORE_LION:
        return 1;
    case BPCORE_RMSPROP:
        return o->centered ? 3 : o->momentum != 0 ? 2 : 1;
    case BPCORE_AMSGRAD:
        return 3;
    default: /* Adam and its other variants, Rprop */
        return 2;
    }
}

#endif

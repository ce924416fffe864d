"""Training on several processes by MPI, with the same bits on any number of them.

The files in the source::

    fit          the function `fit`
    preparation  its arguments, checked before anything changes
    resuming     going on with the fit of a file
    training     a fit that shares its work, as far as it differs from another
    epochs       steps from a mini-batch of every shard
    exchange     the messages of one step
    sums         sums of the gradients of a process
    weights      weights of rows, scaled over all processes
    spread       networks spread over processes, for fit_many
    states       states as bytes
    agreement    what the processes must have in common
    mpi          messages by MPI, and the choice of the processes
    liveness     notices that a process has failed
    team         what processes exchange, by any transport
    sources      where the rows of shards come from: arrays, functions, iterables
    shards       which rows belong to which shard
    parts        which parameters belong to which process
    norm         the norm of a gradient in parts
    tree         the order in which gradients are added
"""

from bpcore.distributed.fit import fit
from bpcore.errors import ProcessError

__all__ = ["ProcessError", "fit"]

"""What a training step does, number by number: ``bpcore.trace``.

::

    record       one step, with everything it computes kept: trace
    values       Trace: those numbers, by the names of the equations
    paths        one derivative as the sum over all paths, and layer by layer
      counts       what each of the two costs
      path_text    both written out
    weighting    how weights of samples and classes enter the loss
    derivation   every equation of the step beside its numbers
    text, html   the derivation, to be read
    picture      the network with its activations, deltas and changes
    flow         norms, dead and saturated units over the epochs of a fit
"""

from bpcore.tracing.flow import GradientFlow
from bpcore.tracing.paths import PathSum
from bpcore.tracing.record import trace
from bpcore.tracing.step import Parameters, Trace

__all__ = ["GradientFlow", "Parameters", "PathSum", "Trace", "trace"]

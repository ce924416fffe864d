"""What a training step does, number by number: ``bpcore.trace``.

::

    flow                GradientFlow: norms, dead and saturated units over the epochs
      flow_picture        drawn over the epochs
      flow_columns        what each record has
    record              one step, with everything that it computes kept: trace
    traced              Trace: the step, to be printed, plotted and read
    picture             the network with its activations, deltas and changes
    path_sum            PathSum: one derivative along all paths, and layer by layer
      path_text           both written out
      paths               the paths, and the product along each of them
      counts              what each of the two costs
    text, html          the derivation, to be read
    derivation          every equation of the step beside its numbers
      rules               those of the update
      weighting           how weights of samples and classes enter the loss
      section             lines and sections
    step                Step: the numbers, by the names of the equations
    parameters          what the step changes, before and after it
    memory              a warning before much memory is taken

Each file imports only from those below it and from those indented under it.
"""

from bpcore.tracing.flow import GradientFlow
from bpcore.tracing.parameters import Parameters
from bpcore.tracing.path_sum import PathSum
from bpcore.tracing.record import trace
from bpcore.tracing.traced import Trace

__all__ = ["GradientFlow", "Parameters", "PathSum", "Trace", "trace"]

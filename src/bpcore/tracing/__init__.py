"""Tracing: all numbers of one training step, ``bpcore.trace``.

::

    flow                GradientFlow: norms, dead and saturated units over the epochs
      flow_picture        drawn over the epochs
      flow_columns        the quantities of each record
    record              trace: one step, with all its numbers stored
    traced              Trace: the step, to be printed, plotted and read
    picture             the step drawn, by matplotlib
      picture_network     a small network: nodes, edges, targets and the loss
      picture_maps        a large one: heat maps
      picture_pen         draws in inches, in axes of any size
      picture_numbers     the numbers of one row, or of all
      picture_places      places of nodes, and of labels that touch nothing
    path_sum            PathSum: one derivative along all paths, and layer by layer
      path_text           both written out
      path_html           and as tables for notebooks
      paths               the paths, and the product along each of them
      counts              the number of multiplications of both
      page                the step as an HTML page with buttons, a folder
    check               TraceCheck: numbers worked out by hand, and what is wrong
      slips               the wrong numbers of common slips
      rounding            how far a sum of the step may be off
      quantities          every number of the step by its name
    text, html, latex   the derivation as text, as HTML and as LaTeX
      mathematics         an equation in LaTeX
    derivation          every equation of the step beside its numbers
      rules               the equations of the update
      weighting           how weights of samples and classes enter the loss
      section             lines and sections
    step                Step: the numbers, by the names of the equations
    parameters          parameters and optimizer state before and after the step
    memory              a warning before much memory is used

Each file imports only from those below it and from those indented under it.
"""

from bpcore.tracing.check import TraceCheck
from bpcore.tracing.flow import GradientFlow
from bpcore.tracing.parameters import Parameters
from bpcore.tracing.path_sum import PathSum
from bpcore.tracing.record import trace
from bpcore.tracing.traced import Trace

__all__ = ["GradientFlow", "Parameters", "PathSum", "Trace", "TraceCheck", "trace"]

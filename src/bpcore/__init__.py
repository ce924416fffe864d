"""bpcore: multilayer perceptrons by backpropagation on the CPU.

    import bpcore as bp
    net = bp.Network([64, 32, 10], loss="cross_entropy", rng=0)
    net.fit(X, y, epochs=20)
    net.predict(X)

What a user needs::

    Network          the network: fit, train_step, predict, evaluate, gradients, ...
    SGD, Adam, ...   settings of the optimizers
    Huber, ...       losses with a setting of their own; the others go by their names
    schedules        learning rates that change
    metrics          accuracy, r2, auc, ... by name
    History          what fit returns
    fit_many         many networks at once
    trace            every number of one training step
    GradientFlow     norms, dead and saturated units, epoch after epoch
    graph            derivatives of any expression, networks among it
    check_gradients  backpropagation against central differences
    numerical_gradient
                     the derivatives of any function, from its values alone
    reference        all of it again in plain NumPy: the specification
    kernels          every piece of arithmetic, callable alone
    show_config      what this installation is made of and what it runs on

and, imported by its own name, ``bpcore.datasets``: the digits set shipped with the
package, and IDX files.

Pages to read, in the repository and in the source distribution (``docs``,
``examples``)::

    backpropagation, number by number: from the chain rule to the update in place
        https://github.com/bpcore/bpcore/blob/main/docs/backpropagation.md
    a course in six scripts, from a perceptron to a decision boundary
        https://github.com/bpcore/bpcore/tree/main/examples/steps
    examples on real data
        https://github.com/bpcore/bpcore/tree/main/examples
    what was measured for every choice
        https://github.com/bpcore/bpcore/blob/main/docs/decisions.md

Where things are in the source, from the caller down; each layer calls only what stands
below it::

    cli                     the `bpcore` command, one file per command
    datasets                digits, MNIST, IDX files
    many                    many networks, each on a thread of its own
    tracing                 one step with everything it computes, to be read
    network                 Network: checks, owns the buffers, does no arithmetic
      learner                 its optimizer: settings, state, learning rate
      gradients               what it hands out of a mini-batch
      _settings               what a network is made of, checked: Design
      weights                 weights of samples and classes in the mean loss
      buffers                 flat buffers, and each layer's arrays inside them
      graph                   computation graphs over NumPy arrays
      threads                 how many threads "auto" means
      show                    tables for terminals and notebooks, figures
    fitting                 the arguments of fit, checked
    training                fit: the loop over epochs and what happens between them
      data                    where mini-batches come from
      stopping                the quantity watched, its best value, patience
      history, progress       what is kept and what is shown of it
      snapshot                the way back if it diverges, and to the best epoch
      lbfgs                   the one optimizer that is not ours
      differences             steps without backpropagation
        numerical               derivatives of any function, from its values alone
    engine                  one mini-batch forward, backward, updated; without the GIL
      interrupts              Ctrl-C, and the event that stops a thread
      csrc/team.h             the threads that share its work
    _kernels.pyx            every piece of arithmetic, callable alone: bp.kernels
      csrc/layer.h            its kernels in C, on the loop nest (nest.h), the register
                              tile (tile.h) and the vector vocabulary (vec.h); kernels.c
                              has them compiled once per instruction set

    losses, optimizers, schedules, metrics
                            their settings and formulas, one idea per file
    activations, initializers
                            one small declarative object per name
    checks, arrays, fields  arguments, arrays and settings, checked and converted
    errstate, warn          NumPy's floating-point errors; warnings
    reference               the same layers in plain NumPy
    gradient_check          backpropagation against central differences
    engine.dispatch         which build of the kernels runs on this CPU
    config                  what this installation is made of

Two things hold it together.  Every output element of a matrix product is one
accumulator with one fixed order of fused multiply-adds, so tiles, batches, threads and
instruction sets give the same bits.  And an update is applied to each tile of dW while
it is in registers, so that training stores no gradient unless asked for one.
"""

import importlib
from typing import TYPE_CHECKING, Any

from bpcore import _kernels as kernels
from bpcore import metrics, reference, schedules
from bpcore.activations import ACTIVATIONS
from bpcore.config import VERSION, config, show_config
from bpcore.errors import DivergenceError
from bpcore.gradient_check import GradientCheck, check_gradients
from bpcore.losses import LOSSES, CrossEntropy, CustomLoss, Huber, Quantile
from bpcore.many import Fitted, fit_many
from bpcore.model.gradients import Gradients, Tape
from bpcore.network import Network
from bpcore.numerical import numerical_gradient
from bpcore.optimizers import (
    LBFGS,
    SGD,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    Momentum,
    Nadam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)
from bpcore.training.history import History

if TYPE_CHECKING:
    from bpcore import graph
    from bpcore.tracing import GradientFlow, Trace, trace

__version__ = VERSION

#: What is loaded when it is first asked for, and where it is; most programs never ask.
_LATER = dict.fromkeys(("GradientFlow", "Trace", "trace"), "tracing") | {"graph": ""}

__all__ = [
    "ACTIVATIONS",
    "LBFGS",
    "LOSSES",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "CrossEntropy",
    "DivergenceError",
    "Fitted",
    "GradientCheck",
    "GradientFlow",
    "Gradients",
    "History",
    "Huber",
    "Lion",
    "Momentum",
    "Nadam",
    "Network",
    "Optimizer",
    "Quantile",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Tape",
    "Trace",
    "__version__",
    "check_gradients",
    "config",
    "fit_many",
    "graph",
    "kernels",
    "metrics",
    "numerical_gradient",
    "reference",
    "schedules",
    "show_config",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'bpcore' has no attribute {name!r}")
    module = importlib.import_module(f"bpcore.{_LATER[name] or name}")
    globals()[name] = getattr(module, name, module)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


# A loss may be an expression of the graph, which stands above the losses.
CustomLoss.variable_class = lambda: __getattr__("graph").Variable

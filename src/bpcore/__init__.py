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
    the arrangement of the source, and what to open to add something
        https://github.com/bpcore/bpcore/blob/main/docs/architecture.md
    what was measured for every choice
        https://github.com/bpcore/bpcore/blob/main/docs/decisions.md

The source, from the caller down; imports run down this list only
(``docs/architecture.md`` follows a call through it)::

    cli, datasets           the `bpcore` command; digits, MNIST, IDX files
    many, gradient_check    many networks at once; derivatives compared with differences
    tracing                 one step with every number of it, to be read and drawn
    reference               the library in plain NumPy
    network                 Network: a check, a call, a return
    training                the learner of a network; fit and its epochs
    batches, graph          mini-batches and weights; derivatives of expressions
    show                    tables, HTML, figures
    model                   what a network is: design, layout, state
    optimizers, losses, schedules, metrics, activations, initializers
                            settings and formulas, one idea a file
    checks, arrays          what callers hand in, checked and converted
    engine                  one mini-batch forward, backward, updated; without the GIL
    _kernels, csrc          the arithmetic in C, once per instruction set: bp.kernels

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

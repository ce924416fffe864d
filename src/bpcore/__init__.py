"""bpcore: multilayer perceptrons by backpropagation on the CPU.

    import bpcore as bp
    net = bp.Network([64, 32, 10], loss="cross_entropy", rng=0)
    net.fit(X, y, epochs=20)
    net.predict(X)

The public interface::

    Network          the network: fit, train_step, predict, evaluate, gradients, ...
    SGD, Adam, ...   settings of the optimizers
    Huber, ...       losses with a setting; the others are given by name
    schedules        learning-rate schedules
    metrics          accuracy, r2, auc, ... by name
    History          what fit returns
    distributed      training on several processes, by MPI
    fit_many         many networks at once
    Checkpoint       saves a network while it is trained
    load             a network from a file; Network.save writes it
    from_torch, from_keras, from_fann
                     a network of another library; to_torch, ... the other way
    trace            every number of one training step
    GradientFlow     norms, dead and saturated units, for each epoch
    loss_surface     the error over two parameters, with the paths of optimizers
    animate          a boundary or a fit in motion, as a GIF or a page
    graph            derivatives of expressions, which may contain networks
    check_gradients  backpropagation compared with central differences
    numerical_gradient
                     the derivatives of a function, from its values only
    reference        the library in plain NumPy: the specification
    kernels          the kernels as functions
    show_config      versions, instruction sets and build settings

``bpcore.datasets``, to be imported separately, has the digits shipped with the package
and reads IDX files; ``bpcore.sklearn`` has estimators for scikit-learn, and
``bpcore.tabular`` for tables with categories and holes.

Documentation, in the repository and in the source distribution (``docs``,
``examples``)::

    backpropagation with numbers, from the chain rule to the update in place
        https://github.com/bpcore/bpcore/blob/main/docs/backpropagation.md
    a course in six scripts, from a perceptron to a decision boundary
        https://github.com/bpcore/bpcore/tree/main/examples/steps
    examples on real data
        https://github.com/bpcore/bpcore/tree/main/examples
    architecture of the source, and the files to change to add something
        https://github.com/bpcore/bpcore/blob/main/docs/architecture.md
    decisions and their measurements
        https://github.com/bpcore/bpcore/blob/main/docs/decisions.md

The source in layers; a module imports only from lines below its own
(``docs/architecture.md`` follows a call through them)::

    accel, cli              drop-ins in scikit-learn's place; the `bpcore` command
    loading                 networks and estimators from files
    sklearn, tabular        estimators of scikit-learn's kind, on Network; for tables
    config, datasets        versions and builds; digits, MNIST, IDX files
    reference, tracing, landscape, motion, many, gradient_check, checkpoint, frameworks
                            the library in NumPy; traces; surfaces of the loss; pictures
                            in motion; many networks; a check; files; networks of
                            PyTorch, Keras and FANN
    distributed             training on several processes
    network                 Network: methods check arguments and call what is below
    files                   forms of a network as a file
    training                the learner of a network; fit and its epochs
    batches, graph, numerical
                            mini-batches; derivatives of expressions and functions
    show                    tables, HTML, figures
    model                   design, layout and state of a network
    metrics, optimizers     settings and formulas, one idea a file
    activations, initializers, losses, schedules
    fields                  common code of settings
    checks, arrays          arguments, checked and converted
    errstate                the caller's settings of NumPy, and of the thread
    engine                  forward pass, backward pass and update, without the GIL
    workers                 work in several threads of Python
    cached, errors, forks, interrupts, warn
    _kernels, csrc          the arithmetic in C, built per instruction set: bp.kernels
    groups                  what the kernels read of an optimizer, checked
    quoting                 objects as text of a bounded length

Two rules hold everywhere.  Each element of a matrix product is one accumulator with a
fixed order of fused multiply-adds, so that no bit depends on tiles, mini-batch sizes,
threads or instruction sets.  And updates are applied to each tile of dW while it is in
registers, so that training stores a gradient only where it is needed as an array.
"""

import importlib
from typing import TYPE_CHECKING, Any

from bpcore import _kernels as kernels
from bpcore import metrics, schedules
from bpcore.activations import ACTIVATIONS
from bpcore.config import VERSION, config, show_config
from bpcore.errors import DivergenceError, ModelFileError
from bpcore.losses import LOSSES, CrossEntropy, CustomLoss, Huber, Quantile
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
from bpcore.quoting import quoted
from bpcore.training.history import History

if TYPE_CHECKING:
    from bpcore import distributed, graph, reference
    from bpcore.checkpoint import Checkpoint
    from bpcore.frameworks.fann import from_fann, to_fann
    from bpcore.frameworks.keras import from_keras, to_keras
    from bpcore.frameworks.torch import from_torch, to_torch
    from bpcore.gradient_check import GradientCheck, check_gradients
    from bpcore.landscape import LossSurface, OptimizerPath, loss_surface
    from bpcore.loading import load
    from bpcore.many import Fitted, fit_many
    from bpcore.motion import Animation, animate
    from bpcore.tracing import GradientFlow, Trace, TraceCheck, trace

__version__ = VERSION

#: Attributes imported at their first use, since most programs do not use them, and
#: their modules.
_LAZY = {
    "Animation": "motion",
    "Checkpoint": "checkpoint",
    "Fitted": "many",
    "GradientCheck": "gradient_check",
    "GradientFlow": "tracing",
    "LossSurface": "landscape",
    "OptimizerPath": "landscape",
    "Trace": "tracing",
    "TraceCheck": "tracing",
    "animate": "motion",
    "check_gradients": "gradient_check",
    "distributed": "distributed",
    "fit_many": "many",
    "from_fann": "frameworks.fann",
    "from_keras": "frameworks.keras",
    "from_torch": "frameworks.torch",
    "graph": "graph",
    "load": "loading",
    "loss_surface": "landscape",
    "reference": "reference",
    "to_fann": "frameworks.fann",
    "to_keras": "frameworks.keras",
    "to_torch": "frameworks.torch",
    "trace": "tracing",
}

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
    "Animation",
    "Checkpoint",
    "CrossEntropy",
    "DivergenceError",
    "Fitted",
    "GradientCheck",
    "GradientFlow",
    "Gradients",
    "History",
    "Huber",
    "Lion",
    "LossSurface",
    "ModelFileError",
    "Momentum",
    "Nadam",
    "Network",
    "Optimizer",
    "OptimizerPath",
    "Quantile",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Tape",
    "Trace",
    "TraceCheck",
    "__version__",
    "animate",
    "check_gradients",
    "config",
    "distributed",
    "fit_many",
    "from_fann",
    "from_keras",
    "from_torch",
    "graph",
    "kernels",
    "load",
    "loss_surface",
    "metrics",
    "numerical_gradient",
    "reference",
    "schedules",
    "show_config",
    "to_fann",
    "to_keras",
    "to_torch",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bpcore' has no attribute {quoted(name)}")
    module = importlib.import_module(f"bpcore.{_LAZY[name]}")
    globals()[name] = getattr(module, name, module)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)


# A custom loss may be an expression of the graph, which imports the losses.
CustomLoss.variable_class = lambda: __getattr__("graph").Variable

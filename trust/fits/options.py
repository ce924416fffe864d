"""Values of the options of the cases whose bits are recorded, and which go together."""

from functools import partial

import bpcore as bp
from bpcore import schedules


def fourth_power(a, y):
    """A loss in Python: values of the samples, and their derivatives by the outputs."""
    d = (a - y) / 8
    return (d * d * d * d).sum(axis=1), d * d * d / 2


def expression(a, y):
    """A loss in Python, as an expression of the graph."""
    d = a - y
    return (d * d).sum(axis=1) / 3


def inverse(epoch):
    """A schedule in Python."""
    return 0.02 / (1 + epoch)


OPTIMIZERS = {
    "sgd": partial(bp.SGD, 0.05),
    "sgd momentum": partial(bp.SGD, 0.05, momentum=0.9),
    "sgd nesterov": partial(bp.SGD, 0.05, momentum=0.9, nesterov=True),
    "sgd dampening": partial(bp.SGD, 0.05, momentum=0.9, dampening=0.5),
    "momentum": partial(bp.Momentum, 0.03),
    "momentum nesterov": partial(bp.Momentum, 0.03, nesterov=True),
    "rmsprop": partial(bp.RMSprop, 2e-3),
    "rmsprop momentum": partial(bp.RMSprop, 2e-3, momentum=0.5),
    "rmsprop centered": partial(bp.RMSprop, 2e-3, centered=True, momentum=0.3),
    "adagrad": partial(bp.Adagrad, 1e-2, lr_decay=1e-3, initial_accumulator=0.1),
    "adam": partial(bp.Adam, 1e-2),
    "adam eps": partial(bp.Adam, 1e-2, eps_corrected=True),
    "adamw": partial(bp.AdamW, 1e-2),
    "amsgrad": partial(bp.AMSGrad, 1e-2),
    "nadam": partial(bp.Nadam, 1e-2),
    "adamax": partial(bp.Adamax, 1e-2),
    "radam": partial(bp.RAdam, 1e-2),
    "lion": partial(bp.Lion, 1e-3),
    "rprop": partial(bp.Rprop, 1e-2),
    "lbfgs": bp.LBFGS,
}
PENALTIES = {
    "none": {},
    "weight decay": {"weight_decay": 1e-2},
    "l1": {"l1": 1e-3},
    "decoupled": {"weight_decay": 1e-2, "l1": 1e-3, "decoupled": True},
    "clip value": {"clip_value": 1e-2},
    "clip norm": {"clip_norm": 0.05},
    "max norm": {"max_norm": 0.7},
    "biases": {"weight_decay": 1e-2, "biases": {"weight_decay": 0.0}},
    "rate of biases": {"biases": {"lr_factor": 2.0}},
}
RATES = {
    "constant": None,
    "step decay": schedules.StepDecay(0.02, 1, 0.5),
    "exponential": schedules.Exponential(0.02, 0.9, per="step"),
    "inverse scaling": schedules.InverseScaling(0.02, 0.7, per="step"),
    "polynomial": schedules.Polynomial(0.02, 9, 1e-3, 1.5, per="step"),
    "cosine restarts": schedules.CosineRestarts(0.02, 3, 2, per="step"),
    "one cycle": schedules.OneCycle(0.02, 12),
    "flat cosine": schedules.FlatCosine(0.02, 12),
    "cosine log": schedules.CosineLog(0.02, 12),
    "warm-up": schedules.WarmUp(schedules.Exponential(0.02, 0.9, per="step"), 3),
    "plateau": schedules.ReduceOnPlateau(0.02, patience=0, min_delta=0.5),
    "function": schedules.Custom(inverse),
}
#: Output activation, loss, and a number of outputs that it needs.
LOSSES = {
    "labels": ("softmax", "cross_entropy"),
    "probabilities": ("softmax", "cross_entropy"),
    "label smoothing": ("softmax", bp.CrossEntropy(0.1)),
    "squared error": ("identity", "squared_error"),
    "mean squared error": ("tanh", "mean_squared_error"),
    "binary": ("sigmoid", "binary_cross_entropy"),
    "absolute": ("identity", "mean_absolute_error"),
    "huber": ("softsign", bp.Huber(0.5)),
    "quantile": ("identity", bp.Quantile(0.9)),
    "log cosh": ("identity", "log_cosh"),
    "hinge": ("identity", "hinge"),
    "poisson": ("exp", "poisson"),
    "divergence": ("softmax", "kl_divergence"),
    "function": ("identity", fourth_power),
    "expression": ("sigmoid", expression),
}
#: Around the edges of vectors and tiles; more terms than one chain of sums has.
SHAPES = {
    "small": (2, 16, 2),
    "one column": (6, 9, 1),
    "one unit": (4, 1, 3),
    "no hidden layer": (7, 4),
    "deep": (5, 8, 7, 9, 8, 7, 3),
    "wide": (5, 300, 3),
    "long": (530, 12, 3),
    "odd": (17, 33, 13, 5),
    "lanes": (16, 32, 64, 16),
    "tiles": (65, 97, 49, 10),
}
#: Rows, and rows of a mini-batch.
ROWS = {
    "16 of 50": (50, 16),
    "7 of 50": (50, 7),
    "16 of 48": (48, 16),
    "default": (50, None),
    "1 of 12": (12, 1),
    "270 of 290": (290, 270),
    "all 40": (40, 40),
    "more than all": (9, 16),
}
INITIAL = {
    "auto": {},
    "normal": {"init": "he_normal", "bias_init": "normal"},
    "lecun": {"init": "lecun_uniform"},
    "glorot": {"init": "glorot_normal"},
    "ntk": {"parametrization": "ntk"},
}

#: The values of each option; those that others depend on come first.
OPTIONS = {
    "loss": [*LOSSES],
    "shape": [*SHAPES],
    "weights": ["none", "samples", "some zero", "classes", "balanced"],
    "rows": [*ROWS],
    "norm": ["none", "batch", "layer", "both"],
    "activation": [name for name, f in sorted(bp.ACTIVATIONS.items()) if f.trains],
    "dropout": ["none", "all", "each"],
    "penalty": [*PENALTIES],
    "rate": [*RATES],
    "inputs": ["plain", "noise", "scale", "scale and noise", "mostly zero"],
    "initial": [*INITIAL],
    "trained": ["all", "not the first", "not the last", "factors", "no weights"],
    "order": ["shuffled", "as given"],
    "accumulate": ["1", "2", "3"],
    "watched": ["nothing", "rows", "fraction", "best"],
}
DTYPES = ("float32", "float64")
EPOCHS = 2


def fits(chosen, optimizer):
    """Whether the values of some options go together, and with an optimizer."""
    it = chosen.get
    loss, shape = it("loss"), it("shape")
    classes = loss in ("labels", "probabilities", "label smoothing", "divergence")
    if shape == "one column" and classes:
        return False
    labels = loss in (None, "labels", "label smoothing", "binary", "hinge")
    if it("weights") in ("classes", "balanced") and not labels:
        return False
    if shape == "no hidden layer" and (
        it("norm") not in (None, "none")
        or it("dropout") not in (None, "none")
        or it("trained") in ("not the first", "not the last")
        or it("activation") not in (None, "relu")
    ):
        return False
    if it("rows") == "1 of 12" and it("norm") in ("batch", "both"):
        return False
    if optimizer == "rprop":
        return it("rate") in (None, "constant") and it("rows") in (None, "default")
    if optimizer == "lbfgs":
        return (
            it("rate") in (None, "constant")
            and it("rows") in (None, "default")
            and it("penalty") in (None, "none", "weight decay", "biases")
            and it("accumulate") in (None, "1")
            and it("dropout") in (None, "none")
            and it("inputs") not in ("noise", "scale and noise")
            and it("loss") not in ("function", "expression")
        )
    return True

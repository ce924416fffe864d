"""Cases whose bits are recorded: networks, optimizers, options and data.

A case has one value of each option in `OPTIONS`.  The table has every value of every
option with every optimizer, and with both dtypes, as far as they go together; it is
made by the same steps on every machine.  Data are integers over powers of two, so that
no random generator has a part in them.
"""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np

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


@dataclass(frozen=True)
class Case:
    """A fit: its network, its data and its options.

    Parameters
    ----------
    name : str
    optimizer, dtype : str
    values : tuple of (option, value)
    """

    name: str
    optimizer: str
    dtype: str
    values: tuple

    def __str__(self):
        given = [f"{option} {value}" for option, value in self.values]
        return f"{self.optimizer}, {self.dtype}, {', '.join(given)}"

    def __getitem__(self, option):
        return dict(self.values)[option]

    @property
    def recorded(self):
        """Whether the bits are promised on every machine: SciPy's are not."""
        return self.optimizer != "lbfgs"

    # --- its network ------------------------------------------------------------------

    def network(self, rng=7, **settings):
        """A new network."""
        sizes = SHAPES[self["shape"]]
        output, loss = LOSSES[self["loss"]]
        hidden = len(sizes) - 2
        names, first = OPTIONS["activation"], OPTIONS["activation"].index
        at = first(self["activation"])
        norm = {"none": [None], "both": ["batch", "layer"]}
        dropout = {"none": 0.0, "all": 0.25, "each": [0.1 * (l % 4) + 0.05 for l in
                                                     range(hidden)]}  # fmt: skip
        norms = norm.get(self["norm"], [self["norm"]])
        kinds = {"dropout": dropout[self["dropout"]]} if hidden else {}
        if hidden:
            kinds["norm"] = [norms[l % len(norms)] for l in range(hidden)]
            kinds["activation"] = [names[(at + l) % len(names)] for l in range(hidden)]
        net = bp.Network(
            sizes,
            output=output,
            loss=loss,
            optimizer=self.settings_of_optimizer(),
            input_noise=0.1 if "noise" in self["inputs"] else 0.0,
            input_scale=3.0 if "scale" in self["inputs"] else None,
            dtype=self.dtype,
            rng=rng,
            **{"n_threads": 1, **kinds, **INITIAL[self["initial"]], **settings},
        )
        self._choose_layers(net)
        return net

    def _choose_layers(self, net):
        """What is trained of it."""
        L, trained = len(net.sizes) - 1, self["trained"]
        if trained in ("not the first", "not the last"):
            fixed = 0 if trained == "not the first" else L - 1
            net.frozen = [l == fixed for l in range(L)]
        elif trained in ("factors", "no weights"):
            pair = (0.5, 2.0) if trained == "factors" else (0.0, 1.0)
            net.lr_factors = [pair if l % 2 == 0 else (1.0, 1.0) for l in range(L)]

    def settings_of_optimizer(self):
        """The optimizer with its penalties and its schedule."""
        settings = dict(PENALTIES[self["penalty"]])
        if (rate := RATES[self["rate"]]) is not None:
            settings["lr"] = rate
        made = OPTIMIZERS[self.optimizer]
        if "lr" in settings:
            return made().replace(**settings)
        return made(**settings)

    # --- its data ---------------------------------------------------------------------

    def data(self, n=None):
        """X and y of n rows, by default those of the fit, in the network's dtype."""
        n, sizes = n or ROWS[self["rows"]][0], SHAPES[self["shape"]]
        X = spread((n, sizes[0]), 37)
        if sizes[0] > 50:
            X /= 4
        if self["inputs"] == "mostly zero":
            X[spread(X.shape, 91) < 0.3] = 0
        return X.astype(self.dtype), self._targets(n, sizes[-1])

    def _targets(self, n, n_out):
        labels = np.arange(n) * 7 % 11 % max(n_out, 2)
        loss, numbers = self["loss"], spread((n, n_out), 53)
        if loss in ("labels", "label smoothing"):
            return labels
        if loss in ("probabilities", "divergence"):
            chosen = np.eye(n_out)[labels]
            return (0.75 * chosen + 0.25 / n_out).astype(self.dtype)
        if loss in ("binary", "hinge"):
            yes = (numbers > 0).astype(self.dtype)
            return 2 * yes - 1 if loss == "hinge" else yes
        if loss == "poisson":
            numbers = np.floor(2 * numbers + 2)
        return numbers.astype(self.dtype)

    def weights(self):
        """``sample_weight`` and ``class_weight`` of the fit, as far as it has them."""
        n, kind = ROWS[self["rows"]][0], self["weights"]
        weight = (np.arange(n) * 5 % 8 + 1) / 4
        if kind == "some zero":
            weight[np.arange(n) % 3 == 1] = 0
        if kind in ("samples", "some zero"):
            return {"sample_weight": weight}
        if kind == "balanced":
            return {"class_weight": "balanced"}
        return {"class_weight": {0: 0.5, 1: 2.0}} if kind == "classes" else {}

    # --- its fit ----------------------------------------------------------------------

    @property
    def batch_size(self):
        """Rows of a mini-batch, None for the default."""
        return ROWS[self["rows"]][1]

    def options(self):
        """The arguments of ``fit`` besides X and y."""
        options = {
            "epochs": EPOCHS,
            "batch_size": self.batch_size,
            "shuffle": self["order"] == "shuffled",
            "accumulate": int(self["accumulate"]),
            "progress": False,
            **self.weights(),
        }
        watched = self["watched"]
        X, y = self.data()
        if watched == "rows":
            options["validation"] = (X[::-2], y[::-2])
        elif watched == "fraction":
            options["validation"] = 0.25
        elif watched == "best":
            best = {"patience": 1, "restore_best": True}
            options |= {"validation": (X[::-2], y[::-2]), **best}
        return options

    def fit(self, net, **options):
        """Train a network; returns the history."""
        return net.fit(*self.data(), **{**self.options(), **options})


def spread(shape, factor):
    """Numbers from -1 to 1 with 23 bits, without a pattern that sums could use."""
    i = np.arange(np.prod(shape), dtype=np.uint64)
    bits = (i * np.uint64(factor) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    whole = (bits >> np.uint64(40)).astype(np.float64)  # 24 bits
    return (whole / 2**23 - 1).reshape(shape)


@cache
def table():
    """Every case, by its name."""
    cases, uncovered = {}, {(t, *pair) for t in DTYPES for pair in _pairs()}
    for number, optimizer in enumerate(OPTIMIZERS):
        for i, values in enumerate(_of_optimizer(optimizer, number)):
            new = {t: sum((t, *it) in uncovered for it in values) for t in DTYPES}
            dtype = DTYPES[(i + number) % 2]
            if len({*new.values()}) > 1:
                dtype = max(new, key=new.get)
            uncovered -= {(dtype, *it) for it in values}
            name = f"{optimizer.replace(' ', '_')}_{i:02}"
            cases[name] = Case(name, optimizer, dtype, values)
    return cases


def _pairs():
    return [(option, value) for option, values in OPTIONS.items() for value in values]


def _of_optimizer(optimizer, number):
    """Values of all options for each case of an optimizer, until all have occurred."""
    remaining = [pair for pair in _pairs() if fits(dict([pair]), optimizer)]
    turn = 0
    while remaining:
        chosen = {}
        for stride, (option, values) in enumerate(OPTIONS.items(), 1):
            start = (turn + number * stride) % len(values)  # other pairs of options
            order = [*values[start:], *values[:start]]
            order.sort(key=lambda value, o=option: (o, value) not in remaining)
            chosen[option] = next(
                value for value in order if fits({**chosen, option: value}, optimizer)
            )
        remaining = [it for it in remaining if chosen[it[0]] != it[1]]
        turn += 1
        yield tuple(chosen.items())

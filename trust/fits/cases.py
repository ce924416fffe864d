"""Cases whose bits are recorded: networks, optimizers, options and data.

A case has one value of each option of `options`.  The table has every value of
every option with every optimizer, and with both dtypes, as far as they go together; it
is made by the same steps on every machine.  Data are integers over powers of two, so
that no random generator has a part in them.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

import bpcore as bp
from trust.fits.options import (
    DTYPES,
    EPOCHS,
    INITIAL,
    LOSSES,
    OPTIMIZERS,
    OPTIONS,
    PENALTIES,
    RATES,
    ROWS,
    SHAPES,
    fits,
)


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

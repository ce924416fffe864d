"""Make the golden files beside this script, which needs PyTorch; no test does."""

import itertools
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

FOLDER = Path(__file__).parent

# Training, of optimizers and of normalised nets -----------------------------------

N_ROWS, N_IN, N_OUT = 48, 5, 3

#: The steps whose parameters are kept: those of every step would be 1.5 MB.
KEPT = (*range(1, 11), 15, 25, 35, 50)


def dataset(rng, n_rows):
    """Inputs, and targets that no small net reaches."""
    X = rng.normal(size=(n_rows, N_IN))
    y = 1.5 * np.sin(X @ rng.normal(size=(N_IN, N_OUT)))
    return X, y + rng.normal(scale=0.2, size=y.shape)


def uniform(rng, *shape):
    """Numbers of the size of Glorot's initial weights."""
    return rng.uniform(-0.6, 0.6, size=shape)


def load(model, arrays):
    """Set the parameters from arrays of this library's layout."""
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(array.T))


def arrays(model):
    """Copies of the parameters, in this library's layout."""
    return [p.detach().numpy().T.copy() for p in model.parameters()]


def flat(arrays):
    """All parameters in a row."""
    return np.concatenate([array.ravel() for array in arrays])


def mini_batches(X, y, size):
    """Batches in the order of the rows, again and again, without end."""
    pairs = [torch.from_numpy(rows).split(size) for rows in (X, y)]
    return itertools.cycle(zip(*pairs, strict=True))


def train(model, optimizer, batches, accumulate=1, clip=lambda parameters: None):
    """Step on the mean gradient of every few batches, without end; yield each time."""
    while True:
        optimizer.zero_grad()
        for X, y in itertools.islice(batches, accumulate):
            (F.mse_loss(model(X), y) / accumulate).backward()
        clip(model.parameters())
        optimizer.step()
        yield


# Optimizers -----------------------------------------------------------------------

#: torch's class and what makes it ours, where the class of the same name does not.
TORCH_CLASS = {"AMSGrad": ("Adam", {"amsgrad": True}), "Nadam": ("NAdam", {})}

#: torch's name of a setting, where it is not ours.
TORCH_NAME = {
    "initial_accumulator": "initial_accumulator_value",
    "decoupled": "decoupled_weight_decay",
}

#: Settings that torch takes in pairs, with the default of each.
TORCH_PAIR = {
    "betas": {"beta1": 0.9, "beta2": 0.999},
    "etas": {"shrink": 0.5, "grow": 1.2},
    "step_sizes": {"least": 1e-6, "most": 50.0},
}

#: Settings of ours that torch has functions for.
TORCH_CLIP = {"clip_norm": "clip_grad_norm_", "clip_value": "clip_grad_value_"}


def in_torch(settings):
    """Settings of ours by torch's names."""
    halves = {half for pair in TORCH_PAIR.values() for half in pair}
    single = settings.keys() - halves - TORCH_CLIP.keys() - {"biases"}
    return {
        TORCH_NAME.get(name, name): value
        for name, value in settings.items()
        if name in single
    } | {
        name: [settings.get(half, default) for half, default in pair.items()]
        for name, pair in TORCH_PAIR.items()
        if pair.keys() & settings.keys()
    }


def case(optimizer, variant, batch_size=8, accumulate=1, **settings):
    """One line of ``optimizers.json``."""
    torch_class, own = TORCH_CLASS.get(optimizer, (optimizer, {}))
    record = {
        "name": f"{optimizer.lower()}_{variant}",
        "torch": f"torch.optim.{torch_class}",
        "torch_settings": in_torch(settings) | own,
        "bpcore": optimizer,
        "settings": settings,
        "batch_size": batch_size,
        "accumulate": accumulate,
    }
    if "biases" in settings:
        record["torch_biases"] = in_torch(settings | settings["biases"])
    if clips := sorted(TORCH_CLIP.keys() & settings.keys()):
        record["torch_clip"] = {TORCH_CLIP[name]: settings[name] for name in clips}
    return record


CASES = [
    case("SGD", "default", lr=0.01),
    case("SGD", "large", lr=0.5),
    case("SGD", "weight_decay", lr=0.2, weight_decay=0.1),
    case("SGD", "momentum", lr=0.1, momentum=0.9),
    case("SGD", "dampening", lr=0.2, momentum=0.9, dampening=0.5),
    case("SGD", "nesterov", lr=0.1, momentum=0.9, nesterov=True),
    case(
        "SGD",
        "nesterov_weight_decay",
        lr=0.1,
        momentum=0.8,
        nesterov=True,
        weight_decay=0.1,
    ),
    case("SGD", "clip_norm", lr=0.1, momentum=0.9, weight_decay=0.1, clip_norm=0.5),
    case("SGD", "clip_value", lr=0.1, momentum=0.9, clip_value=0.1),
    case(
        "SGD",
        "biases",
        lr=0.1,
        momentum=0.9,
        weight_decay=0.1,
        biases={"weight_decay": 0.0},
    ),
    case("SGD", "accumulate", accumulate=2, lr=0.1, momentum=0.9),
    case("RMSprop", "default", lr=0.01),
    case("RMSprop", "large", lr=0.05, alpha=0.9),
    case("RMSprop", "eps", lr=0.1, eps=0.1),
    case("RMSprop", "weight_decay", lr=0.02, weight_decay=0.1),
    case("RMSprop", "momentum", lr=0.005, momentum=0.9),
    case("RMSprop", "centered", lr=0.02, centered=True),
    case(
        "RMSprop",
        "centered_momentum",
        lr=0.005,
        alpha=0.9,
        momentum=0.8,
        centered=True,
        weight_decay=0.1,
    ),
    case("Adagrad", "default", lr=0.01),
    case("Adagrad", "large", lr=0.3),
    case("Adagrad", "weight_decay", lr=0.2, weight_decay=0.1),
    case("Adagrad", "lr_decay", lr=0.3, lr_decay=0.1),
    case("Adagrad", "initial_accumulator", lr=0.3, initial_accumulator=0.1, eps=0.01),
    case("Adam", "default", lr=0.001),
    case("Adam", "large", lr=0.1),
    case("Adam", "weight_decay", lr=0.05, weight_decay=0.1),
    case("Adam", "betas_eps", lr=0.05, beta1=0.8, beta2=0.95, eps=0.01),
    case("Adam", "clip_norm", lr=0.05, clip_norm=0.5),
    case("Adam", "clip_value", lr=0.05, weight_decay=0.1, clip_value=0.1),
    case(
        "Adam",
        "biases",
        lr=0.05,
        biases={"lr": 0.025, "beta1": 0.7, "beta2": 0.95},
    ),
    case("AdamW", "default", lr=0.001),
    case("AdamW", "large", lr=0.1),
    case("AdamW", "weight_decay", lr=0.05, weight_decay=0.5),
    case("AdamW", "betas_eps", lr=0.05, beta1=0.8, beta2=0.95, eps=0.01),
    case("AdamW", "biases", lr=0.05, weight_decay=0.5, biases={"weight_decay": 0.0}),
    case("AMSGrad", "default", lr=0.001),
    case("AMSGrad", "large", lr=0.1, beta2=0.9),
    case("AMSGrad", "weight_decay", lr=0.05, weight_decay=0.1),
    case("AMSGrad", "betas_eps", lr=0.05, beta1=0.8, beta2=0.9, eps=0.01),
    case("Nadam", "default", lr=0.002),
    case("Nadam", "large", lr=0.1),
    case("Nadam", "weight_decay", lr=0.05, weight_decay=0.1),
    case("Nadam", "decoupled", lr=0.05, weight_decay=0.5, decoupled=True),
    case("Nadam", "momentum_decay", lr=0.05, momentum_decay=0.5),
    case("Nadam", "betas_eps", lr=0.05, beta1=0.8, beta2=0.95, eps=0.01),
    case("Adamax", "default", lr=0.002),
    case("Adamax", "large", lr=0.1),
    case("Adamax", "weight_decay", lr=0.05, weight_decay=0.1),
    case("Adamax", "betas_eps", lr=0.05, beta1=0.8, beta2=0.9, eps=0.01),
    case("RAdam", "default", lr=0.001),
    case("RAdam", "large", lr=0.1),
    case("RAdam", "weight_decay", lr=0.1, weight_decay=0.1),
    case("RAdam", "decoupled", lr=0.1, weight_decay=0.5, decoupled=True),
    case("RAdam", "betas_eps", lr=0.05, beta1=0.8, beta2=0.9, eps=0.01),
    case("Rprop", "default", batch_size=N_ROWS, lr=0.01),
    case("Rprop", "large", batch_size=N_ROWS, lr=0.1),
    case("Rprop", "shrink_grow", batch_size=N_ROWS, lr=0.01, shrink=0.3, grow=1.5),
    case("Rprop", "least_most", batch_size=N_ROWS, lr=0.01, least=0.008, most=0.03),
]


def torch_optimizer(case, parameters):
    """The case's optimizer, with the biases in a group of their own."""
    weights, biases = [], []
    for parameter in parameters:
        (weights if parameter.ndim == 2 else biases).append(parameter)
    groups = [{"params": weights}, {"params": biases, **case.get("torch_biases", {})}]
    name = case["torch"].removeprefix("torch.optim.")
    return getattr(torch.optim, name)(groups, **case["torch_settings"])


def torch_clip(case):
    """What the case does to the gradients before each step."""

    def clip(parameters):
        for name, bound in case.get("torch_clip", {}).items():
            getattr(nn.utils, name)(parameters, bound)

    return clip


def trajectory(case, X, y, initial):
    """The parameters after each step that is kept."""
    hidden = len(initial[1])
    model = nn.Sequential(nn.Linear(N_IN, hidden), nn.Tanh(), nn.Linear(hidden, N_OUT))
    load(model, initial)
    steps = train(
        model,
        torch_optimizer(case, model.parameters()),
        mini_batches(X, y, case["batch_size"]),
        case["accumulate"],
        torch_clip(case),
    )
    n_steps = KEPT[-1] // case["accumulate"]
    every = [flat(arrays(model)) for _ in itertools.islice(steps, n_steps)]
    return np.stack([every[step - 1] for step in KEPT if step <= len(every)])


def optimizers():
    rng = np.random.default_rng(1)
    X, y = dataset(rng, N_ROWS)
    initial = [
        uniform(rng, *shape) for shape in ((N_IN, 7), (7,), (7, N_OUT), (N_OUT,))
    ]
    return {"X": X, "y": y, "initial": flat(initial), "steps": np.array(KEPT)} | {
        case["name"]: trajectory(case, X, y, initial) for case in CASES
    }


# Activations ----------------------------------------------------------------------


def hard_sigmoid(z):
    """``F.hardsigmoid``, whose own derivative is 1/6 in float32, whatever z is."""
    return F.relu6(z + 3) / 6


ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.01),
    "elu": partial(F.elu, alpha=1.0),
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": partial(F.softplus, threshold=200.0),  # torch's 20 drops exp(-z) early
    "softsign": F.softsign,
    "hard_sigmoid": hard_sigmoid,
    "hard_tanh": F.hardtanh,
    "exp": torch.exp,
}


def with_gradient(function, z, *others):
    """A function's values, and the derivative of their sum by its first argument."""
    z = torch.tensor(z, requires_grad=True)
    values = function(z, *map(torch.from_numpy, others))
    values.sum().backward()
    return values.detach().numpy(), z.grad.numpy()


def activations():
    grid = np.linspace(-8.0, 8.0, 201)
    far_and_near = (-100.0, -30.0, -1e-3, 1e-3, 30.0, 100.0)
    z = np.sort(np.append(grid, far_and_near))
    points = {"z": z, "exp_z": z[np.abs(z) <= 30]}
    results = dict(points)
    for name, function in ACTIVATIONS.items():
        results[name], results[f"{name}_derivative"] = with_gradient(
            function, points.get(f"{name}_z", z)
        )
    return results


# Losses ---------------------------------------------------------------------------

LOSS_SHAPE = 40, 4


def per_sample(reduce, loss, **settings):
    """A loss of torch's that is one number per output, as one per sample."""

    def values(z, y):
        return reduce(loss(z, y, reduction="none", **settings), dim=1)

    return values


def pinball(a, y, q, reduction):
    return torch.maximum(q * (y - a), (q - 1) * (y - a))


def hinge(a, y, reduction):
    return F.relu(1 - y * a)


def log_cosh(a, y, reduction):
    return torch.logaddexp(a - y, y - a) - math.log(2)


def kl_divergence(z, y, reduction):
    return F.kl_div(F.log_softmax(z, dim=1), y, reduction=reduction)


mean = partial(per_sample, torch.mean)
smoothed = partial(F.cross_entropy, label_smoothing=0.1, reduction="none")

#: Each loss's outputs, targets and values.
LOSSES = {
    "mean_absolute_error": ("real", "real", mean(F.l1_loss)),
    "huber_1": ("real", "real", mean(F.huber_loss, delta=1.0)),
    "huber_0.3": ("real", "real", mean(F.huber_loss, delta=0.3)),
    "poisson_log": ("real", "counts", mean(F.poisson_nll_loss)),
    "poisson_identity": (
        "positive",
        "counts",
        mean(F.poisson_nll_loss, log_input=False, eps=1e-8),
    ),
    "quantile_0.5": ("real", "real", mean(pinball, q=0.5)),
    "quantile_0.9": ("real", "real", mean(pinball, q=0.9)),
    "quantile_0.1": ("real", "real", mean(pinball, q=0.1)),
    "hinge": ("real", "signs", mean(hinge)),
    "log_cosh": ("real", "real", mean(log_cosh)),
    "kl_divergence": ("real", "probabilities", per_sample(torch.sum, kl_divergence)),
    "cross_entropy_labels": ("real", "labels", smoothed),
    "cross_entropy_probabilities": ("real", "probabilities", smoothed),
}


def loss_outputs(rng):
    """Outputs of each kind, timid in the first rows and bold in the last."""
    z = rng.normal(size=LOSS_SHAPE) * np.geomspace(0.1, 5.0, LOSS_SHAPE[0])[:, None]
    return {"real": z, "positive": np.exp(z)}


def loss_targets(rng):
    """Targets of each kind."""
    probabilities = rng.dirichlet(np.ones(LOSS_SHAPE[1]), size=LOSS_SHAPE[0])
    probabilities[0] = 0.0, 0.25, 0.0, 0.75
    return {
        "real": rng.normal(size=LOSS_SHAPE),
        "counts": rng.poisson(3.0, size=LOSS_SHAPE).astype(np.float64),
        "signs": rng.choice([-1.0, 1.0], size=LOSS_SHAPE),
        "probabilities": probabilities,
        "labels": rng.integers(LOSS_SHAPE[1], size=LOSS_SHAPE[0]),
    }


def losses():
    rng = np.random.default_rng(2)
    outputs, targets = loss_outputs(rng), loss_targets(rng)
    results = {}
    for name, (z_kind, y_kind, values) in LOSSES.items():
        z, y = outputs[z_kind], targets[y_kind]
        E, gradient = with_gradient(values, z, y)
        kept = {"z": z, "y": y, "E": E, "delta": gradient / len(z)}
        results |= {f"{name}_{key}": array for key, array in kept.items()}
    return results


# Normalisation --------------------------------------------------------------------

N_NORMALISED = 6
N_NORMALISED_STEPS = 10

NORMALISATIONS = {"batch_norm": nn.BatchNorm1d, "layer_norm": nn.LayerNorm}


def normalised_state(model):
    """The parameters by name, and the running statistics if there are any."""
    names = ("W0", "gain", "shift", "W1", "b1")
    statistics = {
        name: statistic.numpy().copy()
        for name, statistic in model[1].named_buffers()
        if name.startswith("running")
    }
    return dict(zip(names, arrays(model), strict=True)) | statistics


def normalised_training(normalisation, initial, X, y, X_fresh):
    """The state after every step, and the trained net's outputs for fresh rows."""
    model = nn.Sequential(
        nn.Linear(N_IN, N_NORMALISED, bias=False),
        normalisation(N_NORMALISED, eps=1e-5),
        nn.Tanh(),
        nn.Linear(N_NORMALISED, N_OUT),
    )
    load(model, initial.values())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    steps = train(model, optimizer, mini_batches(X, y, 8))
    states = [
        normalised_state(model) for _ in itertools.islice(steps, N_NORMALISED_STEPS)
    ]
    with torch.no_grad():
        fresh = model.eval()(torch.from_numpy(X_fresh)).numpy()
    every = {name: np.stack([state[name] for state in states]) for name in states[0]}
    return every | {"eval": fresh}


def normalisation():
    rng = np.random.default_rng(3)
    X, y = dataset(rng, N_ROWS)
    data = {"X": X, "y": y, "X_fresh": rng.normal(size=(5, N_IN))}
    initial = {
        "W0": uniform(rng, N_IN, N_NORMALISED),
        "gain": 1 + uniform(rng, N_NORMALISED),
        "shift": uniform(rng, N_NORMALISED),
        "W1": uniform(rng, N_NORMALISED, N_OUT),
        "b1": uniform(rng, N_OUT),
    }
    return (
        data
        | initial
        | {
            f"{kind}_{name}": array
            for kind, layer in NORMALISATIONS.items()
            for name, array in normalised_training(layer, initial, **data).items()
        }
    )


# Files ----------------------------------------------------------------------------


def report(path, what):
    print(f"{path.name}: {what}, {path.stat().st_size / 1000:.0f} kB")


def write_arrays(make):
    path = FOLDER / f"{make.__name__}.npz"
    results = make()
    np.savez_compressed(path, **results)
    report(path, f"{len(results)} arrays")


def write_cases():
    path = FOLDER / "optimizers.json"
    path.write_text("[\n" + ",\n".join(map(json.dumps, CASES)) + "\n]\n")
    report(path, f"{len(CASES)} cases")


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # of what optimizers keep, too
    write_cases()
    for make in (optimizers, activations, losses, normalisation):
        write_arrays(make)


if __name__ == "__main__":
    main()

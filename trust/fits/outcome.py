"""What a fit leaves, as digests, and the layers' numbers after each of its steps."""

from contextlib import nullcontext

import numpy as np

from bpcore.engine import dispatch
from bpcore.network import learner_of
from trust.digest import digest


def outcome(case, net, history):
    """Digests of all that a fit leaves.

    Parameters
    ----------
    case : Case
    net : Network
        After the fit.
    history : History

    Returns
    -------
    dict of str to str
        parameters (with the running moments), optimizer (its arrays, and counters,
        random words and the state of the schedule), history, and outputs (predictions
        and gradients).
    """
    arrays = learner_of(net).state.arrays()
    parameters = [arrays.pop(name) for name in ("parameters", "moments")]
    X, y = case.data()
    gradients = net.gradients(X, y)
    found = {
        "parameters": parameters,
        "optimizer": [arrays[name] for name in sorted(arrays)],
        "history": [history.loss, history.validation_loss, history.lr],
        "outputs": [net.predict(X), gradients.flat, gradients.input, gradients.loss],
    }
    return {name: digest(*map(np.asarray, values)) for name, values in found.items()}


def fitted(case, isa=None, n_threads=1, **options):
    """The outcome of a case, by a build of the kernels and a number of threads.

    However little work there is, it is divided among the threads.
    """
    with dispatch.using(isa) if isa else nullcontext():
        net = case.network()
    use_threads(net, n_threads)
    history = case.fit(net, **options)
    return outcome(case, net, history)


def use_threads(net, n_threads):
    """Divide every step of a network among threads, however little work it is."""
    learner_of(net).engine.use_threads(n_threads, 1 if n_threads > 1 else 10**6)


def trajectory(case, isa=None, n_threads=1):
    """The numbers of every layer after each mini-batch, and at last after the fit.

    Returns
    -------
    list of dict
        Arrays by (layer, name), as in ``(0, "W")``, ``(2, "mean of b")``.
    """
    with dispatch.using(isa) if isa else nullcontext():
        net = case.network()
    use_threads(net, n_threads)
    steps = []

    def note(network, *_):
        steps.append(layers(network))

    watch = "batch_callbacks" if case.recorded else "callbacks"
    case.fit(net, **{watch: [note]})
    return [*steps, layers(net)]


def layers(net):
    """Copies of the arrays of each layer, by (layer, name)."""
    learner = learner_of(net)
    layout, state = learner.design.layout, learner.state
    arrays = {}
    for row, flat in {"": state.parameters, **state.optimizer_rows()}.items():
        of = f"{row} of " if row else ""
        views = layout.views(flat)
        for name, parts in (("W", views.weights), ("b", views.biases),
                            ("gain", views.gains)):  # fmt: skip
            for l, part in enumerate(parts):
                if part is not None:
                    arrays[l, of + name] = part.copy()
        if views.scale is not None:
            arrays[0, of + "input scale"] = views.scale.copy()
    for l, moments in enumerate(layout.moments(state.moments)):
        if moments is not None:
            arrays[l, "running moments"] = moments.copy()
    return arrays


def step_digests(steps):
    """For each step four hexadecimal digits of each layer, in one text."""
    texts = []
    for arrays in steps:
        of_layers = {}
        for (l, _), array in arrays.items():
            of_layers.setdefault(l, []).append(array)
        texts.append("".join(digest(*of_layers[l])[:4] for l in sorted(of_layers)))
    return texts

"""One step by hand and by the trace
=================================

A 2-2-2 network of sigmoid units, every number of a step.

The network is that of Matt Mazur's article "A Step by Step Backpropagation Example"
(2015): two inputs, two hidden units, two outputs, half squared error, learning rate
0.5.  ``by_hand`` computes the step with plain floats, weight by weight, without bpcore.
The article does not update the biases; here their lr_factor is 0.

All numbers of the article's step are right, also w1 .. w4, which it computes from the
old w5 .. w8.  But the results at its end, the loss after this step and the outputs
after 10,000 steps, are from a program that updates w5 .. w8 first and then computes the
deltas of the hidden units from the *updated* weights.  These are not the derivatives of
the loss.  This mistake is easy to make in an own implementation, and hard to notice,
since the network learns nevertheless.  ``main`` computes both.

Run it::

    python examples/steps/step3_by_hand.py
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

import bpcore as bp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

X, Y, LR = (0.05, 0.10), (0.01, 0.99), 0.5
# w1 .. w4 are the weights of the hidden units, w5 .. w8 of the outputs, two of each.
W_HIDDEN, B_HIDDEN = (0.15, 0.20, 0.25, 0.30), 0.35
W_OUTPUT, B_OUTPUT = (0.40, 0.45, 0.50, 0.55), 0.60

#: The results at the end of the article.
ARTICLE = {
    "E after 1 step": 0.291027924,
    "E after 10,000 steps": 0.0000351085,
    "out o1 then": 0.015912196,
    "out o2 then": 0.984065734,
}


def sigmoid(z: float) -> float:
    """1 / (1 + exp(-z))"""
    return 1 / (1 + exp(-z))


def forward(w: Sequence[float]) -> dict[str, float]:
    """The outputs of all units, and E, with the article's names."""
    (i1, i2), (t1, t2) = X, Y
    w1, w2, w3, w4, w5, w6, w7, w8 = w
    h1 = sigmoid(w1 * i1 + w2 * i2 + B_HIDDEN)
    h2 = sigmoid(w3 * i1 + w4 * i2 + B_HIDDEN)
    o1 = sigmoid(w5 * h1 + w6 * h2 + B_OUTPUT)
    o2 = sigmoid(w7 * h1 + w8 * h2 + B_OUTPUT)
    E = (o1 - t1) ** 2 / 2 + (o2 - t2) ** 2 / 2
    return {"out h1": h1, "out h2": h2, "out o1": o1, "out o2": o2, "E": E}


def by_hand(
    w: Sequence[float] = W_HIDDEN + W_OUTPUT, updated_first: bool = False
) -> dict[str, float]:
    """Every number of the step.

    With `updated_first` the deltas of the hidden units are computed from the updated
    w5 .. w8, which is wrong, but as in the results at the end of the article.
    """
    (i1, i2), (t1, t2) = X, Y
    w1, w2, w3, w4, w5, w6, w7, w8 = w
    numbers = forward(w)
    h1, h2, o1, o2, _ = numbers.values()
    # dE/dz of each output, and its weights after the step
    d_o1 = (o1 - t1) * o1 * (1 - o1)
    d_o2 = (o2 - t2) * o2 * (1 - o2)
    after = w5 - LR * d_o1 * h1, w6 - LR * d_o1 * h2
    after += w7 - LR * d_o2 * h1, w8 - LR * d_o2 * h2
    # then dE/dz of each hidden unit, from w5 .. w8 of the forward pass
    if updated_first:
        w5, w6, w7, w8 = after
    d_h1 = (d_o1 * w5 + d_o2 * w7) * h1 * (1 - h1)
    d_h2 = (d_o1 * w6 + d_o2 * w8) * h2 * (1 - h2)
    hidden = w1 - LR * d_h1 * i1, w2 - LR * d_h1 * i2
    hidden += w3 - LR * d_h2 * i1, w4 - LR * d_h2 * i2
    numbers |= {"delta o1": d_o1, "delta o2": d_o2, "delta h1": d_h1, "delta h2": d_h2}
    return numbers | {f"w{k} after": x for k, x in enumerate(hidden + after, 1)}


def results(updated_first: bool = False) -> dict[str, float]:
    """The loss after one step, and loss and outputs after 10,000, with plain floats."""
    w, found = W_HIDDEN + W_OUTPUT, {}
    for step in range(1, 10_001):
        numbers = by_hand(w, updated_first)
        w = tuple(numbers[f"w{k} after"] for k in range(1, 9))
        if step == 1:
            found["E after 1 step"] = forward(w)["E"]
    end = forward(w)
    found["E after 10,000 steps"] = end["E"]
    return found | {"out o1 then": end["out o1"], "out o2 then": end["out o2"]}


def build() -> bp.Network:
    """The same network in bpcore; W[l][i, j] is the weight from unit i to unit j."""
    net = bp.Network(
        [2, 2, 2],
        activation="sigmoid",
        output="sigmoid",
        loss="squared_error",
        optimizer=bp.SGD(lr=LR, biases={"lr_factor": 0.0}),
        dtype="float64",
    )
    for W, w in zip(net.weights, (W_HIDDEN, W_OUTPUT), strict=True):
        W[...] = [[w[0], w[2]], [w[1], w[3]]]
    net.biases[0][...], net.biases[1][...] = B_HIDDEN, B_OUTPUT
    return net


def by_trace(trace: bp.Trace) -> dict[str, float]:
    """The same numbers, from a trace."""
    V, W = trace.after.weights
    named = {"out h": trace.a[1], "out o": trace.a[2]}
    named |= {"delta o": trace.delta[1], "delta h": trace.delta[0]}
    found = {f"{k}{j + 1}": v[0, j] for k, v in named.items() for j in range(2)}
    found |= {f"w{k} after": w for k, w in enumerate([*V.T.flat, *W.T.flat], 1)}
    return {**found, "E": trace.loss}


def picture() -> Figure:
    """E over 10,000 steps, in the right order and in that of the article's program."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    for updated_first, style in ((False, "-"), (True, "--")):
        w, losses = W_HIDDEN + W_OUTPUT, []
        for _ in range(10_000):
            numbers = by_hand(w, updated_first)
            losses.append(numbers["E"])
            w = tuple(numbers[f"w{k} after"] for k in range(1, 9))
        name = "updated first" if updated_first else "old w5 .. w8"
        look = {"color": "black"} if updated_first else {"color": "0.75", "lw": 5}
        axes.loglog(range(1, 10_001), losses, style, label=name, **look)
    axes.set(xlabel="step", ylabel="E", title="The wrong order learns, too")
    axes.legend(frameon=False)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Print both side by side, and the results of both orders after 10,000 steps."""
    net = build()
    trace = bp.trace(net, [X], [Y], apply=True)
    traced = by_trace(trace)
    print(f"{'':10}{'by hand':>15}{'traced':>15}{'difference':>12}")
    for name, value in by_hand().items():
        gap = abs(value - traced[name])
        print(f"{name:10}{value:15.9f}{traced[name]:15.9f}{gap:12.0e}")
    for l, db in enumerate(trace.db):
        print(f"with lr_factor 1, b[{l}] would move by -lr db[{l}] = {-LR * db}")

    print("\nThe results of two orders, by hand, and what the article gives")
    print(f"{'':22}{'old w5 .. w8':>15}{'updated first':>15}{'article':>15}")
    old, updated = results(), results(updated_first=True)
    for name, article in ARTICLE.items():
        digits = 10 if "10,000" in name else 9
        row = (old[name], updated[name], article)
        print(f"{name:22}" + "".join(f"{x:15.{digits}f}" for x in row))

    print("\nThe first column again, by bpcore")
    print(f"E after 1 step        {net.evaluate([X], [Y]):.9f}")
    net.fit([X], [Y], epochs=9_998, batch_size=1, progress=False)
    print(
        f"E after 9,999 steps   {net.evaluate([X], [Y]):.10f}, which the article gives"
    )
    net.train_step([X], [Y])
    print(f"E after 10,000 steps  {net.evaluate([X], [Y]):.10f}")
    print(f"outputs               {net.predict(X).round(9)}, targets {Y}")


if __name__ == "__main__":
    main()

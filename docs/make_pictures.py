"""Draws the picture at the top of the README: one step of a small network.

python docs/make_pictures.py

needs matplotlib, and writes ``docs/images/step.png``.
"""

from pathlib import Path

import bpcore as bp

PICTURE = Path(__file__).parent / "images" / "step.png"


def step():
    """The trace of a step of exclusive or, after 20 others, for the row (1, 0)."""
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    settings = {"activation": "tanh", "output": "sigmoid", "loss": "squared_error"}
    net = bp.Network(
        [2, 3, 1], optimizer=bp.SGD(lr=0.5, momentum=0.9), rng=1, **settings
    )
    for _ in range(20):
        net.train_step(X, y)
    return bp.trace(net, X, y)


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    step().plot(row=2, show="gradient").savefig(PICTURE, dpi=120)

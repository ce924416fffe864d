"""Draws the pictures of the README and the guide, in ``docs/images``.

python docs/make_pictures.py

needs matplotlib.  The site's build writes the page of the step by `step` as well.
"""

from pathlib import Path

import bpcore as bp

IMAGES = Path(__file__).parent / "images"
X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


def network():
    """The network of the guide's page, after 20 steps of exclusive or."""
    settings = {"activation": "tanh", "output": "sigmoid", "loss": "squared_error"}
    net = bp.Network(
        [2, 3, 1], optimizer=bp.SGD(lr=0.5, momentum=0.9), rng=1, **settings
    )
    for _ in range(20):
        net.train_step(X, y)
    return net


def step():
    """The trace of its next step."""
    return bp.trace(network(), X, y)


def surface():
    """The error over two of its weights."""
    return bp.loss_surface(
        network(),
        *(X, y),
        parameters=[("W", 0, 0, 0), ("W", 1, 0, 0)],
        optimizers={"SGD": bp.SGD(2.0), "Adam": bp.Adam(0.1)},
        steps=100,
    )


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    step().plot(row=2, show="gradient").savefig(IMAGES / "step.png", dpi=120)
    surface().plot().savefig(IMAGES / "surface.png", dpi=90)

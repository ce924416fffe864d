"""`bpcore demo`: train a digit classifier, compare its time, draw the result."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  bpcore demo
  bpcore demo --epochs 5 --picture digits.pdf
  bpcore demo --mnist folder-of-idx-files
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--mnist",
    metavar="DIR",
    help="A folder with the four MNIST files, plain or .gz, to train on instead of the "
    "digits shipped with bpcore.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Passes through the training data.  [default: 30, or 10 for MNIST]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the initial weights and of the shuffling.",
)
@click.option(
    "--picture",
    metavar="FILE",
    default="bpcore-demo.png",
    show_default=True,
    help="File to draw into; its suffix is the format.",
)
def demo(mnist: str | None, epochs: int | None, seed: int, picture: str) -> None:
    """Train a digit classifier, compare its time with NumPy, draw the result."""
    from bpcore.cli import demo_training

    demo_training.run(mnist, epochs, seed, picture)

"""`bpcore convert`: a model file as one of another kind."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  bpcore convert house.bpc house.onnx
  bpcore convert network.keras network.bpc
  bpcore convert torch.safetensors network.bpc --activation tanh --output sigmoid
"""


@click.command(epilog=EXAMPLES)
@click.argument("source")
@click.argument("result")
@click.option("--activation", metavar="NAME", help="Hidden layers of weights alone.")
@click.option("--output", metavar="NAME", help="Output of weights alone.")
@click.option(
    "--keys",
    metavar="A,B,...",
    help="Layers of weights alone, in their order.  [default: by their names]",
)
def convert(source: str, result: str, keys: str | None, **activations: str) -> None:
    """Convert the model file SOURCE to RESULT.

    The suffixes say what they are: SOURCE .bpc, .onnx, .net (FANN), .keras, .h5 or
    .safetensors (weights of PyTorch); RESULT .bpc, .onnx, .h (C) or .net.

    Files .h5 and .safetensors have weights alone: --activation is that of the hidden
    layers, relu by default, and --output that of the last, identity by default.
    """
    from bpcore.cli.converting import convert_file

    given = {**activations, "keys": None if keys is None else keys.split(",")}
    missing = {name: value for name, value in given.items() if value is not None}
    convert_file(source, result, missing)

"""`bpcore convert`: a model file as one of another kind."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  bpcore convert house.bpc house.onnx
  bpcore convert network.keras network.bpc
  bpcore convert old.net new.onnx
"""


@click.command(epilog=EXAMPLES)
@click.argument("source")
@click.argument("result")
def convert(source: str, result: str) -> None:
    """Convert the model file SOURCE to RESULT.

    The suffixes say what they are: SOURCE .bpc, .onnx, .net (FANN), .keras, .h5 or
    .safetensors (weights of PyTorch); RESULT .bpc, .onnx, .h (C) or .net.
    """
    from bpcore.cli.converting import convert_file

    convert_file(source, result)

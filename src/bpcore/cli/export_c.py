"""`bpcore export-c`: a model as a C header."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  bpcore export-c house.bpc house.h --name house
  bpcore export-c house.bpc house.h --int8 --data houses.csv --target price
"""


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.argument("header")
@click.option(
    "--name", default="model", show_default=True, help="First part of all names in C."
)
@click.option("--int8", is_flag=True, help="Weights of 8 bits, in a quarter of memory.")
@click.option("--data", metavar="FILE", help="Table to measure the loss on.")
@click.option(
    "--target", metavar="NAME", help="Its column of targets.  [default: the model's]"
)
def export_c(
    model: str,
    header: str,
    name: str,
    int8: bool,
    data: str | None,
    target: str | None,
) -> None:
    """Write the predictions of MODEL as one C99 header, HEADER.

    It needs no library and no heap; its first lines say how much memory it needs.
    """
    from bpcore.cli.exporting import export

    export(model, header, name, int8, data, target)

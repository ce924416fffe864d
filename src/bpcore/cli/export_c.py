"""`bpcore export-c`: a model as a C header."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  bpcore export-c network.bpc network.h --name network
  bpcore export-c network.bpc network.h --int8 --data rows.csv --target y
"""


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.argument("header")
@click.option(
    "--name", default="model", show_default=True, help="First part of all names in C."
)
@click.option("--int8", is_flag=True, help="Weights of 8 bits, in a quarter of memory.")
@click.option("--data", metavar="FILE", help="Table to measure on what 8 bits cost.")
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
    A model of a table can be written if all its columns have numbers.
    """
    from bpcore.cli.exporting import export

    export(model, header, name, int8, data, target)

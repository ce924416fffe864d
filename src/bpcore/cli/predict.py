"""`bpcore predict`: predictions of a saved model for the rows of a table."""

from __future__ import annotations

from typing import Any

import click

from bpcore.cli.notation import notation_options

EXAMPLES = """\b
Examples:
  bpcore predict house.bpc new.csv --out predictions.csv
  bpcore predict leaves.bpc people.parquet --proba | head -3
  zcat new.csv.gz | bpcore predict house.bpc - > predictions.csv
"""


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.argument("data")
@click.option(
    "--out", metavar="FILE", help="File for the predictions.  [default: the output]"
)
@click.option("--proba", is_flag=True, help="The probability of each class.")
@click.option(
    "--drop", multiple=True, metavar="NAME", help="Column to ignore; repeatable."
)
@notation_options
@click.option(
    "--chunk",
    type=click.IntRange(min=1),
    default=10_000,
    metavar="N",
    show_default=True,
    help="Rows in memory at a time.",
)
def predict(**options: Any) -> None:
    """Predict the rows of a table, in their order, as CSV.

    MODEL is a file that bpcore can load.  DATA is a table as for bpcore train, of any
    length; - is standard input, and numbers must be written as they were there.
    Its columns may be in any order, and others are ignored; a network has no names of
    columns, and takes all but those of --drop.  With --out the file is written as a
    whole, or left as it was.
    """
    from bpcore.cli.predicting import Settings, predict_table

    predict_table(Settings(**options))

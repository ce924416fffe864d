"""`bpcore train`: a model of a table."""

from __future__ import annotations

from typing import Any

import click

from bpcore.cli.notation import notation_options

EXAMPLES = """\b
Examples:
  bpcore train houses.csv --target price --out house.bpc
  bpcore train houses.csv --target price --out house.bpc --quick --plot house.png
  bpcore train people.parquet --target leaves --out leaves.bpc --drop name --models 5
"""


def _a_number(context: click.Context, option: click.Parameter, value: float) -> float:
    """The value of an option, unless it is NaN."""
    if value != value:
        raise click.BadParameter("nan is no number", context, option)
    return value


@click.command(epilog=EXAMPLES)
@click.argument("data")
@click.option("--target", required=True, metavar="NAME", help="Column to predict.")
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    help="File for the model, such as house.bpc.",
)
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="What the target is: classes or numbers.  [default: guessed, and stated]",
)
@click.option("--quick", is_flag=True, help="A smaller network, trained much sooner.")
@click.option(
    "--models",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    show_default=True,
    help="Networks, whose predictions are averaged.",
)
@click.option(
    "--test",
    type=click.FloatRange(0, 1, max_open=True),
    callback=_a_number,
    default=0.2,
    metavar="FRACTION",
    show_default=True,
    help="Rows that are not trained on, for the report; 0: none, and no report.",
)
@click.option(
    "--drop", multiple=True, metavar="NAME", help="Column to leave out; repeatable."
)
@click.option(
    "--categorical",
    multiple=True,
    metavar="NAME",
    help="Column of numbers that are names, such as codes; repeatable.",
)
@notation_options
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Passes over the rows.  [default: 256, or 40 with --quick]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    show_default=True,
    help="Seed of the weights, shuffles and rows held out.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most threads.  [default: all; no result depends on it]",
)
@click.option("--plot", metavar="FILE", help="Picture of losses and predictions.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
def train(**options: Any) -> None:
    """Train a model of a table and save it to a file.

    DATA is a table: CSV, TSV (either may be gzipped, or separated by semicolons) or
    Parquet (needs pyarrow); - is standard input.  The first line has the names of the
    columns.  Columns may have numbers, texts and bools, and missing values; columns of
    dates are refused.

    The report compares the model with a constant prediction, on rows that were held
    out.  The model that is saved was trained without these rows.
    """
    from bpcore.cli.training import Settings, train_on_table

    train_on_table(Settings(**options))

"""The group of all commands."""

from __future__ import annotations

import click

from bpcore.cli.config import config
from bpcore.cli.convert import convert
from bpcore.cli.demo import demo
from bpcore.cli.export_c import export_c
from bpcore.cli.inspect import inspect
from bpcore.cli.predict import predict
from bpcore.cli.train import train
from bpcore.version import VERSION

EXAMPLES = """\b
Examples:
  bpcore train houses.csv --target price --out house.bpc
  bpcore predict house.bpc new.csv --out predictions.csv
  bpcore COMMAND --help
"""


class InOrder(click.Group):
    """A group that lists its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=InOrder,
    invoke_without_command=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(VERSION, prog_name="bpcore", message="%(prog)s %(version)s")
@click.pass_context
def bpcore(context: click.Context) -> None:
    """Train networks on tables, and use, show and convert them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (train, predict, inspect, convert, export_c, demo, config):
    bpcore.add_command(command)

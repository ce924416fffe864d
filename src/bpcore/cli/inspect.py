"""`bpcore inspect`: what a model file holds."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  bpcore inspect house.bpc
  bpcore inspect house.bpc --json
"""


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def inspect(model: str, as_json: bool) -> None:
    """Show layers, parameters, history and columns of a model.

    MODEL is a file that bpcore can load.  A bpcore file has an input and its output,
    with which the network is tested.
    """
    import json

    from bpcore.cli.facts import facts_of
    from bpcore.cli.inspecting import show

    facts = facts_of(model)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show(facts)

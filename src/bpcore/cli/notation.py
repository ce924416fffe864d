"""The options for how numbers and missing values are written in a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

#: The options of one sign.
SIGNS = ("decimal", "thousands")

Command = TypeVar("Command", bound=Callable[..., object])


def notation_options(command: Command) -> Command:
    """The options --decimal, --thousands and --missing of a command.

    Examples
    --------
    >>> import click
    >>> from bpcore.cli.notation import notation_options
    >>> @click.command()
    ... @notation_options
    ... def show(decimal, thousands, missing):
    ...     print(decimal, missing)
    >>> show(["--missing", "?"], standalone_mode=False)
    . ('?',)
    """
    command = click.option(
        "--missing",
        multiple=True,
        metavar="TEXT",
        help="Text of a missing value, such as '?'; repeatable.",
    )(command)
    command = click.option(
        "--thousands",
        callback=_one_sign,
        default="",
        metavar="SIGN",
        help="What separates thousands, such as ','.  [default: nothing]",
    )(command)
    return click.option(
        "--decimal",
        callback=_one_sign,
        default=".",
        metavar="SIGN",
        show_default=True,
        help="The decimal sign of numbers, such as ','.",
    )(command)


def _one_sign(context: click.Context, option: click.Parameter, value: str) -> str:
    """One character that is no other part of a number, or none for thousands."""
    none = not value and option.name == "thousands"
    sign = len(value) == 1 and value.isprintable() and not value.isalnum()
    if not none and (not sign or value in '+-"'):
        message = "it must be one sign, such as ','"
        raise click.BadParameter(message, context, option)
    if value and value in (context.params.get(other) for other in SIGNS):
        raise click.BadParameter(
            "--decimal and --thousands must be different", context, option
        )
    return value

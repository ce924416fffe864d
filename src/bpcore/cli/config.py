"""`bpcore config`: versions, instruction sets and build settings."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  bpcore config
  BPCORE_ISA=x86_64_v3 bpcore config
"""


@click.command(epilog=EXAMPLES)
def config() -> None:
    """Show versions, instruction sets and build settings."""
    from bpcore.config import show_config

    show_config()

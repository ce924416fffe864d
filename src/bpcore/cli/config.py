"""`bpcore config`: versions, instruction sets and build settings."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from bpcore.config import show_config


def add_options(parser: ArgumentParser) -> None:
    """Add the options of the command: none."""


def execute(options: Namespace) -> None:
    """Run the command."""
    show_config()

"""Files to be written, checked before work that takes long."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpcore.files.whole import replaceable, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_writable(path: str | os.PathLike[str], what: str) -> None:
    """Raise if a file cannot be written.

    Examples
    --------
    >>> from bpcore.cli.outputs import require_writable
    >>> require_writable("no_such_folder/a.bpc", "model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: no folder ...no_such_folder to write the model into
    """
    path = Path(path)
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder} to write the {what} into")
    try:
        replaceable(path)
    except OSError as error:
        reason = str(error.strerror)
        raise OSError(
            f"cannot write the {what} to {path}: {reason[0].lower()}{reason[1:]}"
        ) from None
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise PermissionError(f"cannot write the {what} to {path}")


def mark_written(what: str) -> None:
    """Note that something was written, for the message after an interrupt.

    Examples
    --------
    >>> import click
    >>> from bpcore.cli.outputs import mark_written
    >>> written = []
    >>> with click.Context(click.Command("train"), obj=written):
    ...     mark_written("house.bpc")
    >>> written
    ['house.bpc']
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.obj is not None and what not in context.obj:
        context.obj.append(what)


def blank_figure(picture: str | os.PathLike[str], what: str) -> Figure:
    """An empty figure; raises if the file for it is invalid.

    Raises
    ------
    OSError
        If it cannot be written.
    ModuleNotFoundError
        Without matplotlib.
    ValueError
        If its suffix is not that of a format of pictures.
    """
    require_writable(picture, what)
    # Not pyplot, which would need a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.4))
    formats = figure.canvas.get_supported_filetypes()
    if Path(picture).suffix[1:].lower() not in formats:
        endings = ", ".join(f".{ending}" for ending in sorted(formats))
        raise ValueError(f"{what} must end in one of {endings}; got {picture}")
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a picture as a whole, or leave the file as it was."""
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix[1:].lower(), dpi=150)
    write_whole(path, [content.getvalue()])

"""The hook for PyInstaller, found by the entry point ``pyinstaller40``."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """The folder of the hook.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bpcore.__pyinstaller import get_hook_dirs
    >>> [path.name for path in Path(get_hook_dirs()[0]).glob("hook-*")]
    ['hook-bpcore.py']
    """
    return [str(Path(__file__).parent)]

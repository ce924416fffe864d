"""Going on with the fit of a file, which process 0 alone must be able to read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from bpcore.distributed.team import Team, common
from bpcore.training.arguments import Arguments, require_same
from bpcore.training.learner import Learner
from bpcore.training.position import Resumed

#: Reads the fit of a file: a path, and the learner of its network.
ReadResumed = Callable[[Any, Learner], Resumed]


def resumed_fit(
    team: Team, learner: Learner, path: Any, args: Arguments, read: ReadResumed
) -> Resumed:
    """The fit of a file that process 0 can read."""

    def content() -> tuple[str, bytes] | str:
        try:
            with open(path, "rb") as file:
                return os.fsdecode(path), file.read()
        except (OSError, TypeError) as error:
            return f"resume={path!r} cannot be read by process 0: {error}"

    found = team.broadcast(content)
    if isinstance(found, str):
        raise common(ValueError(found))

    def read_here() -> Resumed:
        if team.rank == 0:
            resumed = read(path, learner)
        else:
            name, data = found
            folder = tempfile.mkdtemp()  # which no child of a fork removes
            try:
                copy = os.path.join(folder, os.path.basename(name))
                with open(copy, "wb") as file:
                    file.write(data)
                resumed = read(copy, learner)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        require_same(resumed.position, args)
        return resumed

    return team.together(read_here)

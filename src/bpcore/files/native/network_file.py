"""A network in a native file."""

from __future__ import annotations

from typing import Any

from bpcore import checks
from bpcore.files.native.container import Container
from bpcore.files.native.history import read_history, stored_history
from bpcore.files.native.model_file import require_keys, write_model
from bpcore.files.native.networks import HowToRead, Stored, read_network, stored
from bpcore.files.native.self_test import (
    INPUT,
    OUTPUT,
    is_exact,
    recorded,
    require_output,
)
from bpcore.files.whole import Path
from bpcore.model.threads import n_threads as thread_count
from bpcore.training.learner import Learner

#: The kind of a file with one network, and the keys of its content.
NETWORK = "network"
CONTENT = ("network", "exact", "history", "fit")


def stored_with_test(
    learner: Learner, n_threads: int | str, prefix: str = "", weights_only: bool = False
) -> Stored:
    """A network for a file, with its self-test and history."""
    plain, arrays, finite = stored(
        learner.design,
        learner.state,
        learner.dtype,
        n_threads,
        prefix,
        weights_only=weights_only,
    )
    running = learner.running  # a fit within a callback has left its own history
    own = learner.history if running is None else running.history
    history = stored_history(own, f"{prefix}history.")
    content = {
        "network": plain,
        "exact": is_exact(),
        "history": history.plain,
        "fit": None,
    }
    arrays = arrays | recorded(learner, prefix) | history.arrays
    return Stored(content, arrays, finite)


def write_network(
    path: Path,
    learner: Learner,
    n_threads: int | str,
    *,
    weights_only: bool = False,
    sync: bool = True,
    fit: Stored | None = None,
) -> None:
    """Write a network, and the fit that is running, to a file or leave it as it was."""
    content, arrays, finite = stored_with_test(
        learner, n_threads, weights_only=weights_only
    )
    if fit is not None:
        content, arrays = content | {"fit": fit.plain}, arrays | fit.arrays
    write_model(path, NETWORK, content, arrays, finite=finite, sync=sync)


def read_with_test(
    content: Any, file: Container, how: HowToRead, engine: type, prefix: str = ""
) -> tuple[Learner, int | str]:
    """A network of a file, its self-test passed, and its number of threads.

    With a map of the file the self-test is left out, since it reads all weights.
    """
    require_keys("content", content, *CONTENT)
    design, state, n_threads = read_network(content["network"], file, how, prefix)
    learner = Learner(design, state, engine, thread_count(n_threads))
    exact = checks.boolean("exact", content["exact"])
    if how.mmap:
        file.skip(f"{prefix}self_test.")
    else:
        x, expected = file.array(prefix + INPUT), file.array(prefix + OUTPUT)
        require_output(learner, x, expected, exact)
    learner.history = read_history(content["history"], file, f"{prefix}history.")
    file.skip(f"{prefix}fit.")
    return learner, n_threads

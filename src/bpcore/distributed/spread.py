"""Networks spread over processes, each trained by one and then known to all."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bpcore.distributed.agreement import agree, facts
from bpcore.distributed.states import packed, unpacked
from bpcore.distributed.team import Team, in_words
from bpcore.training.history import History
from bpcore.training.learner import Learner


class Trained(NamedTuple):
    """The history of one network's fit, and the error that ended it, or None."""

    history: History | None
    error: BaseException | None


def spread(
    team: Team,
    learners: Sequence[Learner],
    settings: Mapping[str, Any],
    train: Callable[[list[int]], Mapping[int, Trained]],
) -> list[Trained]:
    """Train every learner in one process; then all have its state and history.

    ``train(numbers)`` trains those of this process.  An error that cannot be pickled
    is a RuntimeError in the other processes.

    Raises
    ------
    ValueError
        If the processes do not have the same networks.
    """
    agree(team, _facts(learners, settings))
    known = [learner.state.optimizer for learner in learners]
    own = train([*range(team.rank, len(learners), team.size)])
    sent = {
        i: (
            packed(learners[i].state, known[i]),
            learners[i].history,
            found.history is not None,
            sendable(found.error),
        )
        for i, found in own.items()
    }
    every: dict[int, Any] = {}
    for of_process in team.all_gather(sent):
        every |= of_process
    trained = []
    for i, learner in enumerate(learners):
        if i in own:
            trained.append(own[i])
            continue
        state, history, has_history, error = every[i]
        learner.become(unpacked(state, learner))
        learner.history = history
        trained.append(Trained(learner.history if has_history else None, error))
    return trained


def sendable(error: BaseException | None) -> BaseException | None:
    """The error if it can be pickled, else its text as a RuntimeError.

    Examples
    --------
    >>> from bpcore.distributed.spread import sendable
    >>> sendable(KeyError("a")), sendable(KeyError(lambda: 0)).__class__.__name__
    (KeyError('a'), 'RuntimeError')
    """
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        assert error is not None
        return RuntimeError(in_words(error))
    return error


def _facts(learners: Sequence[Learner], settings: Mapping[str, Any]) -> dict[str, str]:
    """What the processes must have in common."""
    found = {"number of networks": str(len(learners))}
    found |= {name: str(value) for name, value in settings.items()}
    for i, learner in enumerate(learners):
        of_one = facts(learner, {})
        found |= {f"{name} of network {i}": value for name, value in of_one.items()}
    return found

"""Error: E of all data, for any parameters of a network."""

from __future__ import annotations

import dataclasses
from typing import Any

from numpy.typing import NDArray

from bpcore.batches.batch import Batch
from bpcore.batches.weights import scaled_to_mean_1
from bpcore.errstate import own_errstate
from bpcore.training.learner import Learner


class Error:
    """E of all rows, computed by a copy of a learner: called with flat parameters.

    It is ``Network.evaluate``, without dropout and noise; batch norm has the moments of
    these rows, as in training, since running moments would be those of other weights.
    """

    def __init__(self, learner: Learner, data: Batch) -> None:
        design = learner.design
        design = dataclasses.replace(
            design, dropout=(0.0,) * len(design.dropout), input_noise=0.0
        )
        state = learner.state.copy(learner.dtype)
        threads = learner.engine.n_threads
        self._learner = Learner(design, state, type(learner.engine), threads)
        self._parameters = self._learner.engine.lend()
        weight = None if data.weight is None else scaled_to_mean_1(data.weight)
        self._data = Batch(data.X, data.y, weight)

    @own_errstate
    def __call__(self, parameters: NDArray[Any]) -> float:
        """E, which may be infinite or NaN."""
        self._parameters[...] = parameters
        if self._learner.state.moments.size:
            return self._learner.training_loss(self._data)
        return self._learner.mean_loss(self._data)

"""A matrix whose numbers lie at odd addresses is converted, as any other."""

import numpy as np
import pytest

from bpcore.tabular import Regressor

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_misaligned_matrices(dtype):
    X = (RNG.normal(size=(60, 3)) * 9).astype(dtype)
    odd = np.frombuffer(b"x" + X.tobytes(), "u1")[1:].view(dtype).reshape(X.shape)
    assert not odd.flags.aligned
    model = Regressor(quick=True, random_state=0).fit(X, X[:, 0])
    again = Regressor(quick=True, random_state=0).fit(odd, X[:, 0])
    assert (model.predict(X) == again.predict(odd)).all()

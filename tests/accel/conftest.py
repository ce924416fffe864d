"""Every test leaves scikit-learn as it was."""

import pytest

sklearn = pytest.importorskip("sklearn", minversion="1.7")
from sklearn import neural_network  # noqa: E402
from sklearn.neural_network import _multilayer_perceptron as module  # noqa: E402

from bpcore import accel  # noqa: E402

PLAIN = neural_network.MLPClassifier, neural_network.MLPRegressor


@pytest.fixture(autouse=True)
def plain():
    """The two classes of scikit-learn, which are in their place after the test."""
    yield PLAIN
    accel.uninstall()
    for place in (neural_network, module):
        assert (place.MLPClassifier, place.MLPRegressor) == PLAIN


@pytest.fixture
def installed():
    assert accel.install()

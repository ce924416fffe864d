"""Every test leaves scikit-learn as it was."""

import pytest

from bpcore import accel


@pytest.fixture(autouse=True)
def plain():
    """The two classes of scikit-learn, which are in their places after the test."""
    neural_network = pytest.importorskip("sklearn.neural_network")
    from sklearn.neural_network import _multilayer_perceptron as module

    places = [
        (place, name)
        for place in (neural_network, module)
        for name in ("MLPClassifier", "MLPRegressor")
    ]
    before = [getattr(*place) for place in places]
    assert not any("bpcore" in str(kind.__mro__) for kind in before)
    yield tuple(before[:2])
    accel.uninstall()
    assert [getattr(*place) for place in places] == before


@pytest.fixture
def installed():
    assert accel.install()

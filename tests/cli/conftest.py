"""A table, and models of it, for the tests of the commands."""

import numpy as np
import pandas as pd
import pytest

from bpcore.tabular import Classifier, Regressor

N = 80


def small_frame():
    random = np.random.default_rng(0)
    size = random.normal(size=N)
    frame = pd.DataFrame(
        {
            "size": size,
            "holes": np.where(random.random(N) < 0.2, np.nan, random.normal(size=N)),
            "colour": random.choice(["red", "blue", "gr\u00fcn, hell"], N),
            "flag": random.random(N) > 0.5,
            "zip": random.choice(["01234", "04711", "99999"], N),
        }
    )
    frame["kind"] = np.where(size > 0, "yes", "no")
    frame["price"] = np.round(1000 * size + 10 * random.normal(size=N), 3)
    return frame


@pytest.fixture
def frame():
    return small_frame()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Paths of a classifier of `kind` and of a regressor of `price`."""
    folder, frame = tmp_path_factory.mktemp("models"), small_frame()
    X = frame[["size", "holes", "colour", "flag", "zip"]]
    paths = {}
    for name, model in (("kind", Classifier), ("price", Regressor)):
        fitted = model(quick=True, epochs=2, random_state=0).fit(X, frame[name])
        paths[name] = str(folder / f"{name}.bpc")
        fitted.save(paths[name], sync=False)
    return paths


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of its own as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path

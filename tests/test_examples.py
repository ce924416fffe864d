"""The examples do what they say, in short."""

import importlib.util
import os
from pathlib import Path

import pytest

from bpcore.datasets import load_mnist

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
MNIST = Path(os.environ.get("MNIST", SHARED / "mnist"))
HOUSING = Path(os.environ.get("HOUSING", SHARED / "housing" / "housing.csv"))

needs_mnist = pytest.mark.skipif(
    not MNIST.is_dir(), reason=f"no MNIST files in {MNIST}"
)
needs_housing = pytest.mark.skipif(not HOUSING.is_file(), reason=f"no file {HOUSING}")


def example(name):
    """The module of an example, or a skip where it needs what is not installed."""
    for needed in ("sklearn", "pandas") if name != "mnist_adam" else ():
        pytest.importorskip(needed)
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["mnist_adam", "california_housing"])
def test_help(name, capsys):
    with pytest.raises(SystemExit) as exit:
        example(name).main(["--help"])
    assert exit.value.code == 0
    assert "--seed" in capsys.readouterr().out


def test_mnist_is_a_small_net():
    assert example("mnist_adam").build(steps=1).parameters.size < 250_000


@needs_mnist
def test_mnist():
    """A third of the images, four epochs."""
    X, y, X_test, y_test = load_mnist(MNIST)
    module = example("mnist_adam")
    net, history = module.train(X[:20_000], y[:20_000], (X_test, y_test), epochs=4)
    assert len(history) == 4
    assert history["accuracy"][-1] > 0.95
    assert (net.predict(X_test).argmax(axis=1) == y_test).mean() > 0.95


@needs_housing
def test_housing():
    module = example("california_housing")
    X, X_test, y, y_test = module.load(HOUSING)
    features = module.make_features()
    net, _ = module.train(features.fit_transform(X), y, epochs=20, progress=False)
    assert net.evaluate(features.transform(X_test), y_test, metrics="r2")["r2"] > 0.75


@needs_housing
def test_housing_report(capsys, monkeypatch):
    module = example("california_housing")
    train = module.train
    monkeypatch.setattr(
        module, "train", lambda X, y, seed: train(X, y, 2, seed, progress=False)
    )
    module.main([str(HOUSING)])
    assert "R2          0." in capsys.readouterr().out


def test_breast_cancer():
    """The heavier malignant tumours weigh, the fewer are missed."""
    module = example("breast_cancer")
    results = [module.cross_validate(weight) for weight in module.WEIGHTS]
    missed = [result["missed"] for result in results]
    assert missed == sorted(missed, reverse=True)
    assert missed[0] >= 5 and missed[-1] <= 2
    assert results[0]["accuracy"] > 0.96
    assert results[1]["recall"] > results[0]["recall"]
    assert all(result["auc"] > 0.99 for result in results)


def test_breast_cancer_report(capsys):
    example("breast_cancer").main()
    out = capsys.readouterr().out
    assert "212 of them malignant" in out
    assert len(out.splitlines()) == 3 + 5

"""The examples, in shortened runs, give the results they announce."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore.datasets import load_mnist

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
MNIST = Path(os.environ.get("MNIST", SHARED / "mnist"))
HOUSING = Path(os.environ.get("HOUSING", SHARED / "housing" / "housing.csv"))

needs_mnist = pytest.mark.skipif(
    not MNIST.is_dir(), reason=f"no MNIST files in {MNIST}"
)
needs_housing = pytest.mark.skipif(not HOUSING.is_file(), reason=f"no file {HOUSING}")


#: What examples need besides NumPy.
NEEDS = {
    "california_housing": ("sklearn", "pandas"),
    "breast_cancer": ("sklearn", "pandas"),
    "steps/step6_boundary": ("matplotlib",),
}


def example(name):
    """The module of an example, or a skip where it needs what is not installed."""
    for needed in NEEDS.get(name, ()):
        pytest.importorskip(needed)
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["mnist_adam", "california_housing", "steps/step6_boundary"]
)
def test_help(name, capsys):
    with pytest.raises(SystemExit) as exit:
        example(name).main(["--help"])
    assert exit.value.code == 0
    assert "--seed" in capsys.readouterr().out


#: Examples with a picture for the gallery, and texts in it.
PICTURES = {
    "digits": "as",
    "breast_cancer": "5 : 1",
    "steps/step1_perceptron": "XOR: the line after each of 3 epochs",
    "steps/step2_xor": "0, 1",
    "steps/step3_by_hand": "The wrong order learns, too",
    "steps/step4_softmax": "squared_error",
    "steps/step5_momentum": "mu = 0.99",
    "steps/step6_boundary": "epoch 60",
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.text import Text

    module = example(name)
    if name == "breast_cancer":
        monkeypatch.setattr(module, "cross_validate", one_fold)
    figure = module.picture()
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert any(PICTURES[name] in text for text in texts)
    drawn = [
        axes for axes in figure.axes if axes.lines or axes.images or axes.collections
    ]
    assert drawn == figure.axes


def one_fold(class_weight):
    """What `cross_validate` returns, without training."""
    return {"alarms": 18, "missed": 6}


def test_digits(capsys):
    digits = example("digits")
    *_, y = digits.load()
    net, taken_for = digits.learn(epochs=5)
    table = digits.confusion(y, taken_for)
    assert net.sizes == (64, 64, 10) and table.sum() == len(y) == 599
    assert (taken_for == y).sum() == table.trace() > 0.9 * len(y)
    digits.main()
    assert "96.3% of 599 digits right" in capsys.readouterr().out


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


# --- the classic steps ----------------------------------------------------------------


def test_step1_and_is_learnt():
    """In whole numbers, by hand, from Rosenblatt's rule."""
    step1 = example("steps/step1_perceptron")
    net = step1.perceptron()
    history = step1.learn(net, step1.AND)
    assert [errors for _, errors in history] == [1, 3, 3, 2, 1, 0]
    assert [w.tolist() for w, _ in history[:2]] == [[1, 1, 1], [2, 1, 0]]
    assert net.predict(step1.X)[:, 0].tolist() == step1.AND.tolist()


def test_step1_xor_comes_back():
    step1 = example("steps/step1_perceptron")
    net = step1.perceptron()
    history = step1.learn(net, step1.XOR)
    assert len(history) == 3
    assert history[2][0].tolist() == history[1][0].tolist() == [-1, 0, 1]
    again = step1.learn(net, step1.XOR)
    assert len(again) == 1 and (again[0][0] == history[2][0]).all()
    # Nor has any other line on a grid fewer errors than one.
    grid = np.array(np.meshgrid(*[np.linspace(-2, 2, 21)] * 3)).reshape(3, -1)
    a = step1.X @ grid[:2] + grid[2] > 0
    assert (a != step1.XOR[:, None]).sum(axis=0).min() == 1


def test_step1_report(capsys):
    example("steps/step1_perceptron").main([])
    out = capsys.readouterr().out
    assert "(1, 1) is alone above the line 2 x1 +1 x2 -2 = 0" in out
    assert "again those after epoch 2" in out


def test_step2_learns_xor():
    step2 = example("steps/step2_xor")
    net = step2.build()
    history = step2.train(net)
    assert history.loss[0] > 0.1 and history.loss[-1] < 1e-3
    assert np.abs(net.predict(step2.X)[:, 0] - step2.XOR).max() < 0.05
    hidden = net.forward(step2.X).activations[1]
    z = hidden @ net.weights[1] + net.biases[1]  # a line now separates
    assert (z[:, 0] > 0).tolist() == (step2.XOR == 1).tolist()


def test_step2_report(capsys, monkeypatch):
    step2 = example("steps/step2_xor")
    trace = bp.trace(step2.build(), step2.X, step2.XOR)
    step2.main([])
    out = capsys.readouterr().out
    assert str(trace) in out and str(trace.path(0, 0, 1)) in out
    assert f"epoch     1  E = {trace.loss:.6f}" in out
    assert trace.path(0, 0, 1).difference < 1e-15


#: What Mazur's article gives of the step itself, to its digits.
ARTICLE = {
    "out h1": 0.593269992,
    "out h2": 0.596884378,
    "out o1": 0.75136507,
    "out o2": 0.772928465,
    "E": 0.298371109,
    "delta o1": 0.138498562,
    "w5 after": 0.35891648,
    "w6 after": 0.408666186,
    "w7 after": 0.511301270,
    "w8 after": 0.561370121,
    "w1 after": 0.149780716,
    "w2 after": 0.19956143,
    "w3 after": 0.24975114,
    "w4 after": 0.29950229,
}


def test_step3_three_times_the_same():
    step3 = example("steps/step3_by_hand")
    net = step3.build()
    hand = step3.by_hand()
    traced = step3.by_trace(bp.trace(net, [step3.X], [step3.Y], apply=True))
    assert hand.keys() == traced.keys() >= ARTICLE.keys()
    assert traced == pytest.approx(hand, rel=1e-13)
    assert {k: hand[k] for k in ARTICLE} == pytest.approx(ARTICLE, abs=6e-9)
    assert [b.tolist() for b in net.biases] == [[0.35, 0.35], [0.60, 0.60]]


def test_step3_report(capsys):
    example("steps/step3_by_hand").main([])
    out = capsys.readouterr().out
    assert "E             0.298371109    0.298371109" in out
    assert "E after 1 step        0.291027774\n" in out
    assert "E after 1 step            0.291027774    0.291027924    0.291027924" in out
    assert "E after 10,000 steps  0.0000351019\n" in out
    assert "E after 9,999 steps   0.0000351085, which the article gives" in out


def test_step3_the_order_of_the_articles_results():
    """Its outputs come of the updated w5 .. w8, its last loss a step too early."""
    step3 = example("steps/step3_by_hand")
    article, right = step3.ARTICLE, step3.results()
    wrong = step3.results(updated_first=True)
    for name in ("E after 1 step", "out o1 then", "out o2 then"):
        assert wrong[name] == pytest.approx(article[name], abs=6e-10)
        assert abs(right[name] - article[name]) > 1e-7
    assert right["E after 1 step"] == pytest.approx(0.291027774, abs=6e-10)
    # The right order's deltas are the derivatives of the loss, the others are not.
    w, h = step3.W_HIDDEN + step3.W_OUTPUT, 1e-6
    for k in range(4):
        up, down = list(w), list(w)
        up[k], down[k] = w[k] + h, w[k] - h
        slope = (step3.forward(up)["E"] - step3.forward(down)["E"]) / (2 * h)
        name = f"w{k + 1} after"
        moved = {u: (w[k] - step3.by_hand(w, u)[name]) / step3.LR for u in (0, 1)}
        assert moved[False] == pytest.approx(slope, rel=1e-6)
        assert abs(moved[True] - slope) > 0.1 * abs(slope)
    net = step3.build()
    net.fit([step3.X], [step3.Y], epochs=9_999, batch_size=1, progress=False)
    last = article["E after 10,000 steps"]
    assert net.evaluate([step3.X], [step3.Y]) == pytest.approx(last, abs=6e-11)
    net.train_step([step3.X], [step3.Y])
    end = right["E after 10,000 steps"]
    assert net.evaluate([step3.X], [step3.Y]) == pytest.approx(end, rel=1e-9)
    assert end == pytest.approx(0.0000351019, abs=6e-11)


def test_step4_delta_three_ways():
    step4 = example("steps/step4_softmax")
    trace = bp.trace(step4.build(), step4.X, step4.LABELS)
    a = trace.a[-1]
    np.testing.assert_allclose(trace.delta[-1], (a - step4.Y) / len(a), rtol=1e-14)
    by_jacobian = step4.delta_by_jacobian(a, step4.Y)
    np.testing.assert_allclose(trace.delta[-1], by_jacobian, rtol=1e-13)
    jacobians = [step4.jacobian(row) for row in a]
    np.testing.assert_allclose(trace.derivatives[-1], jacobians, rtol=1e-13)


def test_step4_certainty_does_not_stop_cross_entropy():
    step4 = example("steps/step4_softmax")
    z = np.array([0.0, 0.0, 10.0])
    a = np.exp(z) / np.exp(z).sum()
    y = np.array([1.0, 0.0, 0.0])
    delta = step4.wrong_with_certainty("cross_entropy", 10.0)
    np.testing.assert_allclose(delta, a - y, rtol=1e-12)
    delta = step4.wrong_with_certainty("squared_error", 10.0)
    np.testing.assert_allclose(delta, (a - y) @ step4.jacobian(a), rtol=1e-10)
    assert abs(delta[0]) < 1e-4


def test_step4_report(capsys):
    example("steps/step4_softmax").main([])
    out = capsys.readouterr().out
    assert out.count("[-0.414492  0.306263  0.10823 ]") == 3


def test_step5_by_hand():
    step5 = example("steps/step5_momentum")
    net = step5.build(0.9)
    v = np.zeros((2, 1))
    for hand in step5.by_hand(0.9, steps=3):
        trace = bp.trace(net, step5.X, step5.Y, apply=True)
        before, after = (
            p.state["velocity"].weights[0] for p in (trace.before, trace.after)
        )
        np.testing.assert_array_equal(before, v)
        for x, traced in zip(
            hand, (trace.dW[0], after, trace.after.weights[0]), strict=True
        ):
            np.testing.assert_allclose(traced, x, rtol=1e-10)
        v = after
    assert (net.weights[0] == trace.after.weights[0]).all()


def test_step5_momentum_saves_steps_until_it_overshoots():
    step5 = example("steps/step5_momentum")
    plain, some, most = (step5.steps_to(1e-8, mu) for mu in (0.0, 0.9, 0.99))
    assert some < plain / 5 and some < most / 5
    # Plain descent takes what the small curvature says.
    low, _ = np.linalg.eigvalsh(step5.X.T @ step5.X / len(step5.X))
    along = np.log(1e-8 / (low * 2)) / np.log(1 - step5.LR * low) / 2
    assert plain == pytest.approx(along, abs=2)


def test_step5_report(capsys):
    example("steps/step5_momentum").main([])
    out = capsys.readouterr().out
    assert "step 3, E = " in out
    assert out.count("g = dE/dw") == 3


def test_step6_frames(tmp_path, capsys):
    step6 = example("steps/step6_boundary")
    from matplotlib.image import imread

    folder = tmp_path / "frames"
    step6.main([str(folder), "--epochs", "40", "--every", "40"])
    *lines, where = capsys.readouterr().out.splitlines()
    assert where == f"frames written to {folder}"
    accuracy = [float(line.split()[3].rstrip("%")) for line in lines]
    assert len(lines) == 2 and accuracy[0] < 60 and accuracy[1] > 90
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["epoch0000.png", "epoch0040.png"]
    first, last = (imread(folder / name)[..., :3] for name in names)
    assert first.shape == last.shape == (560, 1440, 3)
    assert (first != last).any(axis=2).mean() > 0.1
    X, y = step6.moons()
    net = step6.build()
    net.fit(X, y, epochs=40, batch_size=20, progress=False)
    right = (net.predict(X)[:, 0] > 0.5) == y
    assert accuracy[1] == pytest.approx(100 * right.mean(), abs=0.05)

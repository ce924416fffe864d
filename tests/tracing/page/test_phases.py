"""The phases of a page in the browser, against the trace."""

import numpy as np
import pytest

import bpcore as bp
from helpers.browser import close, equations, labels, number, quantities, title
from helpers.pages import TRACES

each_trace = pytest.mark.parametrize("make", TRACES.values(), ids=TRACES)


@each_trace
def test_step_by_step(shown, make):
    """Every phase by its button, the numbers of every unit and every row."""
    t = make()
    page, L = shown(t), t.n_layers
    for row in (0, len(t.X) - 1):
        page.keyboard.press("Home")
        page.locator("#row").select_option(str(row))
        assert title(page) == "Input"
        assert close(quantities(page)["a[0]"], t.a[0][row])
        for l in range(L):
            page.locator("#next").click()
            assert title(page).startswith(f"Forward, layer {l}: ")
            assert_forward(page, t, l, row)
        page.locator("#next").click()
        assert_loss(page, t, row)
        for l in reversed(range(L)):
            page.locator("#next").click()
            assert title(page).startswith(f"Backward, layer {l}: ")
            assert_backward(page, t, l, row)
        page.locator("#next").click()
        assert title(page).startswith("Update")
        assert page.locator("#next").get_attribute("aria-disabled") == "true"
        assert page.locator("#place").inner_text() == f"{2 * L + 3} of {2 * L + 3}"
        assert_update(page, t)
    page.locator("#back").click()
    assert title(page).startswith("Backward, layer 0")
    page.locator("#last").click()
    assert title(page).startswith("Update")


@each_trace
def test_the_box_of_the_loss(shown, make):
    """The row's own loss and E, once both are known."""
    t = make()
    page = shown(t)
    box = "[...drawing.E].map(text => text.textContent)"
    assert not any(map(str.isdigit, page.evaluate(box)[-1]))
    page.locator("#last").click()
    row = len(t.X) - 1
    page.locator("#row").select_option(str(row))
    *own, whole = page.evaluate(box)
    assert whole.startswith("E ") and len(own) == (row > 0)
    for text in own:
        assert f"E_{row} " in text
        assert close(number(text.split()[-1]), t.losses[row], 2)
    assert close(number(whole.split()[-1]), t.loss, 2)


@pytest.mark.parametrize(
    "X, first", [([[0.0], [0.0], [3.0]], "2"), ([[0.0], [0.0]], "0")], ids=str
)
def test_the_first_row_is_one_in_which_something_happens(shown, X, first):
    page = shown(bp.trace(bp.Network([1, 1], rng=0), X, np.ones((len(X), 1))))
    assert page.locator("#row").input_value() == first
    assert page.locator("#words").inner_text().startswith(f"Circles: a of row {first}.")


def assert_forward(page, t, l, row):
    found = quantities(page)
    assert close(found[f"a[{l + 1}]"], t.a[l + 1][row])
    for name in ("u", "hat", "z", "kept"):
        array = getattr(t, name)[l]
        assert (name in found) == (array is not None)
        assert array is None or close(found[name], array[row])
    said = labels(page)
    for j, a in enumerate(t.a[l + 1][row]):
        assert close(number(said[f"a[{l + 1}][{j}]"].split(" a ")[1]), a)
    if l + 2 < len(t.a):
        assert said[f"a[{l + 2}][0]"] == f"unit a[{l + 2}][0]"
    lines = page.locator("#equations").inner_text()
    assert f"z[{l}] = " in lines and f"a[{l + 1}] = " in lines


def assert_loss(page, t, row):
    assert title(page).startswith("Loss, ") and close(
        number(title(page).split("E = ")[1]), t.loss
    )
    found, written = quantities(page), equations(page, "#numbers")
    y = t.y[row] if t.y.ndim == 2 else np.eye(t.sizes[-1])[t.y[row]]
    assert close(found["y"], y)
    of_row = next(key for key in written if key.endswith(f"E_i of row {row}"))
    assert close(number(written[of_row]), t.losses[row])
    assert f" = {page.locator('#phase').inner_text().split('E = ')[1]}" in " ".join(
        written.values()
    )
    assert "E_i = " in page.locator("#equations").inner_text()


def assert_backward(page, t, l, row):
    found = quantities(page)
    assert close(found[f"dE/da[{l + 1}]"], t.da[l + 1][row])
    assert close(found["delta"], t.delta[l][row])
    assert close(found["db, sum of rows"], t.db[l])
    if t.du[l] is not None:
        assert close(found["du"], t.du[l][row])
        assert close(found["dgain, sum of rows"], t.dgain[l])
    said = labels(page)
    for j, delta in enumerate(t.delta[l][row]):
        assert close(number(said[f"a[{l + 1}][{j}]"].split("delta ")[1]), delta)
    for (i, j), dW in np.ndenumerate(t.dW[l]):
        label = said[f"W[{l}][{i}, {j}]"]
        assert close(number(label.split("derivative ")[1]), dW)
    if l > 0:
        assert "derivative" not in said[f"W[{l - 1}][0, 0]"]


def assert_update(page, t):
    found, said = quantities(page), labels(page)
    for l, W in enumerate(t.dW):
        old, new = (np.float64(part.weights[l]) for part in (t.before, t.after))
        for i, j in np.ndindex(W.shape):
            change = said[f"W[{l}][{i}, {j}]"].split("change ")[1].split(",")[0]
            assert close(number(change), new[i, j] - old[i, j])
    for l in range(t.n_layers):
        for name, views, slopes in (
            ("W", "weights", t.dW),
            ("b", "biases", t.db),
            ("gain", "gains", t.dgain),
        ):
            before, after = (getattr(p, views)[l] for p in (t.before, t.after))
            for at, slope in np.ndenumerate(slopes[l]) if before is not None else ():
                shown = found[f"{name}[{l}][{', '.join(map(str, at))}]"]
                change = np.float64(after[at]) - np.float64(before[at])
                assert close(shown, [slope, before[at], after[at], change])
    if t.before.scale is not None:
        for i, before in enumerate(t.before.scale):
            after = t.after.scale[i]
            assert close(
                found[f"scale[{i}]"], [t.dscale[i], before, after, after - before]
            )
    lines = page.locator("#equations").inner_text()
    assert repr(t.optimizer) in lines
    captions = page.locator("#numbers caption").all_inner_texts()
    for l, caption in enumerate(captions):
        expected = (
            "frozen, nothing changes" if t.frozen[l] else f"learning rate {t.lr:g}"
        )
        assert caption == f"Layer {l}: {expected}"

"""The page in headless Chromium: clicked through, and its numbers read."""

import os
import re
import shutil

import numpy as np
import pytest

import bpcore as bp
from bpcore.show.colours import colour_of, text_colour_on
from bpcore.tracing.counts import n_paths
from helpers.pages import TRACES, of_labels, of_many_paths, of_norms, of_softmax, of_xor
from helpers.trace import problem

try:
    from playwright import sync_api as playwright
except ModuleNotFoundError:
    playwright = None
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
# `make test-pages` fails where one of them is missing.
if not (playwright and CHROMIUM) and os.environ.get("BPCORE_ENSURE_BROWSER") != "1":
    missing = "Chromium" if playwright else "Playwright"
    pytest.skip(f"needs {missing}: make test-pages", allow_module_level=True)

each_trace = pytest.mark.parametrize("make", TRACES.values(), ids=TRACES)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def shown(browser, tmp_path):
    """Opens the page of a trace; no error and no request may come of all its use."""
    contexts, faults = [], []

    def show(t, width=1280, **settings):
        path = tmp_path / "step.html"
        t.save_html(path)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, **settings
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url))
        page.goto(path.as_uri())
        assert faults.pop(0) == path.as_uri()
        return page

    yield show
    for context in contexts:
        context.close()
    assert faults == []


def number(text):
    return float(text.replace("−", "-").strip("()"))


def numbers(texts):
    return [number(text) for text in texts]


def close(shown, expected, digits=4):
    """Whether a number is the other, rounded to that many digits."""
    return np.allclose(shown, expected, rtol=0.6 * 10.0 ** (1 - digits), atol=1e-12)


def quantities(page):
    """The numbers of the phase's tables: {name in the first cell: numbers}."""
    rows = page.eval_on_selector_all(
        "#numbers tbody tr",
        "rows => rows.map(row => [...row.cells].map(c => c.innerText))",
    )
    return {name: numbers(cells) for name, *cells in rows}


def equations(page, part="#chosen"):
    """The formulas of the chosen unit or weight, and their numbers."""
    return dict(
        page.eval_on_selector_all(
            f"{part} dt",
            "all => all.map(dt => [dt.innerText, dt.nextSibling.innerText])",
        )
    )


def labels(page):
    """What a screen reader says of every unit and weight, by its name."""
    return dict(
        page.eval_on_selector_all(
            "svg [role=button]", "all => all.map(e => [e.dataset.name, e.ariaLabel])"
        )
    )


def title(page):
    return page.locator("#phase").inner_text()


def click(page, name):
    """Click a unit or weight where no other lies above it."""
    page.locator(f'[data-name="{name}"]').dispatch_event("click")


def evaluated(text):
    """Both sides of "1 · 2 + (−3) = −1": the left one computed, and the sizes in it."""
    left, right = text.replace("−", "-").replace("·", "*").rsplit(" = ", 1)
    assert re.fullmatch(r"[-\d.e*+() ]+", left)
    sizes = eval(re.sub(r"(?<![e\d])-", "", left.replace("(", "").replace(")", "")))
    return eval(left), number(right), sizes


def assert_adds_up(text, expected):
    value, shown, sizes = evaluated(text)
    assert close(shown, expected)
    assert abs(value - shown) <= 2e-3 * sizes + 1e-12


# --- the phases -----------------------------------------------------------------------


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
    found = quantities(page)
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


# --- units ----------------------------------------------------------------------------


@each_trace
def test_the_sums_of_every_unit(shown, make):
    """They add up: to z, dE/da, delta and db of the trace."""
    t, row = make(), 0
    page = shown(t)
    page.keyboard.press("End")
    for m, j in ((m, j) for m, size in enumerate(t.sizes) for j in range(size)):
        page.locator(f'[data-name="a[{m}][{j}]"]').focus()
        found = equations(page)
        if m == 0:
            assert_input(found, t, row, j)
            continue
        l = m - 1
        symbol = "u" if t.design.norms[l] else "z"
        (products,) = (
            key for key in found if key.startswith(f"{symbol}[{l}][{j}] = sum")
        )
        value = getattr(t, symbol)[l][row, j]
        assert_adds_up(found[products], value)
        assert found[products].count(" · ") == t.sizes[l]
        assert_slopes(found, t, row, l, j)


def assert_input(found, t, row, i):
    (key,) = (key for key in found if key.startswith(f"a[0][{i}] = X[{row}, {i}]"))
    assert close(number(found[key].split(" = ")[-1]), t.a[0][row, i])
    (key,) = (key for key in found if key.startswith(f"dE/da[0][{i}] = sum"))
    assert_adds_up(found[key], t.da[0][row, i])


def assert_slopes(found, t, row, l, j):
    def of(start):
        (key,) = (key for key in found if key.startswith(start))
        return found[key]

    if t.design.norms[l]:
        assert_adds_up(of(f"z[{l}][{j}] = gain"), t.z[l][row, j])
        assert close(number(of(f"du[{l}][{j}]")), t.du[l][row, j])
        assert_adds_up(of(f"dgain[{l}][{j}]"), t.dgain[l][j])
    if t.kept[l] is not None:
        assert_adds_up(of(f"a[{l + 1}][{j}] = f · kept"), t.a[l + 1][row, j])
    if l + 1 < t.n_layers:
        assert_adds_up(of(f"dE/da[{l + 1}][{j}] = sum"), t.da[l + 1][row, j])
        assert_adds_up(of(f"delta[{l}][{j}] = "), t.delta[l][row, j])
    else:
        assert close(number(of(f"dE/da[{l + 1}][{j}], by")), t.da[l + 1][row, j])
        last = found[next(key for key in found if key.startswith(f"delta[{l}]"))]
        assert close(number(last.split(" = ")[-1]), t.delta[l][row, j])
    assert_adds_up(of(f"db[{l}][{j}] = "), t.db[l][j])


def test_a_unit_is_shown_as_far_as_it_is_computed(shown):
    page = shown(of_xor())
    page.locator('[data-name="a[1][0]"]').hover()
    assert "Not computed yet." in page.locator("#chosen").inner_text()
    page.locator("#next").click()
    page.locator('[data-name="a[1][0]"]').hover()
    assert len(equations(page)) == 2
    page.mouse.move(1, 1)
    assert equations(page) == {}


# --- weights and paths ----------------------------------------------------------------


def of_paths(page):
    """The sum that is written below the paths, and the rows of the table."""
    text = page.locator("#path-sum").inner_text()
    rows = page.eval_on_selector_all(
        "#paths tbody tr",
        "rows => rows.map(row => [...row.cells].map(c => c.innerText))",
    )
    return text, rows


@each_trace
def test_paths_add_up_to_the_derivative(shown, make):
    """Over every row, of some weights of every layer; each product by its factors."""
    t = make()
    page = shown(t)
    first = max((m + 1 for m, norm in enumerate(t.design.norms) if norm), default=0)
    for l in range(first, t.n_layers):
        for i, j in {(0, 0), (t.sizes[l] - 1, t.sizes[l + 1] - 1)}:
            click(page, f"W[{l}][{i}, {j}]")
            total = 0.0
            for row in range(len(t.X)):
                page.locator("#row").select_option(str(row))
                total += assert_paths(page, t, l, row)
            path = t.path(l, i, j)
            scale = np.abs(t.a[l][:, i] * t.delta[l][:, j]).sum()
            assert abs(total - path.expanded) <= 1e-3 * scale
            assert abs(total - t.dW[l][i, j]) <= 1e-3 * scale
            text = page.locator("#chosen").inner_text()
            assert f"dE/dW[{l}][{i}, {j}] = " in text
            (over_rows,) = (
                value
                for key, value in equations(page).items()
                if "over the rows" in key
            )
            assert_adds_up(over_rows, t.dW[l][i, j])


def assert_paths(page, t, l, row):
    """The number of one row that all paths add up to."""
    text, rows = of_paths(page)
    count = n_paths(t.design, l)
    assert len(rows) == min(count, 20) and len({units for units, *_ in rows}) == len(
        rows
    )
    assert (f"{count - 20} more are not listed" in text) == (count > 20)
    total = number(re.search(r"together: ([-−\d.e]+);", text)[1])
    products = numbers([product for _, product, *_ in rows])
    for product, (_, _, *factors) in zip(products, rows, strict=True):
        values = numbers([factor.lstrip("=· ") for factor in factors])
        assert np.isclose(np.prod(values), product, rtol=5e-3, atol=1e-12)
    if count <= 20:
        assert abs(sum(products) - total) <= 1e-3 * np.abs(products).sum() + 1e-12
    return total


def lit(page):
    return {
        *page.eval_on_selector_all(
            ".unit.lit, .edge.lit", "all => all.map(one => one.dataset.name)"
        )
    }


def test_all_paths_of_a_weight_are_lit(shown):
    """Those of the weight only; and one of them while it is pointed at."""
    page = shown(of_xor())
    assert lit(page) == set()
    click(page, "W[0][1, 0]")
    above = {f"W[1][0, {k}]" for k in range(2)} | {f"W[2][{k}, 0]" for k in range(2)}
    units = {"a[0][1]", "a[1][0]", "a[2][0]", "a[2][1]", "a[3][0]"}
    assert lit(page) == {"W[0][1, 0]"} | above | units
    weight = page.locator('[data-name="W[0][1, 0]"]')
    assert weight.get_attribute("aria-pressed") == "true"
    page.locator("#paths tbody tr").nth(1).hover()
    one = {"W[0][1, 0]", "W[1][0, 1]", "W[2][1, 0]", "a[2][1]"}
    assert lit(page) == one | {"a[0][1]", "a[1][0]", "a[3][0]"}
    page.mouse.move(1, 1)
    assert len(lit(page)) == 10
    click(page, "W[0][1, 0]")
    assert lit(page) == set() and weight.get_attribute("aria-pressed") == "false"


def test_a_softmax_joins_all_units_of_its_layer(shown):
    page = shown(of_softmax())
    click(page, "W[0][0, 1]")
    assert {"a[1][0]", "a[1][1]", "W[1][0, 3]", "W[1][1, 3]"} <= lit(page)
    click(page, "W[1][0, 1]")
    assert not {"a[1][1]", "W[1][1, 1]", "a[2][0]", "W[2][0, 0]"} & lit(page)


def test_more_paths_than_are_added_up(shown):
    """Their sum is then a · delta of the backward pass."""
    net, X, y = problem("identity", "squared_error", (1, *[13] * 5, 1), n=1)
    t = bp.trace(net, X, y)
    page = shown(t)
    click(page, "W[0][0, 0]")
    text, rows = of_paths(page)
    assert len(rows) == 20 and t.path(0, 0, 0).n_paths == 28561
    assert "28,541 more are not listed. All 28,561 paths of row 0" in text
    assert_adds_up(text.split("a · delta = ")[1], t.dW[0][0, 0])


def test_no_paths_through_normalised_layers(shown):
    t = of_norms()
    page = shown(t)
    for l in (0, 1):
        with pytest.raises(ValueError, match="paths can begin only above it"):
            t.path(l, 0, 0)
        click(page, f"W[{l}][0, 0]")
        message = page.locator("#no-paths").inner_text()
        assert message.startswith(
            "Layer 1 has layer norm, in which every unit depends on"
        )
        assert message.endswith("so that paths can begin only above it.")
        assert page.locator("#paths").count() == 0
        (over_rows,) = equations(page).values()
        assert_adds_up(over_rows, t.dW[l][0, 0])
    click(page, "W[2][0, 0]")
    assert page.locator("#paths tbody tr").count() == 2


def test_a_weight_before_and_after_with_the_state_of_the_optimizer(shown):
    t = of_xor()
    page = shown(t)
    page.locator("#last").click()
    click(page, "W[1][0, 1]")
    found = equations(page)
    for name, of in (
        ("W[1][0, 1]", [p.weights[1] for p in (t.before, t.after)]),
        ("velocity", [p.state["velocity"].weights[1] for p in (t.before, t.after)]),
    ):
        old, new = numbers(found[f"{name}: old → new"].split(" → "))
        assert close([old, new], [array[0, 1] for array in of])
        assert old != new


# --- keys, screen readers, screens ----------------------------------------------------


def test_by_keyboard_alone(shown):
    page = shown(of_xor())
    focused = "document.activeElement.dataset.name ?? document.activeElement.id"

    def press(*keys):
        for key in keys:
            page.keyboard.press(key)
        return page.evaluate(focused)

    press("ArrowRight")
    assert title(page).startswith("Forward, layer 0")
    press("End")
    assert title(page).startswith("Update")
    press("ArrowLeft")
    assert title(page).startswith("Backward, layer 0")
    press("Home", "ArrowLeft")
    assert title(page) == "Input"
    # Tab leads through the buttons, the row, one weight and one unit.
    stops = [press("Tab") for _ in range(7)]
    assert stops == ["first", "back", "next", "last", "row", "W[0][0, 0]", "a[0][0]"]
    assert press("ArrowDown") == "a[0][1]" and press("ArrowUp", "ArrowUp") == "a[3][0]"
    press("ArrowRight", "ArrowRight", "ArrowRight")
    assert "z[2][0] = sum" in page.locator("#chosen").inner_text()
    assert press("Shift+Tab") == "W[0][0, 0]"
    assert press("ArrowDown", "ArrowDown", "Enter") == "W[0][0, 1]"
    assert "W[0][0, 1]" in lit(page) and page.locator("#paths tbody tr").count() == 2
    press(" ")
    assert lit(page) == set()
    press("Enter", "Escape")
    assert lit(page) == set()
    assert title(page).startswith("Forward, layer 2")
    # Keys of the browser and of the row's list stay theirs.
    press("Alt+ArrowRight", "Control+End")
    assert title(page).startswith("Forward, layer 2")
    page.locator("#row").focus()
    press("ArrowDown")
    assert page.locator("#row").input_value() == "1"
    assert title(page).startswith("Forward, layer 2")


def test_the_focus_stays_and_is_seen(shown):
    page = shown(of_xor())
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.locator('[data-name="a[2][1]"]').focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.name") == "a[2][1]"
    circle = page.locator('[data-name="a[2][1]"] circle')
    playwright.expect(circle).to_have_css("stroke-width", "5px")


def test_what_a_screen_reader_is_given(shown):
    t = of_labels()
    page = shown(t)
    tree = page.locator("body").aria_snapshot()
    for button in ("First", "◀ Back", "Next ▶", "Last"):
        assert f'button "{button}"' in tree
    assert 'group "units"' in tree and 'group "weights"' in tree
    assert 'heading "Input"' in tree and 'combobox "Row"' in tree
    assert f'button "unit a[0][0], a {t.a[0][0, 0]:.4g}"' in tree
    buttons = page.locator('svg [role="button"][aria-label][aria-pressed]').count()
    assert buttons == sum(t.sizes) + sum(W.size for W in t.dW)
    assert page.locator("#phase").get_attribute("aria-live") == "polite"
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("motion, moves", [("reduce", False), ("no-preference", True)])
def test_reduced_motion(shown, motion, moves):
    page = shown(of_xor(), reduced_motion=motion)
    duration = "getComputedStyle(document.querySelector('circle')).transitionDuration"
    assert (page.evaluate(duration) != "0s") == moves


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_are_those_of_every_picture(shown, scheme):
    t, row = of_xor(), 3
    page = shown(t, color_scheme=scheme, reduced_motion="reduce")
    page.locator("#row").select_option(str(row))
    page.locator("#last").click()
    for l, delta in enumerate(t.delta):
        for j, share in enumerate(delta[row] / np.abs(delta[row]).max()):
            unit = page.locator(f'[data-name="a[{l + 1}][{j}]"]')
            script = (
                "e => [e.children[0], e.children[1]].map(c => getComputedStyle(c).fill)"
            )
            fill, ink = unit.evaluate(script)
            assert fill == rgb(colour_of(float(share)))
            assert ink == rgb(text_colour_on(colour_of(float(share))))
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")


def rgb(colour):
    return (
        f"rgb({', '.join(str(int(part, 16)) for part in re.findall('..', colour[1:]))})"
    )


@pytest.mark.parametrize("width", [390, 800, 1280])
@each_trace
def test_no_label_lies_on_another(shown, make, width):
    """Nor on a unit, in any phase; and the page is never wider than the screen."""
    t = make()
    page = shown(t, width)
    for _ in range(2 * t.n_layers + 3):
        boxes = page.eval_on_selector_all(
            ".label, .unit circle",
            "all => all.map(e => e.getBoundingClientRect()).map(b => "
            "[b.left, b.top, b.right, b.bottom])",
        )
        for k, (left, top, right, bottom) in enumerate(boxes):
            for other in boxes[:k]:
                apart = left >= other[2] or right <= other[0]
                assert apart or top >= other[3] or bottom <= other[1]
        room = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(room)
        page.keyboard.press("ArrowRight")


def test_small_networks_have_their_numbers_on_the_lines(shown):
    """In every phase, on a phone too; the drawing follows the width of the page."""
    for width in (390, 1280):
        page = shown(of_xor(), width)
        assert page.locator(".label").count() == 10
        page.locator("#last").click()
        assert page.locator(".label").count() == 10
    wide = page.locator("svg").get_attribute("width")
    page.set_viewport_size({"width": 390, "height": 800})
    playwright.expect(page.locator("svg")).not_to_have_attribute("width", wide)
    assert title(page).startswith("Update") and page.locator(".label").count() == 10


def test_two_pages_in_a_notebook(browser):
    """Each in its frame, with its own phase."""
    t, other = of_xor(), of_many_paths()
    page, faults = browser.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_content(t._repr_html_() + other._repr_html_())
    frames = page.locator("iframe")
    assert frames.count() == 2
    first, second = (frames.nth(k).content_frame for k in range(2))
    second.locator("#last").click()
    first.locator("#next").click()
    assert first.locator("#phase").inner_text().startswith("Forward, layer 0")
    assert second.locator("#phase").inner_text().startswith("Update")
    assert first.locator(".unit").count() == sum(t.sizes)
    assert second.locator(".unit").count() == sum(other.sizes)
    page.close()
    assert faults == []

"""The derivation as LaTeX: brackets, environments, numbers; compiled if possible."""

import re
import shutil
import subprocess

import numpy as np
import pytest

import bpcore as bp
from bpcore.activations import ACTIVATIONS
from bpcore.tracing.mathematics import escaped, mathematics
from helpers.trace import OPTIONS, TRAINABLE, each_pair, problem, small_problem

#: The commands that LaTeX with amsmath has, of those that are written.
WORDS = """\
    textbf begin end text frac partial delta alpha beta varepsilon mu pi Phi mathrm
    operatorname sum exp log max min tanh cosh sqrt odot colon le ge cdot infty cdots
    vdots ddots top , ; | \\ _ { } # % & $ sim backslash textbackslash textasciitilde
    textasciicircum"""
COMMANDS = {*WORDS.split()}
#: Of these only what is within \text{...}.
IN_TEXT = {"textbackslash", "textasciitilde", "textasciicircum"}


def check_latex(latex):
    """Raise unless braces, environments and columns match, and commands are known."""
    open_, text_depth, depth = [], [], 0
    rows = cells = 0
    tokens = re.findall(r"\\[A-Za-z]+|\\.|[{}&^_$%#~]|[^\\{}&^_$%#~]+", latex, re.S)
    k = 0
    while k < len(tokens):
        token = tokens[k]
        if token[0] == "\\" and len(token) > 1:
            assert token[1:] in COMMANDS, token
            assert (token[1:] in IN_TEXT) <= bool(text_depth), token
        if token in (r"\begin", r"\end"):
            name = tokens[k + 2]
            assert tokens[k + 1] == "{" and tokens[k + 3] == "}"
            if token == r"\begin":
                open_.append((name, depth))
                rows = cells = 0
            else:
                assert open_.pop() == (name, depth)
                if name == "bmatrix":
                    assert cells < 10 and rows < 10
            k += 4
            continue
        if token in (r"\text", r"\textbf"):
            text_depth.append(depth)
        depth += (token == "{") - (token == "}")
        assert depth >= 0
        if token == "}" and text_depth and text_depth[-1] == depth:
            text_depth.pop()
        if token == "&":
            assert open_ and not text_depth
            cells += 1
        if token == r"\\":
            assert open_ and not text_depth
            rows, cells = rows + 1, 0
        if token in ("^", "_"):  # one of each, with its argument in braces
            assert open_ and not text_depth and tokens[k + 1] == "{"
        assert token not in ("$", "%", "#", "~")
        k += 1
    assert open_ == [] and depth == 0
    for name in ("^", "_"):  # no double superscript or subscript
        assert not re.search(rf"\{name}{{[^{{}}]*}}\{name}", latex)
    for body in re.findall(r"\\begin{align\*}\n(.*?)\n\\end{align\*}", latex, re.S):
        for line in body.split(" \\\\\n"):
            outside = re.sub(r"\\begin{bmatrix}.*?\\end{bmatrix}", "", line)
            assert len(re.findall(r"(?<!\\)&", outside)) == 1


@pytest.mark.parametrize(
    "latex",
    [
        r"\begin{align*}" "\n" r"a &= \begin{bmatrix} 1 \end{align*}",
        "\\begin{align*}\na = 1\n\\end{align*}",
        "\\begin{align*}\na^{1}^{2} &= 1\n\\end{align*}",
        "\\begin{align*}\na &= {1\n\\end{align*}",
        "\\begin{align*}\na &= \\foo\n\\end{align*}",
        "\\begin{align*}\na &= \\text{b_c}\n\\end{align*}",
        "\\begin{align*}\na_b &= 1\n\\end{align*}",
        r"\textbf{50%}",
    ],
)
def test_what_latex_refuses_fails_here(latex):
    with pytest.raises(AssertionError):
        check_latex(latex)


def numbers(latex):
    """The entries of all matrices, in order."""
    found = []
    for body in re.findall(r"\\begin{bmatrix} (.*?) \\end{bmatrix}", latex):
        for entry in re.split(r" & | \\\\ ", body):
            power = re.fullmatch(r"(-?[\d.]*)(?: \\cdot )?10\^{(-?\d+)}", entry)
            if power:
                entry = f"{power[1] or 1}e{power[2]}".replace("-e", "-1e")
            found.append(float(entry))
    return np.array(found)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_kind_of_network(options):
    net, X, y = problem(**options)
    check_latex(bp.trace(net, X, y, np.arange(1.0, 6.0)).latex())


@each_pair
def test_every_loss(output, loss):
    net, X, y = problem(output, loss)
    latex = bp.trace(net, X, y).latex(["loss", "backward"])
    check_latex(latex)
    assert "E_{i} &= " in latex


@pytest.mark.parametrize("f", TRAINABLE)
def test_every_activation(f):
    net, X, y = problem(activation=f)
    check_latex(bp.trace(net, X, y).latex(["forward", "backward"]))
    for formula in (ACTIVATIONS[f].formula, ACTIVATIONS[f].derivative):
        assert mathematics(formula)


@pytest.mark.parametrize(
    "optimizer",
    [
        *(bp.Adagrad(), bp.Adam(), bp.Adamax(), bp.AMSGrad(), bp.Lion(), bp.Momentum()),
        *(bp.Nadam(), bp.RAdam(), bp.Rprop(), bp.RMSprop(centered=True, momentum=0.5)),
        bp.SGD(0.1, clip_value=1.0, clip_norm=2.0, max_norm=3.0, l1=0.1),
    ],
)
def test_every_optimizer(optimizer):
    net, X, y = problem(optimizer=optimizer)
    check_latex(bp.trace(net, X, y).latex("update"))


def test_the_numbers_are_those_of_the_step():
    net, X, y = problem(sizes=(3, 4, 2), n=3, output="identity", loss="huber")
    t = bp.trace(net, X, y)
    found = numbers(t.latex("forward", layer=1, digits=8))
    expected = [t.before.W[1], t.before.b[1], t.z[1], t.a[2]]
    joined = np.concatenate([array.ravel() for array in expected])
    assert found == pytest.approx(joined, rel=1e-5)
    found = numbers(t.latex("backward", layer=0, digits=8))
    expected = [t.da[1], t.derivatives[0], t.delta[0], t.dW[0], t.db[0], t.dX]
    joined = np.concatenate([array.ravel() for array in expected])
    assert found == pytest.approx(joined, rel=1e-5)


def test_large_arrays_have_dots():
    net, X, y = problem(sizes=(20, 30, 4), n=12)
    t = bp.trace(net, X, y)
    latex = t.latex("forward", layer=0, most=4)
    check_latex(latex)
    body = re.search(r"W\^{\[0\]} &= \\begin{bmatrix} (.*?) \\end{bmatrix}", latex)[1]
    rows = [row.split(" & ") for row in body.split(r" \\ ")]
    assert [len(row) for row in rows] == [3] * 3
    assert rows[1] == [r"\vdots", r"\ddots", r"\vdots"]
    assert float(rows[2][2]) == pytest.approx(t.before.W[0][-1, -1], rel=1e-2)
    for most in (2, 3, 10):
        check_latex(t.latex(most=most))


def test_sections_and_layers():
    net, X, y = small_problem()
    t = bp.trace(net, X, y)
    titles = re.findall(r"\\textbf{(.*)}", t.latex())
    assert titles[0] == "training step 1, on 3 rows" and len(titles) == 15
    assert titles[1] == "forward, layer 0: relu"
    assert titles[5] == r"loss: cross\_entropy"
    some = re.findall(r"\\textbf{(.*)}", t.latex(["update", "loss"], layer=2))
    assert some == [r"loss: cross\_entropy", "update", "update, layer 2"]
    assert t.latex({"data"}).startswith(r"\textbf{training step 1")
    deep = bp.Network([2] * 31, rng=0)
    latex = bp.trace(deep, X, np.ones((3, 2))).latex()
    assert latex.count(r"\textbf{layers 4 to 25: left out}") == 3
    check_latex(latex)


def test_words_and_symbols():
    assert mathematics("dW[0] = a[0].T @ delta[0]") == (
        r"\mathrm{d}W^{[0]}=a^{[0]\top}\,\delta^{[0]}"
    )
    assert mathematics("delta[1] = dE/da[2] * tanh'(z[1])") == (
        r"\delta^{[1]}=\frac{\partial E}{\partial a^{[2]}}\odot \tanh'(z^{[1]})"
    )
    assert mathematics("with beta1 = 0.9, weight_decay = 1e-05") == (
        r"\text{with }\beta_{1}=0.9\text{, weight\_decay }=10^{-5}"
    )
    assert mathematics("sqrt(s / (1 - beta2^t))") == r"\sqrt{s/(1-\beta_{2}^{t})}"
    assert mathematics("db[0] = delta[0].sum(0)").endswith(
        r"\sum_{\text{rows}}\,\delta^{[0]}"
    )
    assert escaped("a_b\\c{}~^#%&$") == (
        r"a\_b\textbackslash{}c\{\}\textasciitilde{}\textasciicircum{}\#\%\&\$"
    )


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"sections": "forwards"}, ValueError, "did you mean 'forward'"),
        ({"sections": ["loss", 3]}, ValueError, "each of sections must be one of data"),
        ({"sections": 3}, TypeError, "sections must be names"),
        ({"layer": 9}, IndexError, "layer must be a whole number in 0 .. 2"),
        ({"digits": 0}, ValueError, "digits must be"),
        ({"most": 1}, ValueError, "most must be a whole number of at least 2"),
        ({"most": 11}, ValueError, "most must be at most 10"),
    ],
)
def test_bad_arguments(settings, error, message):
    t = bp.trace(*problem())
    with pytest.raises(error, match=message):
        t.latex(**settings)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_it_compiles(tmp_path):
    net, X, y = small_problem()
    body = bp.trace(net, X, y).latex()
    text = f"""\\documentclass{{article}}
\\usepackage{{amsmath}}
\\begin{{document}}
\\allowdisplaybreaks
{body}
\\end{{document}}
"""
    (tmp_path / "a.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "a.pdf").stat().st_size > 1000

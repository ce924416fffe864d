r"""The equations of a derivation in LaTeX: "a[1] = tanh(z[0])" as mathematics."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Names of more than one letter that are symbols, and their LaTeX.
SYMBOLS = {
    "delta": r"\delta",
    "alpha": r"\alpha",
    "beta1": r"\beta_{1}",
    "beta2": r"\beta_{2}",
    "eps": r"\varepsilon",
    "mu": r"\mu",
    "pi": r"\pi",
    "Phi": r"\Phi",
    "lr": r"\mathrm{lr}",
    "sum": r"\sum",
    "exp": r"\exp",
    "log": r"\log",
    "max": r"\max",
    "min": r"\min",
    "tanh": r"\tanh",
    "cosh": r"\cosh",
}
#: Arrays with names of more than one letter.
ARRAYS = ("gain", "hat", "kept", "scale", "noise", "X", "W", "b", "u", "a")
#: Operators, and other characters.
OPERATORS = {
    "<=": r"\le ",
    ">=": r"\ge ",
    "||": r"\|",
    "@": r"\,",
    "...": r"\cdots ",
    "*": r"\,",
    "odot": r"\odot ",
    "#": r"\#",
    "%": r"\%",
    "&": r"\&",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "~": r"\sim ",
    "\\": r"\backslash ",
}
#: Punctuation between mathematics.
PUNCTUATION = {",": r",\;", ":": r"\colon\;"}
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
} | {c: f"\\{c}" for c in "#%&$_{}"}

_ONE = r"d[A-Za-z]+(?:\[[^\[\]]*\])?(?:_\w)?"
TOKEN = re.compile(
    rf"""(?P<space>\s+)
    | (?P<fraction>{_ONE}/{_ONE})(?!\w)
    | (?P<number>\d+(?:\.\d+)?(?:e[-+]?\d+)?)
    | (?P<word>[a-z]{{2,}}(?:-[a-z]{{2,}}|'s\b)+)
    | (?P<rows>\.sum\(0\))
    | (?P<name>[^\W\d]\w*'?(?:\[[^\[\]]*\])*(?:_\w)?(?:\.T)?)
    | (?P<operator><=|>=|\|\||\.\.\.|.)""",
    re.VERBOSE,
)


def escaped(text: str) -> str:
    r"""Text for LaTeX.

    Examples
    --------
    >>> from bpcore.tracing.mathematics import escaped
    >>> escaped("loss: squared_error")
    'loss: squared\\_error'
    """
    return "".join(SPECIAL.get(character, character) for character in text)


def number(text: str) -> str:
    r"""A printed number.

    Examples
    --------
    >>> from bpcore.tracing.mathematics import number
    >>> number("0.25"), number("1e-05"), number("-inf")
    ('0.25', '10^{-5}', '-\\infty')
    """
    text = text.replace("inf", r"\infty").replace("nan", r"\mathrm{nan}")
    found = re.fullmatch(r"(-?)([\d.]+)e([-+]\d+)", text)
    if found is None:
        return text
    sign, factor, power = found.groups()
    factor = "" if factor == "1" else f"{factor} \\cdot "
    return f"{sign}{factor}10^{{{int(power)}}}"


def mathematics(equation: str) -> str:
    r"""An equation of the derivation, words in it as text.

    Examples
    --------
    >>> from bpcore.tracing.mathematics import mathematics
    >>> mathematics("z[0] = a[0] @ W[0] + b[0]")
    'z^{[0]}=a^{[0]}\\,W^{[0]}+b^{[0]}'
    >>> mathematics("E_i, of every sample")
    'E_{i}\\text{, of every sample}'
    """
    # (x).sum(0) and x.sum(0): the sum over the rows stands before.
    equation = re.sub(r"(\([^=]*\)|\w+\[\w+\])\.sum\(0\)", r"sum_rows \1", equation)
    parts = [("operator", ""), *_tokens(equation), ("operator", "")]
    written, text = [], ""
    for k in range(1, len(parts) - 1):
        (before, _), (kind, token), (after, _) = parts[k - 1 : k + 2]
        beyond = parts[k + 2][0] if after == "space" else after
        if kind == "word" or (token in ",:" and (text or beyond == "word")):
            text += escaped(token)
        elif kind == "space" and (text or after == "word"):
            text += " "
        elif kind == "space":
            written += [r"\,"] * (before == after == "math")
        else:
            written += [f"\\text{{{text}}}"] * bool(text)
            written.append(PUNCTUATION.get(token, token))
            text = ""
    written += [f"\\text{{{text}}}"] * bool(text)
    return "".join(written)


def _tokens(equation: str) -> Iterator[tuple[str, str]]:
    """Each part: its kind, math, word, operator or space, and its LaTeX or text."""
    at = 0
    while at < len(equation):
        found = TOKEN.match(equation, at)
        assert found is not None
        kind, token, at = str(found.lastgroup), found[0], found.end()
        if kind == "name" and token == "sqrt" and equation[at : at + 1] == "(":
            inside = _in_brackets(equation, at)
            at += len(inside) + 2
            yield "math", f"\\sqrt{{{mathematics(inside)}}}"
        elif token == "^":
            power = TOKEN.match(equation, at)
            inside = power[0] if power else ""
            if inside == "(":
                inside = f"({_in_brackets(equation, at)})"
            at += len(inside)
            yield "math", f"^{{{mathematics(inside)}}}"
        elif kind == "name":
            yield _name(token, equation[at : at + 1] == "(")
        elif kind == "fraction":
            yield "math", _fraction(token)
        elif kind == "number":
            yield "math", number(token)
        elif kind == "operator":
            if token == "*" and _joins_arrays(equation[: at - 1], equation[at:]):
                token = "odot"
            bracket = token in "()[]|" or token == "||"
            latex = OPERATORS.get(token, token)
            yield "math" if bracket else "operator", latex
        else:
            yield kind, token


def _in_brackets(text: str, at: int) -> str:
    """What the bracket at that place has in it."""
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            return text[at + 1 : end]
    return text[at + 1 :]


def _joins_arrays(left: str, right: str) -> bool:
    """Whether a product is of the elements of two arrays with an index."""
    first = re.match(r"\s*\(?[\w'/]*(?:\(z)?\[", right)
    return "[" in left.rpartition("=")[2] and first is not None


def _fraction(token: str) -> str:
    """dE/da[1] as a partial derivative."""
    above, below = (_name(part[1:], False)[1] for part in token.split("/"))
    return f"\\frac{{\\partial {above}}}{{\\partial {below}}}"


def _name(token: str, is_function: bool) -> tuple[str, str]:
    """A name with its indices, as a symbol; or a word."""
    found = re.fullmatch(r"(\w+?)('?)((?:\[[^\[\]]*\])*)(_\w)?(\.T)?", token)
    assert found is not None
    base, prime, indices, index, transposed = found.groups(default="")
    below = index[1:]
    one = re.fullmatch(r"([A-Za-z]|sum|y)_(\w+)", base)
    if one and not indices:
        base, below = one[1], one[2]
    if base == "sum" and below == "rows":
        return "math", r"\sum_{\text{rows}}"
    symbol = _symbol(base, is_function or bool(prime + below), bool(indices))
    if symbol is None:
        return "word", token
    above: list[str] = []
    for k, inside in enumerate(re.findall(r"\[([^\[\]]*)\]", indices)):
        if k == 0 and base != "c" and re.fullmatch(r"\d+|l", inside):
            above.append(f"[{inside}]")
        else:
            below += inside
    if transposed:
        above.append(r"\top")
    written = symbol + prime
    if below:
        written += f"_{{{below}}}"
    if above:
        written += f"^{{{''.join(above)}}}"
    return "math", written


def _symbol(base: str, is_function: bool, has_index: bool) -> str | None:
    """The LaTeX of a name; None for a word."""
    if base in SYMBOLS and (base != "sum" or is_function):
        return SYMBOLS[base]
    if len(base) == 1:
        return base
    if base[0] == "d" and base[1:] in ARRAYS:
        rest = base[1:] if len(base) == 2 else f"\\mathrm{{{base[1:]}}}"
        return f"\\mathrm{{d}}{rest}"
    if base in ARRAYS or has_index:
        return f"\\mathrm{{{escaped(base)}}}"
    return f"\\operatorname{{{escaped(base)}}}" if is_function else None

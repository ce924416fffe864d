"""Expressions: formulas of one variable x in a normal form, to recognise functions.

An expression is a polynomial in terms; a term is x or an operator applied to other
expressions.  `Terms` numbers the terms, equal ones equally, so that two expressions of
the same terms are equal exactly where their `rounded` forms are, however the products
and sums were written.
"""

from __future__ import annotations

#: A polynomial: (numbers of the terms that are multiplied, coefficient), sorted.
Expression = tuple[tuple[tuple[int, ...], float], ...]

#: The most products of an expression, and of terms in one of them.
MOST_PRODUCTS = 32


class NoFunctionError(Exception):
    """The expression is none of the functions here: it is too long, or of arrays."""


class Terms:
    """Terms by their numbers; x is the term 0.

    Examples
    --------
    >>> from bpcore.files.onnx.expressions import Terms
    >>> t = Terms()
    >>> one = t.constant(1.0)
    >>> t.times(t.x, t.plus(t.x, one)) == t.plus(t.times(t.x, t.x), t.x)
    True
    """

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, tuple[Expression, ...]], int] = {("x", ()): 0}
        self.x: Expression = (((0,), 1.0),)

    def constant(self, value: float) -> Expression:
        """A number."""
        return _sorted({(): value})

    def call(self, operator: str, *inputs: Expression) -> Expression:
        """An operator that is not expanded."""
        key = operator, tuple(rounded(a) for a in inputs)
        number = self.numbers.setdefault(key, len(self.numbers))
        return (((number,), 1.0),)

    def plus(self, a: Expression, b: Expression) -> Expression:
        """a + b"""
        total = dict(a)
        for terms, coefficient in b:
            total[terms] = total.get(terms, 0.0) + coefficient
        return _sorted(total)

    def times(self, a: Expression, b: Expression) -> Expression:
        """a b, expanded"""
        total: dict[tuple[int, ...], float] = {}
        for terms, coefficient in a:
            for more, factor in b:
                product = tuple(sorted(terms + more))
                total[product] = total.get(product, 0.0) + coefficient * factor
        return _sorted(total)

    def scaled(self, a: Expression, factor: float) -> Expression:
        """a times a number"""
        return self.times(a, self.constant(factor))

    def minus(self, a: Expression, b: Expression) -> Expression:
        """a - b"""
        return self.plus(a, self.scaled(b, -1.0))

    def over(self, a: Expression, b: Expression) -> Expression:
        """a / b"""
        value = as_constant(b)
        if value:
            return self.scaled(a, 1 / value)
        return self.times(a, self.call("Reciprocal", b))

    def power(self, a: Expression, b: Expression) -> Expression:
        """a^b, expanded for the exponents 2 and 3; a square root for 1/2"""
        exponent = as_constant(b)
        if exponent == 0.5:
            return self.call("Sqrt", a)
        if exponent not in (2.0, 3.0):
            return self.call("Pow", a, b)
        square = self.times(a, a)
        return square if exponent == 2 else self.times(square, a)


def as_constant(a: Expression) -> float | None:
    """The number that an expression is, None if it is none."""
    if not a:
        return 0.0
    return a[0][1] if len(a) == 1 and not a[0][0] else None


def rounded(a: Expression) -> Expression:
    """Coefficients of five digits: files have them in float32, or with few digits.

    Examples
    --------
    >>> from bpcore.files.onnx.expressions import Terms, rounded
    >>> t = Terms()
    >>> rounded(t.constant(2**0.5)) == rounded(t.constant(1.4142135))
    True
    """
    return tuple((terms, float(f"{value:.5g}")) for terms, value in a)


def _sorted(total: dict[tuple[int, ...], float]) -> Expression:
    """Products in order, without those that vanish."""
    found = tuple(
        sorted((t, value) for t, value in total.items() if abs(value) > 1e-12)
    )
    if len(found) > MOST_PRODUCTS or any(len(p) > MOST_PRODUCTS for p, _ in found):
        raise NoFunctionError
    return found

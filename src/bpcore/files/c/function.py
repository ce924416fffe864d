"""Function: a function of the library as C99, and the numbers in its text.

In the text ``REAL`` is float or double, ``INT`` the integer of its size, ``NAME`` the
prefix of all names, ``FMA`` the macro of a fused multiply-add, and ``1.5r`` a number of
type REAL; names of ``NUMBERS`` are replaced by numbers.
"""

from __future__ import annotations

from typing import NamedTuple


class Function(NamedTuple):
    """A C function.

    Attributes
    ----------
    needs : tuple of str
        The functions and the polynomials (in capitals) that it uses.
    text : str
    """

    needs: tuple[str, ...]
    text: str


#: Numbers by dtype.
NUMBERS = {
    "float32": {
        "REAL": "float",
        "INT": "int32_t",
        "UINT": "uint32_t",
        "MANTISSA_BITS": "23",
        "EXPONENT_BIAS": "127",
        "EXPONENT_FIELD": "255",
        "MANTISSA_FIELD": "0x7fffff",
        "SIGN_BIT": "0x80000000u",
        "ROUNDER": "0x1.8p+23r",
        "LEAST_NORMAL": "0x1p-126r",
        "LARGEST": "0x1.fffffep+127r",
        "INFINITE": "0x7f800000",
        "EXP_IS_NORMAL": "-87.0r",
        "EXP_IS_INFINITE": "89.0r",
        "TANH_IS_ONE": "10.0r",
        "NORMAL_END": "8.0r",
        "LOG2_E": "0x1.715476p+0r",
        "LN2_HIGH": "0x1.62e4p-1r",
        "LN2_LOW": "0x1.7f7d1cp-20r",
        "SQRT_HALF": "0x1.6a09e6p-1r",
        "FAR": "0x1p+48r",
        "SUMS": "16",
    },
    "float64": {
        "REAL": "double",
        "INT": "int64_t",
        "UINT": "uint64_t",
        "MANTISSA_BITS": "52",
        "EXPONENT_BIAS": "1023",
        "EXPONENT_FIELD": "2047",
        "MANTISSA_FIELD": "0xfffffffffffff",
        "SIGN_BIT": "0x8000000000000000u",
        "ROUNDER": "0x1.8p+52r",
        "LEAST_NORMAL": "0x1p-1022r",
        "LARGEST": "0x1.fffffffffffffp+1023r",
        "INFINITE": "0x7ff0000000000000",
        "EXP_IS_NORMAL": "-708.0r",
        "EXP_IS_INFINITE": "710.0r",
        "TANH_IS_ONE": "20.0r",
        "NORMAL_END": "10.0r",
        "LOG2_E": "0x1.71547652b82fep+0r",
        "LN2_HIGH": "0x1.62e42fefa38p-1r",
        "LN2_LOW": "0x1.ef35793c7673p-45r",
        "SQRT_HALF": "0x1.6a09e667f3bcdp-1r",
        "FAR": "0x1p+480r",
        "SUMS": "8",
    },
}

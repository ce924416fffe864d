"""Coefficients of the library's polynomials: those of ``csrc/elementary.h``."""

from __future__ import annotations

from collections.abc import Mapping

#: The coefficients of each polynomial, by dtype, in hexadecimal and the lowest power
#: first.  Each is a number of that dtype.
TEXT: Mapping[str, Mapping[str, str]] = {
    "float32": {
        "EXP": """
            0x1.fffffep-2 0x1.5554aap-3 0x1.55579ep-5 0x1.122c7ap-7 0x1.6ab0a8p-10""",
        "LOG": """
            0x1.55557ap-1 0x1.995ed4p-2 0x1.31e0dap-2""",
        "NORMAL_CENTRE": """
            0x1.988454p-2 -0x1.105832p-4 0x1.46ce58p-7 -0x1.36fe32p-10
            0x1.dc102ap-14 -0x1.010b86p-17""",
        "NORMAL_TAIL": """
            0x1.e98f80p-4 0x1.8d0110p-4 0x1.174dc6p-5 0x1.2ab3e0p-7 0x1.c72ca6p-10
            0x1.90af5ep-13 -0x1.2d972cp-19 -0x1.f1bf1cp-19""",
    },
    "float64": {
        "EXP": """
            0x1.0000000000005p-1 0x1.555555555554fp-3 0x1.5555555552276p-5
            0x1.1111111114e2ep-7 0x1.6c16c17ec695p-10 0x1.a01a0186c5132p-13
            0x1.a019a7d2d1835p-16 0x1.71de676c51eap-19 0x1.28a1718c517d3p-22
            0x1.ae97468694ddcp-26""",
        "LOG": """
            0x1.5555555555592p-1 0x1.999999997fefp-2 0x1.24924941e50dcp-2
            0x1.c71c521069a85p-3 0x1.74663de0337f6p-3 0x1.39a1cd0b09648p-3
            0x1.2f04ef107449dp-3""",
        "NORMAL_CENTRE": """
            0x1.9884533d43651p-2 -0x1.1058377e2cee0p-4 0x1.46d04297691d4p-7
            -0x1.37403f6ba0d60p-10 0x1.e42b0d51f3f57p-14 -0x1.3ce8fabb1fde9p-17
            0x1.658a200e25bcbp-21 -0x1.6222345fe68b2p-25 0x1.387357c6c19afp-29
            -0x1.f051d420e8c74p-34 0x1.600ea373c4e0ap-38 -0x1.7c10618be2eb5p-43""",
        "NORMAL_TAIL": """
            0x1.c2771058d93d0p-4 0x1.975bce695ce35p-4 0x1.388250e94f179p-5
            0x1.71960ca2d4e4ep-7 0x1.3cc05ffe37a6fp-9 0x1.46408dd0cf04cp-12
            0x1.b780f75bfef9ap-20 -0x1.e0e13678e22a6p-18 -0x1.781f926402b42p-21
            0x1.6dcaaa42ce170p-23 0x1.f194295c0b66dp-26 -0x1.826d8c211d44fp-28
            -0x1.1abbf734c691fp-30 0x1.162184b31ef2dp-32 0x1.0f0f275e66271p-35
            -0x1.c2e9e103820fcp-37 -0x1.1b541d2f8a746p-41 0x1.2cc55d76ccadfp-41""",
    },
}


def coefficients(dtype: str, name: str) -> list[str]:
    """Those of a polynomial: EXP, LOG, NORMAL_CENTRE or NORMAL_TAIL.

    Examples
    --------
    >>> from bpcore.files.coefficients import coefficients
    >>> coefficients("float32", "LOG")
    ['0x1.55557ap-1', '0x1.995ed4p-2', '0x1.31e0dap-2']
    """
    return TEXT[dtype][name].split()

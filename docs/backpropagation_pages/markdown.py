"""Blocks of code, equations with their values, tables and paragraphs in Markdown."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bpcore.tracing.text import shown as rows

#: An equation and its value: an array, a number or nothing.
Equation = tuple[str] | tuple[str, Any]

#: Chinese characters and full-width punctuation: no space at the end of their line.
WIDE = r"[\u2e80-\u9fff\u3000-\u303f\uff00-\uffef\u201c\u201d]"
#: Full-width punctuation, which has its own space.
MARKS = "[，。、；：？！（）“”]"
#: Lines that are not joined: code, tables, indented formulas, headings.
FENCE = "```"
ALONE = ("|", "#", "    ")


def code(text: str, language: str = "text") -> str:
    """A block of code."""
    return f"{FENCE}{language}\n{text}\n{FENCE}"


def shown(*equations: Equation) -> str:
    """Equations with their numbers to the right."""
    left = max(len(equation) for equation, *value in equations if value) + 3
    lines = []
    for equation, *value in equations:
        first, *others = rows(value[0], whole=True) if value else [""]
        lines.append(f"{equation:<{left}}{first}".rstrip())
        lines += [" " * left + row for row in others]
    return code("\n".join(lines))


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table, its first column left-aligned."""
    rule = ["---"] * len(heads)
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *lines))


def page(parts: Iterable[str]) -> str:
    """The parts of a page, an empty line between each two."""
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def one_line_paragraphs(text: str) -> str:
    """Each paragraph and list item in one line.

    A browser shows the end of a line as a space, which Chinese text must not have
    between two characters.
    """
    lines: list[str] = []
    inside, open_ = False, False
    for line in text.splitlines():
        fence = line.startswith(FENCE)
        alone = inside or fence or not line or line.startswith(ALONE)
        begins = line.startswith("- ") or re.match(r"\d+\. ", line)
        if open_ and not alone and not begins:
            lines[-1] = glued(lines[-1], line.strip())
        else:
            lines.append(line)
        inside ^= fence
        open_ = not alone
    return "\n".join(lines) + "\n"


def glued(first: str, second: str) -> str:
    """Two parts of a paragraph, with a space unless Chinese meets Chinese or a mark."""
    wide = re.search(f"{WIDE}$", first) and re.match(WIDE, second)
    mark = re.search(f"{MARKS}$", first) or re.match(MARKS, second)
    return first + ("" if wide or mark else " ") + second

"""Writes backpropagation.md and zh/backpropagation.md from one traced step.

python docs/make_backpropagation.py

A test compares both pages with the output of this script, so that they stay correct.
"""

from pathlib import Path

from backpropagation_pages import chinese, english
from backpropagation_pages.numbers import numbers

DOCS = Path(__file__).parent
#: Each page, and the edition's module.
PAGES = {
    DOCS / "backpropagation.md": english,
    DOCS / "zh" / "backpropagation.md": chinese,
}


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"written to {path}")


def pages() -> dict[Path, str]:
    """The text of each page, all with the same numbers."""
    found = numbers()
    return {path: edition.text(found) for path, edition in PAGES.items()}


if __name__ == "__main__":
    main()

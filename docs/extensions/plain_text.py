r"""Docstrings as they are read: ``|a - y|`` and ``classes_`` mean nothing else.

They are written for readers of ``help``, in plain text.  What reStructuredText would
take for a substitution, a link or emphasis is escaped, outside of code.
"""

import re

#: Text in backquotes, which stays; or what has a meaning in reStructuredText.
MARKS = re.compile(
    r"``.*?``|`[^`]*`_?|(?P<mark>\||(?<!\*)\*(?=[a-z])|(?<=\w)_(?=[^\w`]|$))"
)


#: The line that begins the list of a module's files.
FILES = re.compile(r"(?i)\bin the source\b|file of the source imports")


def escaped(lines):
    """The lines with backslashes before such marks, outside of blocks of code.

    Parameters
    ----------
    lines : list of str
    """
    found, code, depth = [], False, 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if code and line.strip() and indent <= depth:
            code = False
        if line.lstrip().startswith(">>> "):
            code, depth = True, indent - 1
        doctest_ended = code and not line.strip() and depth == _doctest(found)
        if doctest_ended:
            code = False
        found.append(line if code else MARKS.sub(_escape, line))
        if line.rstrip().endswith("::") and not code:
            code, depth = True, indent
    return found


def _doctest(found):
    """The depth of the doctest that the last lines are in; -2 if they are in none."""
    for line in reversed(found):
        if not line.strip():
            break
        if line.lstrip().startswith(">>> "):
            return len(line) - len(line.lstrip()) - 1
    return -2


def _escape(found):
    return "\\" + found["mark"] if found["mark"] else found[0]


def of_module(lines):
    """A module's docstring without its list of files; indented text in it is code.

    Parameters
    ----------
    lines : list of str
    """
    found, code = [], False
    for line in lines:
        if FILES.search(line):
            break
        indented = line.startswith("    ")
        if indented and not code and not _last(found).endswith("::"):
            found += ["::", ""]
        code = indented or (code and not line.strip())
        found.append(line)
    while found and not found[-1].strip():
        del found[-1]
    return [*found, ""]


def _last(found):
    return next((line for line in reversed(found) if line.strip()), "")


def change(app, kind, name, of, options, lines):
    """Before numpydoc reads a docstring."""
    if kind == "module":
        lines[:] = of_module(lines)
    lines[:] = escaped(lines)


def setup(app):
    """Register it, before numpydoc."""
    app.connect("autodoc-process-docstring", change, priority=300)
    return {"parallel_read_safe": True}

"""Names in code become links: ``net.fit`` is not one, `bp.Network.fit` is.

Text in code that is the whole name of an object, as ``bp.Adam``, ``bpcore.Adam()`` or
``np.exp``, becomes a link to its place in the reference, or in that of the library it
belongs to.  Other code stays as it is.
"""

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

#: Abbreviations of the usual imports.
ABBREVIATIONS = {
    "bp": "bpcore",
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
}
LIBRARIES = ("bpcore", "numpy", "scipy", "sklearn", "pandas", "matplotlib")
#: A name with dots, and perhaps a call.
NAME = re.compile(r"([A-Za-z_]\w*(?:\.\w+)+)(?:\(.*\))?", re.DOTALL)


def full_name(text):
    """The whole name of the object that is called so; None for other code.

    Parameters
    ----------
    text : str
        "np.exp(x)" gives "numpy.exp".
    """
    found = NAME.fullmatch(text.strip())
    if not found:
        return None
    first, _, rest = found[1].partition(".")
    name = f"{ABBREVIATIONS.get(first, first)}.{rest}"
    return name if name.startswith(tuple(f"{x}." for x in LIBRARIES)) else None


class LinkedNames(SphinxTransform):
    """Puts a reference around each name in code, which may stay unresolved."""

    default_priority = 10

    def apply(self):
        """Change the tree."""
        for node in list(self.document.findall(nodes.literal)):
            name = full_name(node.astext())
            if name is None or isinstance(node.parent, nodes.reference | pending_xref):
                continue
            if _is_in(node, nodes.title):
                continue
            link = pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=name,
                refdoc=self.env.docname,
                refwarn=False,
            )
            node["classes"] += ["xref", "py", "py-obj"]
            node.replace_self(link)
            link += node


def _is_in(node, kind):
    while node is not None:
        if isinstance(node, kind):
            return True
        node = node.parent
    return False


def setup(app):
    """Register the transform."""
    app.add_transform(LinkedNames)
    return {"parallel_read_safe": True}

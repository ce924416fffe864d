"""A graph as a drawing in SVG: boxes in layers, and edges as smooth curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from bpcore.errstate import own_errstate
from bpcore.graph import svg
from bpcore.graph.backward import in_order, sources
from bpcore.graph.base import V
from bpcore.graph.box import Part, box, edge_part
from bpcore.graph.edge import edges
from bpcore.graph.positions import Extent, Layout, layout
from bpcore.graph.ranks import Arc, Layers, layers
from bpcore.graph.show import names

#: Most variables of a drawing.
NODES = 100
#: Widest drawing from left to right; others run from top to bottom if narrower.
WIDTH = 1000.0
#: Margins of a box and of the drawing; length of an arrow's head.
INSIDE, OUTSIDE, HEAD = 6.0, 8.0, 7.0
#: Space beside a label, and between it and its edge.
LABEL, NEAR = 4.0, 3.0

#: Fonts in which all characters have one width.
FAMILY = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
#: Colours of a file that is opened alone; in a page those of the page hold.
STYLE = (
    "svg:root{color:#222;background:#fff}@media(prefers-color-scheme:dark)"
    "{svg:root{color:#eee;background:#1c1c1c}}"
)

#: A straight piece of an edge: its place across, its begin and its end along.
Piece = tuple[float, float, float]


@dataclass(frozen=True)
class Plan:
    """A layout, and its direction."""

    layers: Layers
    extents: list[Extent]
    layout: Layout
    down: bool

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.point(self.layout.depth, self.layout.breadth)

    def point(self, along: float, across: float) -> tuple[float, float]:
        """x and y."""
        return (across, along) if self.down else (along, across)

    def text(self, along: float, across: float) -> str:
        """x and y as text."""
        x, y = self.point(along, across)
        return f"{x:.1f} {y:.1f}"

    def along(self, item: int) -> tuple[float, float]:
        """Begin and end of an item, which is in the middle of its rank."""
        begin, end = self.layout.ranks[self.layers.rank[item]]
        middle, half = (begin + end) / 2, self.extents[item].along / 2
        return middle - half, middle + half

    def rectangle(self, item: int) -> tuple[float, float, float, float]:
        """x, y, width and height of an item."""
        (begin, end), extent = self.along(item), self.extents[item]
        line = self.layout.across[item]
        x, y = self.point(begin, line - extent.low)
        return x, y, *self.point(end - begin, extent.low + extent.high)

    @property
    def pieces(self) -> Iterator[list[Piece]]:
        """The straight pieces of each edge, one in each rank from box to box."""
        place = self.layout
        for k, route in enumerate(self.layers.routes):
            found = []
            for item in route:
                line = place.across[item] + place.ports.get((k, item), 0.0)
                begin, end = place.ranks[self.layers.rank[item]]
                if item == route[0]:
                    begin = self.along(item)[1]
                elif item == route[-1]:
                    end = self.along(item)[0] - HEAD
                found.append((line, begin, end))
            yield found


def within(J: V, most: int) -> bool:
    """Whether J and all that it depends on are at most so many variables.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.drawing import within
    >>> within(Variable(1.0) + 2, 2), within(Variable(1.0) + 2, 1)
    (True, False)
    """
    known, waiting = {J}, [J]
    while waiting and len(known) <= most:
        new = {o for o in sources(waiting.pop()) if o not in known}
        known |= new
        waiting += new
    return len(known) <= most


@own_errstate
def drawing(J: V) -> str:
    """The graph as SVG; of more than 100 variables a line that says so.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.drawing import drawing
    >>> drawing(Variable(2.0, "x") + 1).count("<rect")
    2
    """
    if not within(J, NODES):
        text = f"more than {NODES} variables: not drawn; show() prints a table"
        width = svg.text_width(text) + 2 * OUTSIDE
        element = svg.text_element(text, width / 2, svg.LINE)
        return document(width, svg.LINE + OUTSIDE, "Computation graph", [element])
    order = in_order(J)
    name = names(order)
    number = {x: k for k, x in enumerate(order)}
    arrows = [edge for x in order for edge in edges(x)]
    boxes = [box(x, name, J) for x in order]
    labels = [edge_part(edge) for edge in arrows]
    arcs = [(number[edge.source], number[edge.target]) for edge in arrows]
    chosen = plan(boxes, labels, arcs)
    width, height = (length + 2 * OUTSIDE for length in chosen.size)
    content = [
        f'<g transform="translate({OUTSIDE:g} {OUTSIDE:g})">',
        *edge_elements(chosen, labels),
        *box_elements(chosen, boxes),
        "</g>",
    ]
    title = f"Computation graph of {name[J]}, {len(order)} variables"
    return document(width, height, title, content)


def plan(boxes: list[list[Part]], labels: list[Part], arcs: list[Arc]) -> Plan:
    """The layout from left to right; if too wide, from top to bottom if narrower."""
    found = layers(len(boxes), arcs)
    across, down = (planned(found, boxes, labels, way) for way in (False, True))
    return across if across.size[0] <= max(WIDTH, down.size[0]) else down


def planned(
    found: Layers, boxes: list[list[Part]], labels: list[Part], down: bool
) -> Plan:
    """The layout in one direction."""
    extents = [Extent(0, NEAR, NEAR)] * len(found.rank)
    for k, parts in enumerate(boxes):
        width, height = (
            2 * INSIDE + length for length in svg.size(in_rows(parts, down))
        )
        extents[k] = (
            Extent(height, width / 2, width / 2)
            if down
            else Extent(width, height / 2, height / 2)
        )
    for label, route in zip(labels, found.routes, strict=True):
        width, height = svg.size([[label]])
        extents[route[-2]] = (
            Extent(height + LABEL, NEAR, width + LABEL + NEAR)
            if down
            else Extent(width + 2 * LABEL, height + NEAR, NEAR)
        )
    return Plan(found, extents, layout(found, extents, len(boxes)), down)


def in_rows(parts: list[Part], down: bool) -> svg.Rows:
    """The parts below each other; tables beside each other if edges run down."""
    first, *others = parts
    if down and any(part.grid for part in others):
        return [[first], others]
    return [[part] for part in parts]


def box_elements(plan: Plan, boxes: list[list[Part]]) -> Iterator[str]:
    """A rectangle for each variable, with its parts; its name is bold."""
    for item, parts in enumerate(boxes):
        rows = in_rows(parts, plan.down)
        x, y, width, height = plan.rectangle(item)
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            'rx="5" fill-opacity=".06" stroke="currentColor" stroke-opacity=".6"/>'
        )
        middle, top = x + width / 2, y + INSIDE
        yield '<g font-weight="bold">'
        yield from svg.elements(rows[:1], middle, top)
        yield "</g>"
        yield from svg.elements(rows[1:], middle, top + svg.LINE)


def edge_elements(plan: Plan, labels: list[Part]) -> Iterator[str]:
    """A curve for each edge with an arrow's head at its target, and its label."""
    ends = ("-3.5 -7", "7 0") if plan.down else ("-7 -3.5", "0 7")
    for label, route, pieces in zip(
        labels, plan.layers.routes, plan.pieces, strict=True
    ):
        yield f'<path d="{curve(plan, pieces)}" fill="none" stroke="currentColor"/>'
        line, _, end = pieces[-1]
        x, y = plan.point(end + HEAD, line)
        yield f'<path d="M{x:.1f} {y:.1f}l{ends[0]}l{ends[1]}z"/>'
        x, y, width, _ = plan.rectangle(route[-2])
        if plan.down:  # to the right of the edge
            yield from svg.elements([[label]], x + (width + NEAR) / 2, y + LABEL / 2)
        else:  # above it
            yield from svg.elements([[label]], x + width / 2, y)


def curve(plan: Plan, pieces: list[Piece]) -> str:
    """The path of an edge: straight pieces, and Bezier curves from each to the next."""
    last, begin, end = pieces[0]
    path = [f"M{plan.text(begin, last)}L{plan.text(end, last)}"]
    for (last, _, before), (line, begin, end) in pairwise(pieces):
        middle = (before + begin) / 2
        points = ((middle, last), (middle, line), (begin, line))
        path.append("C" + " ".join(plan.text(*point) for point in points))
        path.append(f"L{plan.text(end, line)}")
    return "".join(path)


def document(width: float, height: float, title: str, content: Iterable[str]) -> str:
    """An SVG file of these elements."""
    size = f"{width:.0f} {height:.0f}"
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" fill="currentColor" '
        f'font-size="{svg.FONT:g}" text-anchor="middle" font-family="{FAMILY}">'
    )
    head = f"<title>{svg.escaped(title)}</title><style>{STYLE}</style>"
    return "\n".join([start, head, *content, "</svg>"])

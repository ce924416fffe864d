// The network: where everything lies, and its elements.

const RADIUS = 24, TARGET = { width: 62, height: 22 };
/** Least distance of two units, and of two layers. */
const LEAST = { side: 84, narrow: 54, layer: 150, below: 112 };
/** The elements by their names, and the places of the units. */
const drawing = { svg: null, units: new Map(), edges: new Map(), across: true };

/** What stands above a layer, a line each. */
function layerNames(m) {
  if (m === 0) return ["input", data.scale ? "X * scale" : "X"];
  const { activation, norm, dropout, frozen } = layers[m - 1];
  return [`layer ${m - 1}`, activation, norm && `${norm} norm`,
    dropout && `dropout ${shown(dropout)}`, frozen && "frozen"].filter(Boolean);
}

/** Draws all elements for the present width of the page, without numbers. */
function draw() {
  const box = byId("drawing");
  const columns = sizes.length, widest = Math.max(...sizes);
  const room = box.clientWidth;
  const across = drawing.across = room >= 110 * columns + 150;
  const names = sizes.map((_, m) => layerNames(m));
  const top = across ? 15 * Math.max(...names.map((lines) => lines.length)) + 6 : 22;
  let layer, unit, width, height, place;
  if (across) {
    layer = Math.min((room - 2 * 40 - 175) / (columns - 1), 230);
    unit = LEAST.side;
    [width, height] = [80 + layer * (columns - 1) + 175, top + unit * widest + 6];
    place = (m, j) => [40 + layer * m, top + 36 + unit * (j + (widest - sizes[m]) / 2)];
  } else {
    unit = Math.max((room - 8) / widest, LEAST.narrow);
    layer = LEAST.below + 22 * (widest < 4);
    [width, height] = [8 + unit * widest, top + 54 + layer * (columns - 1) + 150];
    place = (m, j) => [4 + unit * (j + 0.5 + (widest - sizes[m]) / 2), top + 30 + layer * m];
  }
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height,
    role: "group", "aria-label": `network ${sizes.join("-")}` });
  Object.assign(drawing, { svg, width, height, place, units: new Map(), edges: new Map() });
  const weights = drawn("g", { role: "group", "aria-label": "weights", id: "weights" });
  const units = drawn("g", { role: "group", "aria-label": "units", id: "units" });
  sizes.forEach((size, m) => {
    const [x, y] = across ? [place(m, 0)[0], 0] : [4, place(m, 0)[1] - RADIUS - 10];
    const lines = across ? names[m] : [names[m].join(", ")];
    lines.forEach((line, k) => svg.append(drawn("text",
      { x, y: across ? 14 + 15 * k : y, class: `name${k ? "" : " strong"}${across ? "" : " left"}` }, line)));
    for (let j = 0; j < size; j++) {
      units.append(unitElement(m, j, place(m, j)));
      if (m) for (let i = 0; i < sizes[m - 1]; i++) weights.append(edgeElement(m - 1, i, j));
    }
  });
  drawing.labels = drawn("g", { id: "labels", "aria-hidden": "true" });
  svg.append(lossElements(), weights, drawing.labels, units);
  // Names of layers lie above edges.
  svg.append(...svg.querySelectorAll(".name"));
  box.replaceChildren(svg);
  for (const group of [weights, units]) group.firstChild.setAttribute("tabindex", 0);
}

function unitElement(m, j, [x, y]) {
  const [above, below, under] = [-3, 12, RADIUS + 13].map((dy) =>
    drawn("text", { x, y: y + dy, "aria-hidden": "true" }));
  under.setAttribute("class", "under");
  const circle = drawn("circle", { cx: x, cy: y, r: RADIUS });
  const group = drawn("g", { class: "unit", role: "button", tabindex: -1,
    "data-name": unitName(m, j) }, circle, above, below, under);
  drawing.units.set(unitName(m, j), { group, circle, above, below, under, x, y, m, j });
  choosable(group, { unit: [m, j] });
  return group;
}

/** The visible part of the line between two units. */
function ends(l, i, j) {
  const [[x1, y1], [x2, y2]] = [drawing.place(l, i), drawing.place(l + 1, j)];
  const share = RADIUS / Math.hypot(x2 - x1, y2 - y1);
  const [dx, dy] = [(x2 - x1) * share, (y2 - y1) * share];
  return { x1: x1 + dx, y1: y1 + dy, x2: x2 - dx, y2: y2 - dy };
}

function edgeElement(l, i, j) {
  const at = ends(l, i, j);
  const [hit, rim, line] = ["hit", "rim", "line"].map((name) =>
    drawn("line", { ...at, class: name }));
  const group = drawn("g", { class: "edge", role: "button", tabindex: -1,
    "data-name": edgeName(l, i, j) }, hit, rim, line);
  drawing.edges.set(edgeName(l, i, j), { group, rim, line, at, l, i, j });
  choosable(group, { weight: [l, i, j] });
  return group;
}

/** The targets beside the outputs, and the loss. */
function lossElements() {
  const { place, across } = drawing, m = sizes.length - 1, { width, height } = TARGET;
  const group = drawn("g", {});
  const ys = sizes.at(-1) === 1 ? [place(m, 0)] : a(m).map((_, j) => place(m, j));
  const [far, beyond] = across ? [78, 140] : [66, 122];
  const middle = (axis) => (ys[0][axis] + ys.at(-1)[axis]) / 2;
  const [x, y] = across ? [ys[0][0] + beyond, middle(1)] : [middle(0), ys[0][1] + beyond];
  drawing.targets = ys.map(([ux, uy]) => {
    const [tx, ty] = across ? [ux + far, uy] : [ux, uy + far];
    const w = across ? width : Math.min(width, LEAST.narrow - 4);
    group.prepend(drawn("line", { x1: ux, y1: uy, x2: tx, y2: ty, class: "plain" }),
      drawn("line", { x1: tx, y1: ty, x2: x, y2: y, class: "plain" }));
    const text = drawn("text", { x: tx, y: ty + 4 });
    group.append(drawn("rect", { x: tx - w / 2, y: ty - height / 2, width: w, height, rx: 4 }), text);
    return text;
  });
  drawing.E = drawn("text", { x, y: y + 4, class: "strong" });
  group.append(drawn("rect", { x: x - 34, y: y - 14, width: 68, height: 28, rx: 14 }), drawing.E);
  return group;
}

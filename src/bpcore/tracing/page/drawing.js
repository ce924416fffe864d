// The network: where everything lies, and its elements.

const drawing = {};

/** What stands above a layer, a line each. */
function layerLines(m) {
  if (m === 0) return ["input", data.scale ? "X * scale" : "X"];
  const { activation, norm, dropout, frozen } = layers[m - 1];
  return [`layer ${m - 1}`, activation, norm && `${norm} norm`,
    dropout && `dropout ${shown(dropout)}`, frozen && "frozen"].filter(Boolean);
}

/** Draws everything for the width of the page: layers from left to right, or down. */
function draw() {
  const room = byId("drawing").clientWidth, widest = Math.max(...sizes);
  const lines = sizes.map((_, m) => layerLines(m)), gaps = sizes.length - 1;
  const across = room >= 125 * gaps + 255;
  const top = across ? 15 * Math.max(...lines.map((of) => of.length)) + 38 : 60;
  const unit = across ? (widest > 4 ? 90 : 115) : Math.max((room - 4) / widest, 44);
  const layer = across ? Math.min((room - 255) / gaps, 230) : 130;
  const [length, breadth] = [layer * gaps, unit * widest];
  const [width, height] = across ? [length + 255, top + breadth - unit + 50]
    : [breadth, top + length + 160];
  const radius = Math.min(28, unit / 2 - 2);
  Object.assign(drawing, { across, width, radius, units: [], edges: [],
    roomy: across || unit > 75, at(m, j) {
      const aside = unit * (j + (widest - sizes[m]) / 2);
      return across ? [40 + layer * m, top + aside] : [aside + unit / 2, top + layer * m];
    } });
  const group = (id) => drawn("g", { id, role: "group", "aria-label": id });
  const weights = group("weights"), units = group("units"), names = drawn("g", {});
  sizes.forEach((size, m) => {
    const [x, y] = across ? [drawing.at(m, 0)[0], 0] : [4, top + layer * m - 50];
    (across ? lines[m] : [lines[m].join(", ")]).forEach((line, k) =>
      names.append(drawn("text", { x, y: y + 14 + 15 * k, class: "layer",
        style: across ? "" : "text-anchor: start" }, line)));
    for (let j = 0; j < size; j++) {
      units.append(drawUnit(m, j));
      for (let i = 0; m && i < sizes[m - 1]; i++) weights.append(drawEdge(m - 1, i, j));
    }
  });
  drawing.labels = drawn("g", { "aria-hidden": true });
  drawing.svg = drawn("svg", { width, height, role: "group", "aria-label": "network",
    style: `font-size: ${0.375 * radius}px` },
  drawLoss(), weights, drawing.labels, units, names);
  byId("drawing").replaceChildren(drawing.svg);
  for (const first of [weights.firstChild, units.firstChild]) set(first, { tabindex: 0 });
}

function drawUnit(m, j) {
  const [x, y] = drawing.at(m, j), r = drawing.radius, name = unitName(m, j);
  const texts = [-0.1 * r, 0.4 * r, r + 13].map((down) => drawn("text", { x, y: y + down }));
  texts[2].classList.add("under");
  const circle = drawn("circle", { cx: x, cy: y, r });
  const group = drawn("g", { class: "unit", "data-name": name }, circle, ...texts);
  drawing.units.push({ group, circle, texts, x, y, m, j, name });
  return choosable(group, { unit: [m, j] });
}

function drawEdge(l, i, j) {
  const [[x1, y1], [x2, y2]] = [drawing.at(l, i), drawing.at(l + 1, j)];
  const share = drawing.radius / Math.hypot(x2 - x1, y2 - y1), name = weightName(l, i, j);
  const [x, y] = [(x2 - x1) * share, (y2 - y1) * share];
  const at = { x1: x1 + x, y1: y1 + y, x2: x2 - x, y2: y2 - y };
  const lines = ["hit", "rim", "line"].map((kind) => drawn("line", { ...at, class: kind }));
  const group = drawn("g", { class: "edge", "data-name": name }, ...lines);
  drawing.edges.push({ group, lines, at, l, i, j, name });
  return choosable(group, { weight: [l, i, j] });
}

/** The target beside each output, and the loss. */
function drawLoss() {
  const { across, at, radius } = drawing, group = drawn("g", {}), boxes = drawn("g", {});
  const places = a(last + 1).map((_, j) => at(last + 1, j));
  const box = (x, y, half, count = 1) => {
    const texts = Array.from({ length: count }, (_, k) =>
      drawn("text", { x, y: y + 4 + 14 * (k - (count - 1) / 2) }));
    const height = 10 + 14 * count, size = { width: 2 * half, height, rx: 5 };
    boxes.append(drawn("rect", { x: x - half, y: y - height / 2, ...size }), ...texts);
    return texts;
  };
  const line = (x1, y1, x2, y2) =>
    group.append(drawn("line", { x1, y1, x2, y2, class: "plain" }));
  const middle = (axis) => (places[0][axis] + places.at(-1)[axis]) / 2;
  const [x, y] = across ? [places[0][0] + 166, middle(1)]
    : [middle(0), places[0][1] + 130];
  drawing.targets = places.map(([unitX, unitY]) => {
    const [yX, yY] = across ? [unitX + 80, unitY] : [unitX, unitY + 72];
    line(unitX, unitY, yX, yY);
    line(yX, yY, x, y);
    return box(yX, yY, radius)[0];
  });
  drawing.E = box(x, y, 46, data.rows > 1 ? 2 : 1);
  group.append(boxes);
  return group;
}

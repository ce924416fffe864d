// The elements of the drawing in the present phase: numbers, colours, labels.

/** What the lines show in this phase: {name, of(l), known(l)}. */
function linesShow() {
  if (isUpdate()) return { name: "change of W", of: change, known: () => true };
  if (phase().name !== "backward") return { name: "W", of: (l) => layers[l].W[0], known: () => true };
  return { name: "dE/dW, the sum over all rows", of: (l) => layers[l].dW, known: knowsDelta };
}
const change = (l) => layers[l].W[1].map((row, i) => row.map((x, j) => x - layers[l].W[0][i][j]));

function paint() {
  const backward = state.phase > last + 2;
  for (const unit of drawing.units.values()) paintUnit(unit, backward);
  const show = linesShow();
  layers.forEach((_, l) => paintEdges(l, show));
  targets().forEach((y, j) => { drawing.targets[j].textContent = `y ${shown(y, 3)}`; });
  drawing.E.textContent = knowsLoss() || phase().name === "loss" ? `E ${shown(loss.E, 3)}` : "E";
  paintLight();
  byId("legend").replaceChildren(element("span", { class: "swatch", "aria-hidden": "true" }),
    `Circles: ${backward ? "delta" : "a"} of row ${state.row}. Lines: ${show.name}. ` +
    "Red is above 0, blue below, white 0; the strongest is the largest of its layer.");
}

function paintUnit({ group, circle, above, below, under, m, j }, backward) {
  const layer = layers[m - 1], row = state.row;
  const delta = m && knowsDelta(m - 1) ? layer.delta[row] : null;
  const values = backward ? delta : knowsA(m) && a(m);
  const share = values ? values[j] / largest(values) : 0;
  set(circle, { fill: values ? colour(share) : "var(--unknown)" });
  const ink = values ? onColour(share) : "var(--text)";
  set(above, { fill: ink, dy: delta ? 0 : 7 });
  set(below, { fill: ink });
  above.textContent = knowsA(m) ? `a ${shown(a(m)[j], 3)}` : "";
  below.textContent = delta ? `δ ${shown(delta[j], 3)}` : "";
  const pair = m ? layer.b : data.scale;
  under.textContent = !pair || (!drawing.across && Math.max(...sizes) > 4) ? ""
    : `${m ? "b" : "scale"} ${shown(pair[0][j], 3)}${isUpdate() ? ` → ${shown(pair[1][j], 3)}` : ""}`;
  const known = [knowsA(m) && `a ${shown(a(m)[j])}`, delta && `delta ${shown(delta[j])}`];
  set(group, { "aria-label": [`unit ${unitName(m, j)}`, ...known.filter(Boolean)].join(", ") });
}

function paintEdges(l, { of, known }) {
  const values = known(l) ? of(l) : null, most = values && largest(values);
  for (const { group, rim, line, l: m, i, j } of drawing.edges.values()) {
    if (m !== l) continue;
    const share = values ? values[i][j] / most : 0;
    set(rim, { "stroke-width": 2.4 + 4 * Math.abs(share) });
    set(line, { "stroke-width": 1 + 4 * Math.abs(share), stroke: values ? colour(share) : "var(--unknown)" });
    const [before, after] = layers[l].W.map((W) => shown(W[i][j]));
    const words = [`weight ${edgeName(l, i, j)}, ${isUpdate() ? `before ${before}, after ${after}` : before}`];
    if (knowsDelta(l)) words.push(`derivative ${shown(layers[l].dW[i][j])}`);
    set(group, { "aria-label": words.join(", ") });
  }
}

/** Lights the paths of the chosen weight, and writes numbers beside lines. */
function paintLight() {
  const weight = state.chosen?.weight;
  const names = weight ? lit(weight, state.path) : null;
  drawing.svg.classList.toggle("lights", Boolean(names));
  for (const [name, { group }] of [...drawing.units, ...drawing.edges]) {
    group.classList.toggle("lit", Boolean(names?.has(name)));
    const item = state.chosen && (weight ? edgeName(...weight) : unitName(...state.chosen.unit));
    set(group, { "aria-pressed": name === item });
  }
  const { of, known } = linesShow();
  const written = [];
  layers.forEach((_, l) => {
    if (!known(l)) return;
    const texts = of(l).map((row, i) => row.map((x, j) =>
      isUpdate() ? layers[l].W.map((W) => shown(W[i][j], 3)).join(" → ") : shown(x, 3)));
    written.push(...labelsOf(l, texts));
  });
  drawing.labels.replaceChildren(...written.map(({ x, y, text }) => drawn("text", { x, y: y + 3.5 }, text)));
}

/** A place for every label of a layer where it meets no line and no other; else none. */
function labelsOf(l, texts) {
  const edges = [...drawing.edges.values()].filter((edge) => edge.l === l);
  const found = [];
  if (edges.length > 16) return found;
  for (const edge of edges) {
    const text = texts[edge.i][edge.j];
    const half = { x: 3.1 * text.length + 2, y: 7 };
    const place = PLACES.map((t) => ({ x: edge.at.x1 + t * (edge.at.x2 - edge.at.x1),
      y: edge.at.y1 + t * (edge.at.y2 - edge.at.y1), half, text }))
      .find((box) => inView(box) && !found.some((other) => overlap(box, other)) &&
        !edges.some((other) => other !== edge && crosses(other.at, box)) &&
        ![...drawing.units.values()].some((unit) => overlap(box, { ...unit, half: { x: RADIUS, y: RADIUS } }) ||
          (unit.under.textContent && overlap(box, { x: unit.x, y: unit.y + RADIUS + 9,
            half: { x: 3 * unit.under.textContent.length, y: 6 } }))));
    if (!place) return [];
    found.push(place);
  }
  return found;
}
const PLACES = [30, 26, 34, 22, 38, 66, 70, 74, 78, 62, 18, 82, 14, 86, 50, 44, 56].map((t) => t / 100);
const inView = ({ x, half }) => x > half.x && x + half.x < drawing.width;
const overlap = (one, other) => Math.abs(one.x - other.x) < one.half.x + other.half.x &&
  Math.abs(one.y - other.y) < one.half.y + other.half.y;

/** Whether a line meets a box: the part of it within the box's breadth, then height. */
function crosses({ x1, y1, x2, y2 }, { x, y, half }) {
  let [from, to] = [0, 1];
  for (const [start, step, low, high] of [
    [x1, x2 - x1, x - half.x, x + half.x], [y1, y2 - y1, y - half.y, y + half.y]]) {
    if (step === 0 && (start < low || start > high)) return false;
    if (step === 0) continue;
    const [t1, t2] = [(low - start) / step, (high - start) / step];
    from = Math.max(from, Math.min(t1, t2));
    to = Math.min(to, Math.max(t1, t2));
  }
  return from < to;
}

// The drawing in the present phase: numbers, colours, light on paths, labels.

/** What the lines show: its name, the numbers of a layer, and whether they are known. */
function linesShow() {
  if (isUpdate()) return ["the change of each weight", change, () => true];
  if (phase().name !== "backward") return ["W", (l) => layers[l].W[0], () => true];
  return ["dE/dW, the sum over all rows", (l) => layers[l].dW, knowsDelta];
}

function paint() {
  const [name, numbers, known] = linesShow(), backward = state.phase > last + 2;
  for (const unit of drawing.units) paintUnit(unit, backward);
  layers.forEach((_, l) => {
    const values = known(l) && numbers(l), most = values && largest(values);
    for (const edge of edgesOf(l)) paintEdge(edge, values, most);
  });
  targets().forEach((y, j) => { drawing.targets[j].textContent = `y ${brief(y)}`; });
  const losses = [[ownLoss(state.row), loss.rows[state.row]], ["E", loss.E]];
  losses.slice(-drawing.E.length).forEach(([symbol, value], k) => {
    drawing.E[k].textContent = knowsLoss() ? `${symbol} ${brief(value)}` : symbol;
  });
  paintLight();
  byId("words").textContent = `Circles: ${backward ? "delta" : "a"} of row ${state.row}. ` +
    `Lines: ${name}. Red is above 0, blue below, white 0; the strongest colour is the ` +
    "largest number of its layer.";
}
const edgesOf = (l) => drawing.edges.filter((edge) => edge.l === l);

function paintUnit({ group, circle, texts, m, j, name }, backward) {
  const delta = m && knowsDelta(m - 1) && layers[m - 1].delta[state.row];
  const values = backward ? delta : knowsA(m) && a(m);
  const share = values && values[j] / largest(values);
  circle.style.fill = values ? colour(share) : "";
  const bias = drawing.roomy && (m ? layers[m - 1].b : data.scale);
  const pair = bias && bias.slice(0, isUpdate() ? 2 : 1).map((b) => brief(b[j]));
  const inside = [knowsA(m) && `a ${brief(a(m)[j])}`, delta && `δ ${brief(delta[j])}`];
  [...inside, pair && `${m ? "b" : "scale"} ${pair.join(" → ")}`].forEach((text, k) => {
    texts[k].textContent = text || "";
    texts[k].style.fill = values && k < 2 ? inkOn(share) : "";
  });
  set(texts[0], { dy: delta ? 0 : 0.25 * drawing.radius });
  const words = [`unit ${name}`, knowsA(m) && `a ${shown(a(m)[j])}`,
    delta && `delta ${shown(delta[j])}`];
  set(group, { "aria-label": words.filter(Boolean).join(", ") });
}

function paintEdge({ group, lines, l, i, j, name }, values, most) {
  const share = values ? values[i][j] / most : 0;
  const width = 1 + 4 * Math.abs(share);
  lines[1].style.strokeWidth = width + 1.4;
  lines[2].style.strokeWidth = width;
  lines[2].style.stroke = values ? colour(share) : "var(--line)";
  const [before, after] = layers[l].W.map((W) => shown(W[i][j]));
  const words = [`weight ${name}`, isUpdate()
    ? `before ${before}, after ${after}, change ${shown(change(l)[i][j])}` : before,
    knowsDelta(l) && `derivative ${shown(layers[l].dW[i][j])}`];
  set(group, { "aria-label": words.filter(Boolean).join(", ") });
}

/** Lights the paths of the chosen weight, and writes numbers on the lines. */
function paintLight() {
  const { weight, unit } = state.chosen ?? {};
  const name = weight ? weightName(...weight) : unit && unitName(...unit);
  const lit = weight && onPaths(weight, state.path);
  drawing.svg.classList.toggle("lights", Boolean(lit));
  const light = (group, of) => group.classList.toggle("lit", Boolean(lit?.has(of)));
  for (const item of [...drawing.units, ...drawing.edges]) {
    light(item.group, item.name);
    set(item.group, { "aria-pressed": item.name === name });
  }
  const labels = layers.flatMap((_, l) => labelsOf(l));
  drawing.labels.replaceChildren(...labels.map(({ x, y, half, text, name: of }) => {
    const size = { width: 2 * half.x, height: 12 };
    const group = drawn("g", { class: "label" },
      drawn("rect", { x: x - half.x, y: y - 6, ...size }),
      drawn("text", { x, y: y + 3.5 }, text));
    light(group, of);
    return group;
  }));
}

/** Places on a line for its label, as shares of its length; the best first. */
const PLACES = [30, 25, 35, 20, 40, 70, 75, 65, 80, 15, 85, 50].map((t) => t / 100);

/** The labels of a layer where they meet no line, unit or other label; else none. */
function labelsOf(l) {
  const [, numbers, known] = linesShow(), edges = edgesOf(l);
  if (!known(l) || edges.length > 16) return [];
  const r = drawing.radius + 2, taken = drawing.units.flatMap(({ x, y, texts }) => [
    { x, y, half: { x: r, y: r } },
    { x, y: y + r + 9, half: { x: 3 * texts[2].textContent.length, y: 7 } }]);
  const found = [];
  for (const { at: { x1, y1, x2, y2 }, i, j, name } of edges) {
    const text = brief(numbers(l)[i][j]), half = { x: 3.1 * text.length + 2, y: 7 };
    const label = PLACES.map((t) => ({ x: x1 + t * (x2 - x1), y: y1 + t * (y2 - y1) }))
      .map((place) => ({ ...place, half, text, name }))
      .find((box) => box.x > half.x && box.x + half.x < drawing.width &&
        !taken.concat(found).some((other) => overlap(box, other)) &&
        !edges.some((edge) => edge.name !== name && crosses(edge.at, box)));
    if (!label) return [];
    found.push(label);
  }
  return found;
}
const overlap = (one, other) => Math.abs(one.x - other.x) < one.half.x + other.half.x &&
  Math.abs(one.y - other.y) < one.half.y + other.half.y;

/** Whether a line meets a box: the share of it in the box's breadth and height. */
function crosses({ x1, y1, x2, y2 }, { x, y, half }) {
  let from = 0, to = 1;
  for (const [start, end, middle, side] of [[x1, x2, x, half.x], [y1, y2, y, half.y]]) {
    const shares = [-side, side].map((far) => (middle + far - start) / (end - start || 1e-9));
    from = Math.max(from, Math.min(...shares));
    to = Math.min(to, Math.max(...shares));
  }
  return from < to;
}

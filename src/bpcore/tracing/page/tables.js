// The numbers of a phase, and of the unit or weight that is chosen.

function table(caption, heads, lines, id = "") {
  const head = heads.map((text) => element("th", { scope: "col" }, text));
  return element("div", { class: "scroll" }, element("table", { id },
    element("caption", {}, caption), element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...lines)));
}
const line = (name, numbers, ...cells) => element("tr", {},
  element("th", { scope: "row" }, name),
  ...numbers.map((x) => element("td", {}, shown(x))), ...cells);
/** Formulas with their numbers below. */
const list = (equations) => element("dl", {}, ...equations.flatMap(([formula, numbers]) =>
  [element("dt", {}, formula), element("dd", {}, numbers)]));
const hint = (text) => element("p", { class: "quiet" }, text);

/** The unit or weight that is pointed at, else the chosen one. */
function chosenSection() {
  const { chosen, pointed } = state, { unit, weight } = pointed ?? chosen ?? {};
  if (weight) return weightSection(weight, same({ weight }, chosen));
  if (!unit) {
    const [point, click] = TOUCH ? ["Tap", "tap"] : ["Point at", "click"];
    return [hint(`${point} a unit for its sums; ${click} a weight for its paths to the loss.`)];
  }
  const [m, j] = unit, found = unitEquations(unit);
  return [element("h2", {}, m ? `Unit ${j} of layer ${m - 1}` : `Input ${j}`),
    found.length ? list(found) : hint("Not computed yet.")];
}

/** Quantities with a number for each unit of a layer; a step may not have all of them. */
function unitTable(m, quantities) {
  const lines = quantities.filter(([, numbers]) => numbers);
  return table(`Row ${state.row}`, ["unit", ...a(m).keys()], lines.map((of) => line(...of)));
}

function numbersSection() {
  const { name, l } = phase(), s = state.row, layer = layers[l];
  const rows = (...names) => names.map((of) => [of, layer[of]?.[s]]);
  if (name === "loss") return lossSection();
  if (name === "update") return layers.map((_, m) => updateTable(m));
  if (name === "input") {
    return [unitTable(0, [["X", data.X?.[s]], ["scale", data.scale?.[0]], ["a[0]", a(0)]])];
  }
  if (name === "forward") {
    return [unitTable(l + 1, [...rows("u", "hat", "z", "f", "kept"), [`a[${l + 1}]`, a(l + 1)]])];
  }
  return [unitTable(l + 1, [[`dE/da[${l + 1}]`, da(l + 1)],
    [`${layer.activation}'(z)`, layer.derivative?.[s]], ...rows("kept", "delta", "du"),
    ["db, sum of rows", layer.db], ["dgain, sum of rows", layer.dgain]])];
}

function lossSection() {
  const s = state.row, { rows, weights, E, factor } = loss, n = data.rows;
  const lists = (of) => Array.isArray(of?.[s]) && of[s];
  const one = ownLoss("i");
  const terms = n > 8 ? [`${n} terms`] : rows.map(inner);
  const own = weights && !lists(weights) ? [[`${factor} of row ${s}`, shown(weights[s])]] : [];
  return [unitTable(last + 1, [[`a[${last + 1}]`, a(last + 1)], ["y", targets()],
    ["y'", lists(loss.targets)], [factor, lists(weights)]]),
  list([...own, [`${one} of row ${s}`, shown(rows[s])],
    [`E = sum of ${one} / n`, `(${terms.join(" + ")}) / ${n} = ${shown(E)}`]])];
}

/** The old and the new parameters of a layer side by side. */
function updateTable(l) {
  const { W, dW, b, db, gain, dgain, frozen, factors } = layers[l], most = largest(change(l));
  const one = (name, slope, old, now) => {
    const share = (now - old) / most;
    const style = `background: ${colour(share)}; color: ${inkOn(share)}`;
    return line(name, [slope, old, now], element("td", { style }, shown(now - old)));
  };
  const each = (name, slopes, pair) => (pair ? slopes.map((slope, j) =>
    one(`${name}[${j}]`, slope, pair[0][j], pair[1][j])) : []);
  const lines = dW.flatMap((row, i) => row.map((slope, j) =>
    one(weightName(l, i, j), slope, W[0][i][j], W[1][i][j])));
  const [ofW, ofb] = factors.map((of) => shown(of * data.rate[1]));
  const rate = `${data.rate[0]} ${ofW}${ofW === ofb ? "" : ` of W, ${ofb} of b`}`;
  return table(`Layer ${l}: ${frozen ? "frozen, nothing changes" : rate}`,
    ["", "dE/dw", "old", "new", "change"], [...lines, ...each(`b[${l}]`, db, b),
      ...each(`gain[${l}]`, dgain, gain), ...(l ? [] : each("scale", data.dscale, data.scale))]);
}

// The numbers of a phase, and of the unit or weight that is chosen.

function table(caption, heads, lines, id) {
  const made = element("table", { id }, element("caption", {}, caption),
    element("thead", {}, ...heads.map((cells) => element("tr", {}, ...cells.map((cell) => element("th", { scope: "col" }, cell))))),
    element("tbody", {}, ...lines));
  return element("div", { class: "scroll" }, made);
}
const numberCells = (numbers) => numbers.map((x) => element("td", {}, shown(x)));
const named = (name, numbers) =>
  element("tr", {}, element("th", { scope: "row" }, name), ...numberCells(numbers));
/** Equations with their numbers below. */
const list = (equations) => element("dl", {}, ...equations.flatMap(([what, value]) =>
  [element("dt", {}, what), element("dd", {}, value)]));

/** The unit or weight that is pointed at, else the chosen one. */
function chosenSection() {
  const { chosen, pointed } = state, item = pointed ?? chosen;
  if (!item) return [element("p", { class: "quiet" }, "Point at a unit for its sums; click a weight for its paths to the loss.")];
  if (item.weight) return weightSection(item.weight, same(item, chosen));
  const [m, j] = item.unit, equations = unitEquations(item.unit);
  return [element("h2", {}, m ? `Unit ${j} of layer ${m - 1}` : `Input ${j}`),
    equations.length ? list(equations) : element("p", { class: "quiet" }, "Not computed yet.")];
}

function numbersSection() {
  const { name, l } = phase(), s = state.row;
  if (name === "input") return [unitTable("Input", 0, { "a[0]": a(0), ...(data.scale && { X: data.X[s], scale: data.scale[0] }) })];
  if (name === "loss") return lossSection();
  if (name === "update") return layers.map((_, m) => updateTable(m)).concat(data.scale ? [scaleTable()] : []);
  const layer = layers[l], of = (names) => Object.fromEntries(names.filter((one) => layer[one])
    .map((one) => [one, one.startsWith("d") && !Array.isArray(layer[one][0]) ? layer[one] : layer[one][s]]));
  if (name === "forward") {
    const { a: out, ...rest } = of(["u", "hat", "z", "f", "kept", "a"]);
    return [unitTable(`Row ${s}`, l + 1, { ...rest, [`a[${l + 1}]`]: out })];
  }
  const { da: by_a, derivative, ...rest } = of(["da", "derivative", "kept", "delta", "du"]);
  const sums = of(["db", "dgain"]);
  return [unitTable(`Row ${s}`, l + 1, { [`dE/da[${l + 1}]`]: by_a, ...(derivative && { [`${layer.activation}'(z)`]: derivative }), ...rest }),
    unitTable("Sums over all rows", l + 1, sums),
    table(`dW[${l}] = dE/dW[${l}], the sum over all rows: to each unit, from each below`, [["", ...layer.db.map((_, j) => `to ${j}`)]],
      layer.dW.map((row, i) => named(`from ${i}`, row)), "dW")];
}

function unitTable(caption, m, quantities) {
  return table(`${caption}, each unit of ${m ? `layer ${m - 1}` : "the input"}`,
    [["", ...a(m).map((_, j) => `unit ${j}`)]], Object.entries(quantities).map(([name, numbers]) => named(name, numbers)));
}

function lossSection() {
  const s = state.row, { rows, weights, E } = loss;
  const outputs = { [`a[${last + 1}]`]: a(last + 1), y: targets() };
  if (Array.isArray(loss.targets?.[s])) outputs["y'"] = loss.targets[s];
  if (Array.isArray(weights?.[s])) outputs.w = weights[s];
  const symbol = weights ? "w E_i" : "E_i";
  const sum = rows.length <= 8 ? `(${rows.map(inner).join(" + ")}) / ${rows.length}` : `sum of ${rows.length} rows / ${rows.length}`;
  const own = typeof weights?.[s] === "number" ? [["its weight", shown(weights[s])]] : [];
  return [unitTable(`Row ${s}`, last + 1, outputs),
    list([...own, [`${symbol} of row ${s}`, shown(rows[s])], [`E = sum of ${symbol} over the rows / n`, `${sum} = ${shown(E)}`]])];
}

/** The old and the new parameters of a layer side by side. */
function updateTable(l) {
  const { W, dW, b, db, gain, dgain, frozen, factors } = layers[l], changes = change(l), most = largest(changes);
  const line = (name, derivative, before, after, share) => {
    const cell = element("td", { style: `background:${colour(share)};color:${onColour(share)}` }, shown(after - before));
    return element("tr", {}, element("th", { scope: "row" }, name), ...numberCells([derivative, before, after]), cell);
  };
  const lines = W[0].flatMap((row, i) => row.map((before, j) =>
    line(edgeName(l, i, j), dW[i][j], before, W[1][i][j], changes[i][j] / most)));
  for (const [name, pair, derivative] of [["b", b, db], ["gain", gain, dgain]]) {
    if (pair) lines.push(...pair[0].map((before, j) => line(`${name}[${l}][${j}]`, derivative[j], before, pair[1][j], (pair[1][j] - before) / most)));
  }
  const [ofW, ofb] = factors.map((factor) => shown(factor * data.rate[1]));
  const rates = ofW === ofb ? `${data.rate[0]} ${ofW}` : `${data.rate[0]} ${ofW} of W, ${ofb} of b`;
  return table(`Layer ${l}: ${frozen ? "frozen, nothing changes" : rates}`, [["", "dE/dw", "old", "new", "change"]], lines, `update-${l}`);
}

function scaleTable() {
  const [before, after] = data.scale;
  return unitTable("scale", 0, { "dE/dscale": data.dscale, old: before, new: after });
}

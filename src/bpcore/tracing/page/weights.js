// A weight: its numbers, and the products along its paths.

function weightSection([l, i, j], whole) {
  const layer = layers[l], name = edgeName(l, i, j), dW = layer.dW[i][j];
  const head = `${name} = ${shown(layer.W[0][i][j])}, from a[${l}][${i}] to ${layer.norm ? "u" : "z"}[${l}][${j}]`;
  const parts = [element("h2", {}, head)];
  if (isUpdate()) parts.push(list(weightUpdate(l, i, j)));
  if (!whole) {
    return [...parts, element("p", { class: "quiet" }, "Click it, or press Enter, for all paths that carry its derivative.")];
  }
  parts.push(element("p", { id: "sum", "aria-live": "polite" }, `dE/d${name} = ${shown(dW)}`));
  parts.push(...(l < data.first_path ? [noPaths()] : pathTable([l, i, j])));
  const term = (row) => a(l, row)[i] * back(l, row)[j];
  parts.push(list([overRows(`dE/d${name}`, term, `a[${l}][${i}] · ${backName(l)}[${l}][${j}]`, dW)]));
  return parts;
}

function weightUpdate(l, i, j) {
  const pair = (name, [before, after]) => [`${name}, before → after`, `${shown(before[i][j])} → ${shown(after[i][j])}`];
  const { W, frozen, state: kept } = layers[l];
  return [...Object.entries(kept).map(([name, of]) => pair(name, of.W)), pair("W", W),
    ["change", frozen ? "0: the layer is frozen" : shown(W[1][i][j] - W[0][i][j])]];
}

function noPaths() {
  const m = data.first_path - 1;
  return element("p", { id: "no-paths" }, `Layer ${m} has ${layers[m].norm} norm, in which every ` +
    "unit depends on others, so that paths can begin only above it.");
}

/** The listed paths of a weight in the chosen row, a line each, and their sum. */
function pathTable(weight) {
  const [l, i, j] = weight, s = state.row, count = layers[l].paths;
  const { listed, sum } = pathsOf(weight, s);
  const heads = ["through", ...listed[0].factors.map(({ symbol }) => symbol), "product"];
  const lines = listed.map((path) => {
    const { factors, value } = path;
    const through = [`${j}`, ...factors.flatMap(({ edge, from }, k) =>
      (k && edge ? [edge[2]] : from === undefined ? [] : [factors[k].unit[1]]))].join(" → ");
    const line = element("tr", { tabindex: 0, "aria-label": `path through ${through}: ${factors.map(({ value: x }) => shown(x)).join(" times ")} = ${shown(value)}` },
      ...[through, ...factors.map(({ value: x }, k) => `${k ? "· " : ""}${inner(x)}`), `= ${shown(value)}`].map((text) => element("td", {}, text)));
    const light = (one) => () => { state.path = one; paintLight(); };
    for (const event of ["mouseenter", "focus"]) line.addEventListener(event, light(path));
    for (const event of ["mouseleave", "blur"]) line.addEventListener(event, light(null));
    return line;
  });
  const more = count - listed.length;
  const rest = more ? `${more.toLocaleString("en")} more paths are left out. ` : "";
  const row = shown(a(l)[i] * layers[l].delta[s][j]);
  const all = sum === null ? `All ${count.toLocaleString("en")} together are a · delta = ${row}.`
    : `The sum of ${count === 1 ? "the path" : `all ${count.toLocaleString("en")} paths`} of row ${s} is ${shown(sum)}; a[${l}][${i}] · delta[${l}][${j}] is ${row}.`;
  return [table(`Paths of row ${s}: units above the weight, and the product`, [heads], lines, "paths"),
    element("p", { id: "path-sum" }, rest + all)];
}

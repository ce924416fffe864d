// A weight: its numbers, and the products along its paths.

const derivative = ([l, i, j]) => `dE/d${weightName(l, i, j)} = ${shown(layers[l].dW[i][j])}`;

function weightSection(weight, isChosen) {
  const [l, i, j] = weight, { W, norm, dW, state: kept } = layers[l];
  const name = weightName(...weight);
  const ends = `from a[${l}][${i}] to ${norm ? "u" : "z"}[${l}][${j}]`;
  const parts = [element("h2", {}, `${name} = ${shown(W[0][i][j])}, ${ends}`)];
  if (isUpdate()) {
    const pairs = [...Object.entries(kept).map(([of, pair]) => [of, pair.W]), [name, W]];
    parts.push(list(pairs.map(([of, pair]) =>
      [`${of}: old → new`, pair.map((one) => shown(one[i][j])).join(" → ")])));
  }
  if (!isChosen) {
    const how = TOUCH ? "Tap it" : "Click it, or press Enter,";
    return [...parts, hint(`${how} for the paths that carry its derivative.`)];
  }
  const term = (row) => a(l, row)[i] * back(l, row)[j];
  return [...parts, element("p", {}, derivative(weight)),
    ...(l < data.first_path ? [noPaths()] : pathTable(weight)),
    list([overRows(`dE/d${name}`, `a[${l}][${i}] · ${backName(l)}[${j}]`, term, dW[i][j])])];
}

function noPaths() {
  const m = data.first_path - 1;
  return element("p", { id: "no-paths" }, `Layer ${m} has ${layers[m].norm} norm, in which ` +
    "every unit depends on others, so that paths can begin only above it.");
}

/** The first paths of a weight in the chosen row, a line each, and the sum of all. */
function pathTable(weight) {
  const [l, i, j] = weight, s = state.row, { listed, sum: all } = pathsOf(weight, s);
  const lines = listed.map((path) => {
    const above = path.factors.filter(({ edge, joins }) => edge || joins);
    const cells = [[j, ...above.map(({ unit }) => unit[1])].join(" → "), shown(path.value),
      ...path.factors.map(({ value }, k) => `${k ? "·" : "="} ${inner(value)}`)];
    const row = element("tr", { tabindex: 0 }, ...cells.map((text) => element("td", {}, text)));
    const light = (one) => () => { state.path = one; paintLight(); };
    for (const event of ["mouseenter", "focus"]) row.addEventListener(event, light(path));
    for (const event of ["mouseleave", "blur"]) row.addEventListener(event, light(null));
    return row;
  });
  const count = layers[l].paths, delta = layers[l].delta[s][j];
  const written = (number) => number.toLocaleString("en");
  const left = count > LISTED ? `${written(count - LISTED)} more are not listed. ` : "";
  const of = count === 1 ? `The path of row ${s}`
    : `All ${written(count)} paths of row ${s} together`;
  const own = `a · delta = ${sum([product(a(l)[i], delta)], a(l)[i] * delta)}`;
  const heads = ["units", "product", ...listed[0].factors.map(({ symbol }) => symbol)];
  return [table(`Paths of row ${s}`, heads, lines, "paths"), element("p", { id: "path-sum" },
    `${left}${of}: ${all === null ? own : `${shown(all)}; ${own}`}`)];
}

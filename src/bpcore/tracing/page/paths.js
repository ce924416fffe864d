// The paths from a weight to the loss, as in Trace.path.

/** Most paths that are listed, and most that are added up. */
const LISTED = 20, ADDED = 20000;
const unitName = (m, j) => `a[${m}][${j}]`;
const weightName = (l, i, j) => `W[${l}][${i}, ${j}]`;

/** The factors {symbol, value} of each path from z[m][k] to E, with edges and units. */
function* fromZ(m, k, s) {
  const { joins, kept, delta, slope } = layers[m];
  if (m === last && loss.takes_z) {
    yield [{ symbol: `dE/dz[${m}]`, value: delta[s][k] }];
    return;
  }
  const symbol = joins ? `da[${m + 1}]/dz[${m}]` : `f'(z[${m}])${kept ? " kept" : ""}`;
  for (const [q, value] of joins ? slope[s][k].entries() : [[k, slope[s][k]]]) {
    const factor = { symbol, value, unit: [m + 1, q], joins };
    for (const rest of fromA(m + 1, q, s)) yield [factor, ...rest];
  }
}
function* fromA(m, q, s) {
  if (m > last) {
    yield [{ symbol: `dE/da[${m}]`, value: da(m, s)[q] }];
    return;
  }
  for (const [k, value] of layers[m].W[0][q].entries()) {
    const factor = { symbol: `W[${m}]`, value, edge: [m, q, k], unit: [m + 1, k] };
    for (const rest of fromZ(m, k, s)) yield [factor, ...rest];
  }
}

/** The first paths of a weight in row s; and the sum of all, if they are not too many. */
function pathsOf([l, i, j], s) {
  const listed = [], adds = layers[l].paths <= ADDED;
  let sum = 0;
  for (const rest of fromZ(l, j, s)) {
    const factors = [{ symbol: `a[${l}]`, value: a(l, s)[i] }, ...rest];
    const value = factors.reduce((found, factor) => found * factor.value, 1);
    if (listed.length < LISTED) listed.push({ factors, value });
    else if (!adds) break;
    sum += value;
  }
  return { listed, sum: adds ? sum : null };
}

/** The names of the edges and units on all paths of a weight, or on one of them. */
function onPaths([l, i, j], path) {
  const names = new Set([unitName(l, i), weightName(l, i, j), unitName(l + 1, j)]);
  const add = ({ edge, unit }) => {
    if (edge) names.add(weightName(...edge));
    if (unit) names.add(unitName(...unit));
  };
  if (path) {
    path.factors.forEach(add);
    return names;
  }
  for (let m = l, reached = [j]; m <= last; m++) {
    if (layers[m].joins) reached = layers[m].db.keys();
    reached = [...reached];
    for (const q of reached) add({ unit: [m + 1, q] });
    if (m === last) break;
    for (const q of reached) layers[m + 1].db.forEach((_, k) => add({ edge: [m + 1, q, k] }));
    reached = layers[m + 1].db.keys();
  }
  return names;
}

// The paths from a weight to the loss, as in Trace.path.

/** Most paths that are listed, and that are added up. */
const LISTED = 20, ADDED = 20000;

/** The paths from z[m][k] to E: lists of {symbol, value}, with the edge of each W. */
function* fromZ(m, k, s) {
  const layer = layers[m];
  if (m === last && loss.takes_z) {
    yield [{ symbol: `dE/dz[${m}]`, value: layer.delta[s][k], unit: [m + 1, k] }];
  } else if (layer.joins) {
    for (const [q, value] of layer.slope[s][k].entries()) {
      const factor = { symbol: `da[${m + 1}]/dz[${m}]`, value, unit: [m + 1, q], from: k };
      for (const rest of fromA(m + 1, q, s)) yield [factor, ...rest];
    }
  } else {
    const symbol = `f'(z[${m}])${layer.kept ? " kept" : ""}`;
    const factor = { symbol, value: layer.slope[s][k], unit: [m + 1, k] };
    for (const rest of fromA(m + 1, k, s)) yield [factor, ...rest];
  }
}
function* fromA(m, q, s) {
  if (m > last) {
    yield [{ symbol: `dE/da[${m}]`, value: da(m, s)[q] }];
    return;
  }
  for (const [k, value] of layers[m].W[0][q].entries()) {
    const factor = { symbol: `W[${m}]`, value, edge: [m, q, k] };
    for (const rest of fromZ(m, k, s)) yield [factor, ...rest];
  }
}

/** The first paths of W[l][i, j] in row s, and the sum of all their products. */
function pathsOf([l, i, j], s) {
  const listed = [];
  let sum = layers[l].paths <= ADDED ? 0 : null;
  for (const rest of fromZ(l, j, s)) {
    const factors = [{ symbol: `a[${l}]`, value: a(l, s)[i], edge: [l, i, j] }, ...rest];
    const value = factors.reduce((so_far, factor) => so_far * factor.value, 1);
    if (listed.length < LISTED) listed.push({ factors, value });
    else if (sum === null) break;
    if (sum !== null) sum += value;
  }
  return { listed, sum };
}

/** The names of the edges and units on all paths of a weight, or on one of them. */
function lit([l, i, j], path = null) {
  const names = new Set([edgeName(l, i, j), unitName(l, i), unitName(l + 1, j)]);
  if (path) {
    for (const { edge, unit } of path.factors) {
      if (edge) names.add(edgeName(...edge)).add(unitName(edge[0], edge[1]));
      if (unit) names.add(unitName(...unit));
    }
    return names;
  }
  let reached = [j];
  for (let m = l; m <= last; m++) {
    const above = [...Array(sizes[m + 1]).keys()];
    if (m > l) {
      for (const q of reached) for (const k of above) names.add(edgeName(m, q, k));
      reached = above;
    }
    if (layers[m].joins) reached = above;
    for (const k of reached) names.add(unitName(m + 1, k));
  }
  return names;
}
const edgeName = (l, i, j) => `W[${l}][${i}, ${j}]`;
const unitName = (m, j) => `a[${m}][${j}]`;

// The sums of a unit, with the numbers in them.

/** [what, formula with numbers] of a unit as far as it is known: a list of equations. */
function unitEquations([m, j]) {
  const found = [];
  if (knowsA(m)) found.push(...(m ? forwardOf(m - 1, j) : inputOf(j)));
  if (m > last && phase().name !== "input" && state.phase > last) found.push(...targetOf(j));
  if (m ? knowsDelta(m - 1) : knowsDelta(0)) found.push(...(m ? backwardOf(m - 1, j) : inputBack(j)));
  if (isUpdate()) found.push(...updateOf(m, j));
  return found;
}

function inputOf(i) {
  const x = shown(a(0)[i]), at = `a[0][${i}]`;
  if (!data.scale) return [[`${at} = X[${state.row}, ${i}]`, x]];
  return [[`${at} = X[${state.row}, ${i}] · scale[${i}]`,
    `${product(data.X[state.row][i], data.scale[0][i])} = ${x}`]];
}

function forwardOf(l, j) {
  const layer = layers[l], s = state.row, f = layer.activation, [z, out] = [layer.z[s][j], layer.a[s][j]];
  const terms = a(l).map((x, i) => product(x, layer.W[0][i][j]));
  const sum = `sum over i of a[${l}][i] · W[${l}][i, ${j}]`, b = layer.b[0][j];
  const found = [];
  if (layer.norm) {
    const inverse = layer.norm === "batch" ? layer.inverse[0][j] : layer.inverse[s][0];
    const hat = layer.hat[s][j], over = layer.norm === "batch" ? "rows" : "units";
    found.push(
      [`u[${l}][${j}] = ${sum}`, `${terms.join(" + ")} = ${shown(layer.u[s][j])}`],
      [`hat[${l}][${j}] = (u − mean of u over the ${over}) · inverse`, `${shown(hat)}, inverse ${shown(inverse)}`],
      [`z[${l}][${j}] = gain · hat + b`, `${product(layer.gain[0][j], hat)} + ${inner(b)} = ${shown(z)}`]);
  } else {
    found.push([`z[${l}][${j}] = ${sum} + b[${l}][${j}]`, `${[...terms, inner(b)].join(" + ")} = ${shown(z)}`]);
  }
  const value = layer.kept ? layer.f[s][j] : out, name = layer.kept ? "f" : "a";
  const at = layer.kept ? `f[${l}][${j}]` : `a[${l + 1}][${j}]`;
  found.push(f === "softmax"
    ? [`${at} = exp(z) / sum of exp(z) over the units`, `${f}, z ${layer.z[s].map((x) => shown(x)).join(", ")}: ${name} = ${shown(value)}`]
    : [`${at} = ${f}(z)`, `${f}(${shown(z)}) = ${shown(value)}`]);
  if (layer.kept) found.push([`a[${l + 1}][${j}] = f · kept`, `${product(value, layer.kept[s][j])} = ${shown(out)}`]);
  return found;
}

function targetOf(j) {
  const found = [[`y[${state.row}, ${j}], the target`, shown(targets()[j])]];
  if (loss.targets) found.push([`y'[${state.row}, ${j}], with the class weights`, shown([loss.targets[state.row]].flat()[j] ?? NaN)]);
  return Array.isArray(loss.targets?.[state.row]) ? found : found.slice(0, 1);
}

function backwardOf(l, j) {
  const layer = layers[l], s = state.row, delta = shown(layer.delta[s][j]), d = layer.da?.[s][j];
  const found = [];
  if (l < last) {
    const terms = back(l + 1).map((x, k) => product(layers[l + 1].W[0][j][k], x));
    found.push([`dE/da[${l + 1}][${j}] = sum over k of W[${l + 1}][${j}, k] · ${backName(l + 1)}[${l + 1}][k]`,
      `${terms.join(" + ")} = ${shown(d)}`]);
  } else {
    found.push([`dE/da[${l + 1}][${j}], by the loss`, shown(d)]);
  }
  const at = `delta[${l}][${j}]`;
  if (l === last && loss.takes_z) {
    const formula = layer.backward.find((line) => line.startsWith(`delta[${l}] = (`)) ?? `delta[${l}]`;
    found.push([formula, `a = ${shown(layer.a[s][j])}, y = ${shown(targets()[j])}, n = ${data.rows}: ${delta}`]);
  } else if (layer.activation === "softmax") {
    const terms = layer.slope[s][j].map((slope, q) => product(layer.da[s][q], slope));
    found.push([`${at} = sum over q of dE/da[${l + 1}][q] · da[${l + 1}][q]/dz[${l}][${j}]`, `${terms.join(" + ")} = ${delta}`]);
  } else {
    const factors = [d, layer.derivative[s][j], ...(layer.kept ? [layer.kept[s][j]] : [])];
    found.push([`${at} = dE/da · ${layer.activation}'(z)${layer.kept ? " · kept" : ""}`, `${product(...factors)} = ${delta}`]);
  }
  if (layer.norm) {
    found.push([`du[${l}][${j}] = (dhat − mean(dhat) − hat mean(dhat hat)) · inverse, dhat = delta · gain`,
      `dhat = ${product(layer.delta[s][j], layer.gain[0][j])}: du = ${shown(layer.du[s][j])}`]);
  }
  found.push(overRows(`db[${l}][${j}]`, (row) => layer.delta[row][j], `delta[${l}][${j}]`, layer.db[j]));
  if (layer.norm) {
    found.push(overRows(`dgain[${l}][${j}]`, (row) => layer.delta[row][j] * layer.hat[row][j], "delta · hat", layer.dgain[j]));
  }
  return found;
}

function inputBack(i) {
  const terms = back(0).map((x, k) => product(layers[0].W[0][i][k], x));
  const found = [[`dE/da[0][${i}] = sum over k of W[0][${i}, k] · ${backName(0)}[0][k]`, `${terms.join(" + ")} = ${shown(da(0)[i])}`]];
  if (data.scale) {
    found.push([`dE/dX[${state.row}, ${i}] = dE/da[0] · scale`, `${product(da(0)[i], data.scale[0][i])} = ${shown(data.dX[state.row][i])}`],
      overRows(`dE/dscale[${i}]`, (row) => da(0, row)[i] * data.X[row][i], "dE/da[0] · X", data.dscale[i]));
  }
  return found;
}

/** A sum over the rows of the mini-batch, with the term of each row if they are few. */
function overRows(name, term, symbol, value) {
  const rows = [...Array(data.rows).keys()];
  const terms = rows.length <= 8 ? rows.map((row) => inner(term(row))).join(" + ") : `${rows.length} terms`;
  return [`${name} = sum over the rows of ${symbol}`, `${terms} = ${shown(value)}`];
}

function updateOf(m, j) {
  const pair = (name, [before, after]) =>
    [`${name}, before → after`, `${shown(before[j])} → ${shown(after[j])}, change ${shown(after[j] - before[j])}`];
  if (m === 0) return data.scale ? [pair(`scale[${j}]`, data.scale)] : [];
  const { b, gain, state: kept } = layers[m - 1], l = m - 1;
  return [...Object.entries(kept).map(([name, of]) => pair(`${name} of b[${l}][${j}]`, of.b)),
    ...(gain ? [pair(`gain[${l}][${j}]`, gain)] : []), pair(`b[${l}][${j}]`, b)];
}

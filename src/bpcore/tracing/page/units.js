// The sums of a unit with the numbers in them: lists of [formula, numbers].

function unitEquations([m, j]) {
  const found = knowsA(m) ? (m ? forwardOf(m - 1, j) : inputOf(j)) : [];
  if (m > last && knowsLoss()) found.push([`y[${state.row}, ${j}]`, shown(targets()[j])]);
  if (knowsDelta(Math.max(m - 1, 0))) found.push(...(m ? backwardOf(m - 1, j) : inputBack(j)));
  return found;
}

function inputOf(i) {
  const x = a(0)[i], X = `X[${state.row}, ${i}]`;
  if (!data.scale) return [[`a[0][${i}] = ${X}`, shown(x)]];
  const factors = product(data.X[state.row][i], data.scale[0][i]);
  return [[`a[0][${i}] = ${X} · scale[${i}]`, sum([factors], x)]];
}

function forwardOf(l, j) {
  const layer = layers[l], s = state.row, at = `[${l}][${j}]`, f = layer.activation;
  const terms = a(l).map((x, i) => product(x, layer.W[0][i][j]));
  const products = `sum of a[${l}][i] · W[${l}][i, ${j}]`;
  const b = layer.b[0][j], z = layer.z[s][j], found = [];
  if (layer.norm) {
    const [over, inverse] = layer.norm === "batch" ? ["rows", layer.inverse[0][j]]
      : ["units", layer.inverse[s][0]];
    const hat = layer.hat[s][j];
    found.push([`u${at} = ${products}`, sum(terms, layer.u[s][j])],
      [`hat${at} = (u − mean of u over the ${over}) · inverse`,
        `inverse = ${shown(inverse)}: hat = ${shown(hat)}`],
      [`z${at} = gain · hat + b`, sum([product(layer.gain[0][j], hat), inner(b)], z)]);
  } else {
    found.push([`z${at} = ${products} + b${at}`, sum([...terms, inner(b)], z)]);
  }
  const out = `a[${l + 1}][${j}]`, name = layer.kept ? `f${at}` : out;
  const value = (layer.f ?? layer.a)[s][j];
  found.push(f === "softmax"
    ? [`${name} = exp(z${at}) / sum of exp(z[${l}][k])`,
      `z[${l}] = ${layer.z[s].map((x) => shown(x)).join(", ")}: ${name} = ${shown(value)}`]
    : [`${name} = ${f}(z${at})`, `${f}(${shown(z)}) = ${shown(value)}`]);
  if (layer.kept) {
    found.push([`${out} = f · kept`, sum([product(value, layer.kept[s][j])], layer.a[s][j])]);
  }
  return found;
}

function backwardOf(l, j) {
  const layer = layers[l], s = state.row, delta = layer.delta[s][j];
  const at = `delta[${l}][${j}]`, above = da(l + 1);
  const found = [l < last ? derivativeOf(l + 1, j)
    : [`dE/da[${l + 1}][${j}], by the loss`, shown(above[j])]];
  if (l === last && loss.takes_z) {
    const formula = layer.backward.find((line) => line.startsWith(`delta[${l}] = (`));
    const used = { a: a(l + 1)[j], y: targets()[j], ...weightsOf(j), n: data.rows };
    const numbers = Object.entries(used).map(([name, x]) => `${name} = ${shown(x)}`).join(", ");
    found.push([formula, `${numbers}: ${at} = ${shown(delta)}`]);
  } else if (layer.activation === "softmax") {
    found.push([`${at} = sum of dE/da[${l + 1}][q] · da[${l + 1}][q]/dz`,
      sum(layer.slope[s][j].map((slope, q) => product(above[q], slope)), delta)]);
  } else {
    const factors = [above[j], layer.derivative[s][j], layer.kept?.[s][j]];
    found.push([`${at} = dE/da · ${layer.activation}'(z)${layer.kept ? " · kept" : ""}`,
      sum([product(...factors.filter((x) => x !== undefined))], delta)]);
  }
  if (layer.norm) {
    const term = (row) => layer.delta[row][j] * layer.hat[row][j];
    found.push(["dhat = delta · gain", sum([product(delta, layer.gain[0][j])],
      delta * layer.gain[0][j])],
    [`du[${l}][${j}] = (dhat − mean(dhat) − hat mean(dhat hat)) · inverse`,
      shown(layer.du[s][j])],
    overRows(`dgain[${l}][${j}]`, "delta · hat", term, layer.dgain[j]));
  }
  return [...found, overRows(`db[${l}][${j}]`, at, (row) => layer.delta[row][j], layer.db[j])];
}

/** y' and the weight of an output in the loss, where it has them. */
function weightsOf(j) {
  const of = (name, list) => list && { [name]: [list[state.row]].flat()[j] ?? list[state.row] };
  return { ...(Array.isArray(loss.targets?.[0]) && of("y'", loss.targets)),
    ...of(loss.factor, loss.weights) };
}

/** dE/da[m][j], m < L: what comes back through the weights. */
function derivativeOf(m, j) {
  return [`dE/da[${m}][${j}] = sum of W[${m}][${j}, k] · ${backName(m)}[k]`,
    sum(back(m).map((x, k) => product(layers[m].W[0][j][k], x)), da(m)[j])];
}

function inputBack(i) {
  if (!data.scale) return [derivativeOf(0, i)];
  const { scale, X, dX, dscale } = data, s = state.row;
  return [derivativeOf(0, i), [`dE/dX[${s}, ${i}] = dE/da[0] · scale`,
    sum([product(da(0)[i], scale[0][i])], dX[s][i])],
  overRows(`dscale[${i}]`, "dE/da[0] · X", (row) => da(0, row)[i] * X[row][i], dscale[i])];
}

/** A sum over the rows of the mini-batch, with the term of each row if they are few. */
function overRows(name, symbol, term, value) {
  const n = data.rows, terms = loss.rows.map((_, row) => inner(term(row)));
  return [`${name} = sum over the rows of ${symbol}`, sum(n > 8 ? [`${n} terms`] : terms, value)];
}

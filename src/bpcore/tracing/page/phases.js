// The phases of a step, and what is known in each.

const phases = [
  { name: "input" },
  ...layers.map((_, l) => ({ name: "forward", l })),
  { name: "loss" },
  ...layers.map((_, l) => ({ name: "backward", l: last - l })),
  { name: "update" },
];
/** What a reader has chosen: units {unit: [m, j]}, weights {weight: [l, i, j]}. */
const state = { phase: 0, row: firstRow(), chosen: null, pointed: null, path: null };
/** The first row with an input that is not 0, in which something happens; else row 0. */
function firstRow() {
  return Math.max(data.a.findIndex((row) => row.some((x) => x !== 0)), 0);
}

const phase = () => phases[state.phase];
const isUpdate = () => phase().name === "update";
const knowsA = (m) => state.phase >= m;
const knowsLoss = () => state.phase >= last + 2;
const knowsDelta = (l) => state.phase >= 2 * last + 3 - l;

/** a[m] and dE/da[m] of a row. */
const a = (m, s = state.row) => (m ? layers[m - 1] : data).a[s];
const da = (m, s = state.row) => (m ? layers[m - 1] : data).da[s];
/** What dW[l] and dE/da[l] come from: delta, or du of a normalised layer. */
const back = (l, s = state.row) => (layers[l].du ?? layers[l].delta)[s];
const backName = (l) => `${layers[l].du ? "du" : "delta"}[${l}]`;
/** The row's own loss as it is in E, with its weight in front if it has one. */
const ownLoss = (i) => {
  const within = !loss.weights || Array.isArray(loss.weights[state.row]);
  return `${within ? "" : `${loss.factor} `}E_${i}`;
};
/** The targets of the row, one for each output. */
function targets() {
  const y = loss.y[state.row];
  return Array.isArray(y) ? y : a(last + 1).map((_, j) => Number(j === y));
}
const change = (l) => layers[l].dW.map((row, i) =>
  row.map((_, j) => layers[l].W[1][i][j] - layers[l].W[0][i][j]));

function title() {
  const { name, l } = phase();
  if (name === "loss") return `Loss, ${loss.name}: E = ${shown(loss.E)}`;
  if (l === undefined) return name === "input" ? "Input" : "Update: new weights";
  return `${name === "forward" ? "Forward" : "Backward"}, layer ${l}: ${layers[l].activation}`;
}
function equations() {
  const { name, l } = phase();
  if (name === "input") return data.input;
  if (name === "loss") return loss.equations;
  return name === "update" ? [data.optimizer, ...data.update] : layers[l][name];
}

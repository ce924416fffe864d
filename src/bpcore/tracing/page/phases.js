// The phases of a step, and what is known in each.

const phases = [
  { name: "input" },
  ...layers.map((_, l) => ({ name: "forward", l })),
  { name: "loss" },
  ...layers.map((_, l) => ({ name: "backward", l: last - l })),
  { name: "update" },
];

/** All that a reader may choose. */
const state = { phase: 0, row: 0, chosen: null, pointed: null, path: null };

const phase = () => phases[state.phase];
const knowsA = (m) => state.phase >= m;
const knowsLoss = () => state.phase > last + 1;
const knowsDelta = (l) => state.phase >= 2 * last + 3 - l;
const isUpdate = () => phase().name === "update";

/** a[m] of the chosen row, or of another. */
const a = (m, s = state.row) => (m ? layers[m - 1].a : data.a)[s];
/** dE/da[m]. */
const da = (m, s = state.row) => (m ? layers[m - 1].da : data.da)[s];
/** dE by the product a[l] @ W[l]: delta, or du of a normalised layer. */
const back = (l, s = state.row) => (layers[l].du ?? layers[l].delta)[s];
const backName = (l) => (layers[l].du ? "du" : "delta");
/** The targets of a row, one for each output. */
function targets(s = state.row) {
  const y = loss.y[s];
  return Array.isArray(y) ? y : Array.from({ length: sizes.at(-1) }, (_, j) => +(j === y));
}

function phaseTitle() {
  const { name, l } = phase();
  if (name === "input") return "Input";
  if (name === "loss") return `Loss: ${loss.name}`;
  if (name === "update") return "Update";
  const way = name === "forward" ? "Forward" : "Backward";
  return `${way}, layer ${l}: ${layers[l].activation}`;
}

function phaseEquations() {
  const { name, l } = phase();
  if (name === "input") return data.input;
  if (name === "loss") return loss.equations;
  if (name === "update") return [data.optimizer, `${data.rate[0]} ${shown(data.rate[1])}`, ...data.update];
  return layers[l][name];
}

/** One sentence on the numbers of the phase, for a reader who hears the page. */
function phaseSentence() {
  const { name, l } = phase();
  const list = (numbers) => numbers.map((x) => shown(x)).join(", ");
  if (name === "input") return `a[0] of row ${state.row}: ${list(a(0))}`;
  if (name === "forward") return `a[${l + 1}] of row ${state.row}: ${list(a(l + 1))}`;
  if (name === "loss") return `E = ${shown(loss.E)}, of row ${state.row} ${shown(loss.rows[state.row])}`;
  if (name === "backward") return `delta[${l}] of row ${state.row}: ${list(layers[l].delta[state.row])}`;
  return "each weight before and after the step";
}

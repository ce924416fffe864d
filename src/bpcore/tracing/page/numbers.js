// Numbers as text and as colours; elements of the page.

const NOT_FINITE = ["Infinity", "-Infinity", "NaN"];
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent, (_, value) =>
  NOT_FINITE.includes(value) ? Number(value) : value);
const { layers, loss, sizes } = data;
const last = layers.length - 1;
/** Whether nothing can be pointed at without being touched. */
const TOUCH = matchMedia("(hover: none)").matches;

/** A number with four significant digits, or as many as given. */
function shown(x, digits = 4) {
  const size = Math.abs(x), rounded = Number(x.toPrecision(digits));
  const short = x !== 0 && (size < 1e-3 || size >= 1e5) && size < Infinity;
  const text = short ? rounded.toExponential() : String(rounded);
  return text.replace("+", "").replaceAll("-", "−");
}
const brief = (x) => shown(x, Math.abs(x) < 0.1 ? 2 : 3);
/** A factor or term after another: in brackets if it is below 0. */
const inner = (x) => (x < 0 ? `(${shown(x)})` : shown(x));
const product = (...factors) => factors.map(inner).join(" · ");
const sum = (terms, value) => `${terms.join(" + ")} = ${shown(value)}`;
/** The largest size of the numbers in nested lists; 1 if all are 0. */
const largest = (numbers) =>
  Math.max(...numbers.flat().map((x) => Math.abs(x) || 0)) || 1;

/** [red, green, blue] of a number as a share of the largest, by data.stops. */
function mixed(share) {
  const at = 2 * (Math.min(Math.max(share || 0, -1), 1) + 1);
  const low = Math.min(Math.floor(at), 3), [from, to] = data.stops.slice(low, low + 2);
  return from.map((part, k) => Math.round(part + (at - low) * (to[k] - part)));
}
const colour = (share) => `rgb(${mixed(share)})`;
/** Black or white, whichever is read better on that colour. */
function inkOn(share) {
  const [red, green, blue] = mixed(share).map((part) => (part / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#000" : "#fff";
}

/** An element with attributes and children; text stays text, never markup. */
const element = (name, attributes, ...children) =>
  filled(document.createElement(name), attributes, children);
const drawn = (name, attributes, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
function filled(made, attributes, children) {
  set(made, attributes);
  made.append(...children);
  return made;
}
function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
}

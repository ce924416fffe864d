// Numbers as text and as colours; parts of the page.

const NOT_FINITE = ["Infinity", "-Infinity", "NaN"];
const data = JSON.parse(document.getElementById("data").textContent, (_, value) =>
  NOT_FINITE.includes(value) ? Number(value) : value);
const { layers, loss, sizes } = data;
const last = layers.length - 1;

/** Four significant digits, or as many as given. */
function shown(x, digits = 4) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  const text = x !== 0 && (size < 1e-3 || size >= 1e5)
    ? x.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e")
    : String(Number(x.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

/** A factor or a term after another: in brackets if it is below 0. */
const inner = (x) => (x < 0 ? `(${shown(x)})` : shown(x));
const product = (...factors) => factors.map(inner).join(" · ");
const total = (numbers) => numbers.reduce((sum, x) => sum + x, 0);
/** The largest size of the numbers in nested lists; 1 if all are 0. */
const largest = (numbers) =>
  numbers.flat(2).reduce((most, x) => Math.max(most, Math.abs(x) || 0), 0) || 1;

/** [red, green, blue] of a number as a share of the largest, by data.stops. */
function mixed(share) {
  const at = 2 * (Math.min(Math.max(share || 0, -1), 1) + 1);
  const low = Math.min(Math.floor(at), 3);
  return data.stops[low].map((part, k) =>
    Math.round(part + (at - low) * (data.stops[low + 1][k] - part)));
}
const colour = (share) => `rgb(${mixed(share)})`;
/** Black or white, whichever is read better on that colour. */
function onColour(share) {
  const [red, green, blue] = mixed(share).map((part) => (part / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#000" : "#fff";
}

/** An element with attributes and children; texts become text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  set(made, attributes);
  made.append(...children);
  return made;
}
function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(made, attributes);
  made.append(...children);
  return made;
}
function set(of, attributes) {
  for (const [name, value] of Object.entries(attributes)) of.setAttribute(name, value);
}
const byId = (id) => document.getElementById(id);

// Buttons, keys, and the choice of unit, weight and row.

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function show() {
  byId("phase").textContent = title();
  byId("place").textContent = `${state.phase + 1} of ${phases.length}`;
  byId("equations").replaceChildren(...equations().map((line) => element("li", {}, line)));
  for (const id of ["first", "back"]) set(byId(id), { "aria-disabled": state.phase === 0 });
  for (const id of ["next", "last"]) set(byId(id), { "aria-disabled": isUpdate() });
  paint();
  byId("numbers").replaceChildren(...numbersSection());
  showChosen();
}
function showChosen() {
  byId("chosen").replaceChildren(...chosenSection());
}

const go = (to) => {
  state.phase = Math.min(Math.max(to, 0), phases.length - 1);
  show();
};
function choose(item) {
  state.chosen = same(item, state.chosen) ? null : item;
  state.path = null;
  byId("said").textContent = state.chosen?.weight ? derivative(state.chosen.weight) : "";
  paintLight();
  showChosen();
}
function point(item) {
  state.pointed = item;
  showChosen();
}

/** Makes an element of the drawing a button that can be pointed at and chosen. */
function choosable(group, item) {
  set(group, { role: "button", tabindex: -1 });
  const on = (event, to) => group.addEventListener(event, () => point(to));
  for (const event of ["pointerenter", "focus"]) on(event, item);
  for (const event of ["pointerleave", "blur"]) on(event, null);
  group.addEventListener("click", () => choose(item));
  return group;
}
/** Gives a unit or weight the focus, and the tab stop of its group. */
function focusOn(item) {
  for (const one of item.parentNode.children) set(one, { tabindex: -1 });
  set(item, { tabindex: 0 });
  item.focus();
}
function move(group, by) {
  const all = [...group.parentNode.children];
  focusOn(all.at((all.indexOf(group) + by) % all.length));
}

const buttons = {
  first: ["Home", () => go(0)],
  back: ["ArrowLeft", () => go(state.phase - 1)],
  next: ["ArrowRight", () => go(state.phase + 1)],
  last: ["End", () => go(phases.length)],
};
for (const [id, [key, action]] of Object.entries(buttons)) {
  byId(id).addEventListener("click", action);
  set(byId(id), { "aria-keyshortcuts": key });
}
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || target.matches("select")) return;
  const keys = { ...Object.fromEntries(Object.values(buttons)), Escape: () => choose(null) };
  const group = target.closest(".unit, .edge");
  if (group) {
    keys.ArrowUp = () => move(group, -1);
    keys.ArrowDown = () => move(group, 1);
    keys.Enter = keys[" "] = () => group.dispatchEvent(new Event("click"));
  }
  if (!keys[key]) return;
  event.preventDefault();
  keys[key]();
});

byId("network").textContent =
  `Step ${data.step} of ${data.network}, ${data.rows} row${data.rows > 1 ? "s" : ""}`;
byId("row").append(...loss.rows.map((_, s) => element("option", { value: s }, s)));
byId("row").value = state.row;
byId("row").addEventListener("change", () => {
  state.row = Number(byId("row").value);
  show();
});
byId("legend").append(element("span", { id: "swatch" }), element("span", { id: "words" }));
const gradient = [-1, -0.5, 0, 0.5, 1].map(colour);
byId("swatch").style.background = `linear-gradient(90deg, ${gradient})`;
let width;
function fit() {
  if (byId("drawing").clientWidth === width) return;
  width = byId("drawing").clientWidth;
  const focused = document.activeElement.dataset.name;
  draw();
  show();
  const again = [...drawing.units, ...drawing.edges].find(({ name }) => name === focused);
  if (again) focusOn(again.group);
}
fit();
new ResizeObserver(fit).observe(byId("drawing"));

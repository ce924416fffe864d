// Buttons, keys, and the choice of unit, weight and row.

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function show() {
  byId("phase").textContent = `${phaseTitle()}. `;
  byId("phase").append(element("span", { class: "heard" }, phaseSentence()));
  byId("place").textContent = `${state.phase + 1} of ${phases.length}`;
  byId("equations").replaceChildren(...phaseEquations().map((line) => element("li", {}, line)));
  for (const [id, off] of [["first", state.phase === 0], ["back", state.phase === 0],
    ["next", state.phase === phases.length - 1], ["last", state.phase === phases.length - 1]]) {
    set(byId(id), { "aria-disabled": off });
  }
  paint();
  showChosen();
  byId("numbers").replaceChildren(...numbersSection());
}
function showChosen() {
  byId("chosen").replaceChildren(...chosenSection());
}

function go(to) {
  state.phase = Math.min(Math.max(to, 0), phases.length - 1);
  show();
}
function choose(item) {
  state.chosen = same(item, state.chosen) ? null : item;
  state.path = null;
  paintLight();
  showChosen();
}
function point(item) {
  state.pointed = item;
  showChosen();
}

/** Pointing, focus, click and Enter on a unit or weight. */
function choosable(group, item) {
  for (const event of ["pointerenter", "focus"]) group.addEventListener(event, () => point(item));
  for (const event of ["pointerleave", "blur"]) group.addEventListener(event, () => point(null));
  group.addEventListener("click", () => choose(item));
}

/** The next unit or weight gets the focus, and the tab stop of its group. */
function move(group, by) {
  const all = [...group.parentNode.children];
  const to = all[(all.indexOf(group) + by + all.length) % all.length];
  set(group, { tabindex: -1 });
  set(to, { tabindex: 0 });
  to.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select")) return;
  const group = event.target.closest("#units > g, #weights > g");
  const actions = {
    ArrowLeft: () => go(state.phase - 1),
    ArrowRight: () => go(state.phase + 1),
    Home: () => go(0),
    End: () => go(phases.length),
    Escape: () => choose(state.chosen),
    ...(group && {
      ArrowUp: () => move(group, -1),
      ArrowDown: () => move(group, 1),
      Enter: () => group.dispatchEvent(new Event("click")),
      " ": () => group.dispatchEvent(new Event("click")),
    }),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

byId("network").textContent = `Step ${data.step} of ${data.network}, ${data.rows} row${data.rows > 1 ? "s" : ""}`;
byId("row").append(...loss.rows.map((_, s) => element("option", { value: s }, `${s}`)));
byId("row").addEventListener("change", () => {
  state.row = Number(byId("row").value);
  show();
});
byId("first").addEventListener("click", () => go(0));
byId("back").addEventListener("click", () => go(state.phase - 1));
byId("next").addEventListener("click", () => go(state.phase + 1));
byId("last").addEventListener("click", () => go(phases.length));
let width = 0;
new ResizeObserver(([{ contentRect }]) => {
  if (contentRect.width === width) return;
  width = contentRect.width;
  draw();
  show();
}).observe(byId("drawing"));

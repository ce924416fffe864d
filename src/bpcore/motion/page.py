"""A page in HTML that shows pictures one after the other, complete in itself."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from bpcore.show.html import embedded

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 12px; font: 15px/1.4 system-ui, sans-serif;
       background: Canvas; color: CanvasText; }
main { max-width: 640px; margin: auto; }
img { display: block; width: 100%; background: white; border-radius: 6px; }
div { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-top: 10px; }
button { font: inherit; min-width: 2.6em; padding: 4px 8px; cursor: pointer; }
input { flex: 1 1 160px; min-width: 100px; }
output { min-width: 11em; text-align: right; font-variant-numeric: tabular-nums; }
"""

SCRIPT = """
const [back, play, next] = document.querySelectorAll("button");
const image = document.querySelector("img");
const slider = document.querySelector("input");
const output = document.querySelector("output");
let at = 0, timer = null;
function show(k) {
  at = Math.min(Math.max(k, 0), images.length - 1);
  image.src = "data:image/png;base64," + images[at];
  image.alt = about + ", " + labels[at];
  slider.value = at;
  slider.setAttribute("aria-valuetext", labels[at]);
  output.textContent = labels[at];
}
function stop() {
  clearInterval(timer);
  timer = null;
  play.textContent = "Play";
}
function run() {
  if (timer) return stop();
  if (at === images.length - 1) show(0);
  play.textContent = "Pause";
  timer = setInterval(() => {
    if (at === images.length - 1) stop(); else show(at + 1);
  }, 1000 / fps);
}
function step(by) { stop(); show(at + by); }
back.onclick = () => step(-1);
next.onclick = () => step(1);
play.onclick = run;
slider.oninput = () => { stop(); show(+slider.value); };
document.onkeydown = (event) => {
  if (event.target !== slider && event.key === "ArrowLeft") step(-1);
  if (event.target !== slider && event.key === "ArrowRight") step(1);
  if (event.target === document.body && event.key === " ") {
    event.preventDefault();
    run();
  }
};
show(0);
"""


def page(
    title: str, pictures: Sequence[bytes], labels: Sequence[str], fps: float
) -> str:
    """The page of pictures in PNG, each with a label."""
    data = {
        "images": [base64.b64encode(picture).decode() for picture in pictures],
        "labels": list(labels),
        "about": title,
        "fps": fps,
    }
    values = "\n".join(
        f"const {name} = {embedded(value)};" for name, value in data.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<img alt="">
<div>
<button aria-label="One frame back">&#9664;</button>
<button>Play</button>
<button aria-label="One frame on">&#9654;</button>
<input type="range" min="0" max="{len(pictures) - 1}" value="0" aria-label="Frame">
<output></output>
</div>
</main>
<script>
{values}{SCRIPT}</script>
</body>
</html>
"""

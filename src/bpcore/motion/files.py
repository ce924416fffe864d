"""The frames of an animation as a GIF or as a page in HTML."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.motion.page import page
from bpcore.motion.picture import pictures
from bpcore.motion.scene import Frame, Scene
from bpcore.quoting import quoted

#: Suffixes of the files.
SUFFIXES = (".gif", ".html")
#: Colours of all frames, besides greys.
COLOURS = 232
#: Milliseconds for which a GIF shows its last frame.
LAST = 2000


def suffix_of(path: Any) -> str:
    """The suffix of a path, ".gif" or ".html"."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a path; got {quoted(path)}")
    suffix = os.path.splitext(os.fsdecode(path))[1].lower()
    return checks.one_of("the suffix of path", suffix, SUFFIXES)


def gif(scene: Scene, frames: Sequence[Frame], fps: float) -> bytes:
    """The frames as a GIF that begins anew after the last."""
    first, *others = images(scene, frames)
    durations = [round(1000 / fps)] * len(others) + [LAST]
    file = io.BytesIO()
    first.save(
        file, "GIF", save_all=True, append_images=others, duration=durations, loop=0
    )
    return file.getvalue()


def html_page(scene: Scene, frames: Sequence[Frame], fps: float) -> str:
    """The frames as a page with buttons and a slider."""
    encoded = []
    for image in images(scene, frames):
        file = io.BytesIO()
        image.save(file, "PNG", optimize=True)
        encoded.append(file.getvalue())
    labels = [f"{frame.label}, E = {frame.loss:#.4g}" for frame in frames]
    title = "A decision boundary" if scene.is_plane else "A fit"
    return page(f"{title} while the network trains", encoded, labels, fps)


def images(scene: Scene, frames: Sequence[Frame]) -> list[Any]:
    """The frames as images of Pillow's, with one palette of 256 colours."""
    from PIL import Image

    some = [*pictures(scene, frames, max(1, (len(frames) - 1) // 3))]
    pixels = np.vstack(some).reshape(-1, 3)
    # Each colour once, or the palette would lack those of few pixels, as of the data.
    _, at = np.unique((pixels >> 3) @ [1, 1 << 5, 1 << 10], return_index=True)
    palette = Image.fromarray(pixels[at][None]).quantize(COLOURS)
    colours = np.array(palette.getpalette()).reshape(-1, 3)[:COLOURS]
    greys = np.linspace(0, 255, 256 - len(colours)).round().astype(int)
    colours = np.vstack([colours, np.repeat(greys, 3).reshape(-1, 3)])
    colours[colours.min(axis=1) > 248] = 255  # the background stays white
    palette.putpalette(colours.ravel().tolist())
    return [
        Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in pictures(scene, frames)
    ]

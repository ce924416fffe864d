"""A decision boundary or a fit in motion while a network trains, ``bpcore.animate``.

::

    movie               animate: train a network and write the file
    animation           Animation: the callback that records the frames
    files               the frames as a GIF or as a page
      page                a page in HTML that shows them
    picture             a frame as a picture
      scene               the data, and the outputs that are drawn

Each file imports only from those below it and from those indented under it.
"""

from bpcore.motion.animation import Animation
from bpcore.motion.movie import animate

__all__ = ["Animation", "animate"]

"""The error over two parameters or two directions, ``bpcore.loss_surface``.

::

    grid                loss_surface: E on a grid, and the paths of optimizers
    surface             LossSurface: the result, to be plotted
      picture             contours and paths
    paths               training steps of an optimizer, as points of the plane
    error               E of all data, for any parameters
    plane               the plane: parameters of a point, point of parameters

Each file imports only from those below it and from those indented under it.
"""

from bpcore.landscape.grid import loss_surface
from bpcore.landscape.paths import OptimizerPath
from bpcore.landscape.surface import LossSurface

__all__ = ["LossSurface", "OptimizerPath", "loss_surface"]

"""Pictures drawn with Pillow, in milliseconds: sheets and grids of images, and confusion matrices.

Each is a tensor, uint8 [3, H, W], which TensorBoard shows, `as_png` makes a file, and the page of a run contains.
"""

from litlab.figures.confusion import confusion_matrix
from litlab.figures.grid import grid
from litlab.figures.pixels import as_png, as_uint8, scaled, shrunk, viewable
from litlab.figures.sheet import Marks, Picture, enlarged, sheet
from litlab.figures.text import letters_of

__all__ = [
    "Marks",
    "Picture",
    "as_png",
    "as_uint8",
    "confusion_matrix",
    "enlarged",
    "grid",
    "letters_of",
    "scaled",
    "sheet",
    "shrunk",
    "viewable",
]

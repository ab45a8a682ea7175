"""A figure on which everything has its place in inches, and the colours of the page."""

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that those who cannot tell red from green can tell apart (Okabe and Ito 2008).
TRAIN, VAL, RIGHT, WRONG = "#0072B2", "#D55E00", "#009E73", "#D55E00"
INK, GREY = "#1a1a1a", "#666666"
WIDTH, HEIGHT, MARGIN = 12.8, 7.2, 0.45  # inches
DPI = 100  # a page is 1280 x 720 pixels
LINE = 0.205  # inches, of text
TITLE: dict[str, Any] = {"fontsize": 11, "fontweight": "bold", "color": INK, "pad": 6}  # of a part of the page


class Canvas:
    """A figure on which places are inches from the upper left corner. matplotlib is imported when one is made."""

    def __init__(self, height: float) -> None:
        from matplotlib.figure import Figure

        self.height = height
        self.figure: Figure = Figure(figsize=(WIDTH, height), dpi=DPI)

    def axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        """An empty plot."""
        place = (left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height)
        return self.figure.add_axes(place)

    def text(self, left: float, top: float, text: str, size: float = 9.5, **style: Any) -> None:
        """Text of `size` points, with its upper left corner there."""
        style = {"va": "top", "color": INK, "parse_math": False} | style
        self.figure.text(left / WIDTH, 1 - top / self.height, text, fontsize=size, **style)  # type: ignore[arg-type]

    def heading(self, left: float, top: float, text: str) -> None:
        """The title of a part of the page."""
        self.text(left, top, text, TITLE["fontsize"], weight="bold")

    def pixels(self, left: float, top: float, pixels: Tensor) -> None:
        """A picture uint8 [3, H, W], pixel for pixel, with its upper left corner there."""
        below = int(self.height * DPI) - round(top * DPI) - pixels.shape[1]
        self.figure.figimage(pixels.permute(1, 2, 0).numpy(), round(left * DPI), below)


def without_frame(axes: "Axes") -> None:
    """Leaves a plot only the lines on the left and below, in grey."""
    axes.tick_params(labelsize=8.5, color=GREY, labelcolor=GREY, length=2.5)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#b0b6bd")


def legend_above(axes: "Axes") -> None:
    """Adds a legend in one row above the right end of a plot, where it covers nothing."""
    axes.legend(fontsize=8.5, loc="lower right", bbox_to_anchor=(1.01, 1), ncols=4, frameon=False, borderpad=0,
                borderaxespad=0.3, columnspacing=0.9, handlelength=1.0, handletextpad=0.4)  # fmt: skip

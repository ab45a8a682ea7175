"""What a network says of one picture, for the page of `demo=true`."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from litlab.checkpoint import Trained
from litlab.figures import Marks, Picture, enlarged
from litlab.prediction.explain import explained
from litlab.prediction.files import PictureFiles
from litlab.prediction.predict import results_of
from litlab.prediction.tasks import in_pixels
from litlab.prediction.write import POINTS

SIDE = 280  # pixels: the longer side of the picture as the network sees it, which is enlarged


@dataclass(frozen=True)
class PictureResult:
    """What a network says of one picture.

    Args:
        probabilities: of each class; empty if the network knows no classes.
        text: its outputs in words: the class, or the numbers.
        seen: uint8 [3, h, w], the picture as the network sees it, enlarged. Landmarks are drawn on it.
        heat: uint8 [3, h, w], the same under its heat map, if that is asked for.
        error: why the file could not be read, in one line. Nothing else is given then.
    """

    probabilities: dict[str, float]
    text: str = ""
    seen: Tensor | None = None
    heat: Tensor | None = None
    error: str = ""


def predict_picture(
    trained: Trained, file: Path, on: torch.device, invert: bool | str, explain: bool = False
) -> PictureResult:
    """The prediction for a picture file, which takes the same way to the network as a file of `input=`.

    Args:
        trained: its network stays on the device.
        file: any file.
        on: the device.
        invert: True, False or "auto", as the setting.
        explain: make a heat map too, with Grad-CAM.
    """
    loaded = PictureFiles([str(file)], trained, invert, 0)[0]
    if loaded.image is None:
        return PictureResult({}, error=loaded.error or "cannot be read")
    result = results_of(trained, loaded.image[None], on)[0]
    if (points := result.get("points")) is not None:
        result = in_pixels(result, loaded.size)
    marks = [Marks(points, POINTS, "cross")] if points is not None else []
    seen = enlarged(Picture(loaded.image, marks=marks), SIDE)
    heat = enlarged(Picture(explained(trained, loaded.image[None])[0]), SIDE) if explain else None
    return PictureResult(result["values"].get("probabilities", {}), result["columns"][0], seen, heat)

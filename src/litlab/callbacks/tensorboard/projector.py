"""TensorBoard's embedding projector: validation images as points."""

import math
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.console import warn
from litlab.figures import shrunk, viewable

FOLDER = "projector"
CONFIG = f"""\
embeddings {{
  tensor_name: "penultimate layer"
  tensor_path: "{FOLDER}/vectors.tsv"
  metadata_path: "{FOLDER}/labels.tsv"
  sprite {{
    image_path: "{FOLDER}/thumbnails.png"
    single_image_dim: %d
    single_image_dim: %d
  }}
}}
"""  # the content of `projector_config.pbtxt`; its paths are relative to the folder of this file


class Projector(Panel):
    """Validation images as points, after training. The point of an image is the input of the last dense layer.

    Writes `projector_config.pbtxt` and `projector/` into the run folder. (`SummaryWriter.add_embedding` would name the
    folder by the step, and add to the config each time.)

    Args:
        count: how many images at most.
        side: the longer side of a thumbnail, in pixels, at most.
    """

    whole_weights = True

    def __init__(self, count: int = 300, side: int = 48) -> None:
        self.count, self.side = count, side

    def applies(self, view: View) -> bool:
        has_dense_layer = any(isinstance(layer, nn.Linear) for layer in view.network.modules())
        return view.has_pictures and view.has_classes and view.data.val_set is not None and has_dense_layer

    def finish(self, view: View) -> None:
        if not view.draws:
            return
        vectors, thumbnails, targets = [], [], []
        total = min(self.count, len(view.data.val_set))
        for start in range(0, total, view.data.batch_size):
            images, labels = view.evaluation_images(range(start, min(start + view.data.batch_size, total)))
            vectors += penultimate(view, images).tolist()
            targets += labels.tolist()
            thumbnails.append(shrunk(viewable(images, view.data.mean, view.data.std), self.side))
        names = [view.data.class_names[target] for target in targets]
        try:
            for board in view.boards:
                write(board.folder, vectors, names, torch.cat(thumbnails))
        except OSError as error:
            warn(f"the embedding projector's files cannot be written: {error.strerror}")


def penultimate(view: View, images: Tensor) -> Tensor:
    """The inputs [N, D] of the last dense layer that runs, for images [N, C, H, W]."""
    inputs_of_layers: list[Tensor] = []
    layers = [layer for layer in view.network.modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_pre_hook(lambda _, inputs: inputs_of_layers.append(inputs[0])) for layer in layers]
    try:
        view.predict(images)
    finally:
        for hook in hooks:
            hook.remove()
    return inputs_of_layers[-1].detach().float().flatten(1).cpu()


def write(folder: Path, vectors: list[list[float]], names: list[str], thumbnails: Tensor) -> None:
    """Writes the files that TensorBoard's projector reads: vectors, names and thumbnails uint8 [N, C, H, W]."""
    (folder / FOLDER).mkdir(exist_ok=True)
    line = "\t".join(["%.5g"] * len(vectors[0])) + "\n"  # one format a row: twice as fast as one for each number
    (folder / FOLDER / "vectors.tsv").write_text("".join(line % tuple(vector) for vector in vectors))
    (folder / FOLDER / "labels.tsv").write_text("\n".join(name.replace("\n", " ") for name in names) + "\n", "utf-8")
    sprite(thumbnails).save(folder / FOLDER / "thumbnails.png", compress_level=1)  # see `as_png`
    (folder / "projector_config.pbtxt").write_text(CONFIG % (thumbnails.shape[3], thumbnails.shape[2]))


def sprite(images: Tensor) -> Any:
    """Images uint8 [N, C, H, W] without gaps, as many in a row as in a column."""
    count, channels, height, width = images.shape
    across = math.ceil(math.sqrt(count))
    page = images.new_zeros(across**2, channels, height, width)
    page[:count] = images
    page = page.view(across, across, channels, height, width).permute(0, 3, 1, 4, 2)
    array = page.reshape(across * height, across * width, channels).numpy()
    return Image.fromarray(array if channels == 3 else array[:, :, 0])

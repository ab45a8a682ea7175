"""The images on which an exported network is compared with the network itself."""

import torch
from torch import Tensor

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.data import Unreadable, fit, open_picture
from litlab.errors import ConfigError
from litlab.figures import as_uint8
from litlab.prediction.data import data_module
from litlab.prediction.files import find_files

COUNT = 64


def example_images(trained: Trained, run: Run) -> tuple[Tensor, str]:
    """The pictures of `input`; else test or validation images, if the data set is on this machine; else random ones.

    Returns:
        Images uint8 [B, C, H, W]; what they are, for the user.

    Raises:
        ConfigError: if a picture of `input` cannot be read, or the data set cannot be had that the user has described.
    """
    if run.cfg.input is not None:
        return _of_input(trained, run)
    try:
        return _of_data_set(trained, run)
    except Exception as error:  # of any kind: the data set is not here, or was changed
        if isinstance(error, ConfigError) and any(override.startswith("data") for override in run.overrides):
            raise
        generator = torch.Generator().manual_seed(0)
        shape = (COUNT, *trained.data.input_shape)
        pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        where = "data.data_dir=DIR or input=DIR says where pictures are"
        return pixels, f"{COUNT} random images, as {trained.data.name} is not at hand ({where})"


def _of_input(trained: Trained, run: Run) -> tuple[Tensor, str]:
    images = []
    for file in find_files(run)[:COUNT]:
        try:
            images.append(fit(open_picture(file), trained.data.input_shape, trained.data.preprocess))
        except Unreadable as error:
            raise ConfigError(f"input={file}: {error}") from None
    return torch.stack(images), f"{len(images)} pictures of input"


def _of_data_set(trained: Trained, run: Run) -> tuple[Tensor, str]:
    data, _ = data_module(trained, run)
    data.setup("test")
    found = ((split, data.evaluation_set(split)) for split in ("test", "val", "train"))
    split, images = next((split, images) for split, images in found if images is not None)
    count = min(COUNT, len(images))
    pixels, _ = images.__getitems__(list(range(count)))
    return as_uint8(pixels, data.mean, data.std), f"{count} {split} images of {data.name}"

"""Transforms of single pictures on the CPU, by their names in torchvision."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import v2

from litlab.errors import described, name_of


def build_transforms(spec: Iterable[str | Mapping[str, Any]]) -> list[Callable]:
    """The transforms that `spec` lists, in this order.

    Args:
        spec: each entry is a name in `torchvision.transforms.v2`, or a mapping with the name and arguments:
            `{name: RandomRotation, degrees: 10}`.

    Raises:
        ValueError: a name or an argument does not exist, or has a wrong value; the message begins with `transforms`.
    """
    if isinstance(spec, str | Mapping):
        raise ValueError(f"transforms must be a list, such as [RandomHorizontalFlip], not {spec!r}")
    built: list[Callable] = []
    for entry in spec:
        arguments: dict[str, Any] = dict(entry) if isinstance(entry, Mapping) else {"name": entry}
        name = arguments.pop("name", None)
        cls = getattr(v2, str(name), None)
        if not (isinstance(cls, type) and issubclass(cls, v2.Transform)):
            close = difflib.get_close_matches(str(name), dir(v2), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"transforms: torchvision.transforms.v2 has no {name!r}{hint}")
        if cls is v2.RandomErasing:  # it erases in tensors only, and returns pictures as they are
            raise ValueError("transforms RandomErasing does nothing to pictures: write augment=[cutout] instead")
        try:
            built.append(cls(**arguments))
        except (TypeError, ValueError) as error:
            raise ValueError(f"transforms {name}: {error}") from error
    return built


def try_transforms(transforms: Sequence[Callable], channels: int, size: tuple[int, int]) -> tuple[int, int]:
    """The size (width, height) that the transforms make of a picture, in pixels.

    They are tried on a black picture that is larger than `size`, to find errors before the training.

    Args:
        transforms: from a Pillow image to a Pillow image.
        channels: 1 for a grey picture, 3 for RGB.
        size: (width, height) that the picture must not have.

    Raises:
        ValueError: a transform cannot take a picture, or returns something else; the message begins with `transforms`.
    """
    picture: Any = Image.new("L" if channels == 1 else "RGB", (size[0] + 31, size[1] + 17))
    with torch.random.fork_rng(devices=[]):
        for transform in transforms:
            name = name_of(transform)
            try:
                picture = transform(picture)
            except (TypeError, ValueError, RuntimeError) as error:
                raise ValueError(f"transforms {name} cannot take a picture: {error}") from error
            if not isinstance(picture, Image.Image):
                instead = "" if picture is None else ": leave it out"
                raise ValueError(f"transforms {name} must make a picture, not {described(picture)}{instead}")
    return picture.size

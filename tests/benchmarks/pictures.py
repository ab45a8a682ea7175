"""How many pictures a CPU second decodes and resizes: litlab with each decoder and resizer, and plain functions.

    python tests/benchmarks/pictures.py [--rounds 7]

It measures the CPU time of one thread, the reading of the file included. The ways take turns, and the best round
counts, so other programs on the machine disturb little. The photographs are parts of Matplotlib's portrait of Grace
Hopper.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from litlab.data import jpeg
from litlab.data.picture_files import read_picture
from litlab.data.resize import Fit

SIZES = {"500x375 to 224": ((500, 375), 224), "256 to 224": ((256, 256), 224)}
SIZES |= {"256 to 128": ((256, 256), 128), "64 to 64": ((64, 64), 64)}
FILES = 20


def make(folder: Path, size: tuple[int, int]) -> list[Path]:
    """JPEGs of this size, quality 90."""
    photograph = Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg").convert("RGB")
    paths = []
    for number in range(FILES):
        box = (number, 2 * number, number + 490, 2 * number + 490 * size[1] // size[0])
        paths.append(folder / f"{size[0]}_{number}.jpg")
        photograph.resize(size, Image.Resampling.LANCZOS, box=box).save(paths[-1], quality=90)
    return paths


def litlab(decoder: str, resizer: str, scaled: bool):
    simplejpeg = jpeg.simplejpeg

    def read(path: Path, side: int) -> torch.Tensor:
        fit = Fit((3, side, side), {"resize": side, "resizer": resizer})
        jpeg.simplejpeg = simplejpeg if decoder == "simplejpeg" else None
        try:
            return fit(read_picture(path, fit.needed if scaled else None)[0])
        finally:
            jpeg.simplejpeg = simplejpeg

    return read


def plain(decode: Callable[[Path, int], Any]):
    """What a plain script does: decode, resize the shorter side in uint8 with antialiasing, and cut the centre."""

    def read(path: Path, side: int) -> torch.Tensor:
        pixels = torch.from_numpy(np.array(decode(path, side))).permute(2, 0, 1)
        if min(pixels.shape[1:]) != side:
            pixels = F.resize(pixels, [side], antialias=True)
        pixels = F.center_crop(pixels, [side]) if pixels.shape[1:] != (side, side) else pixels
        return pixels.contiguous()  # [C, H, W] in this order, as a batch needs it

    return read


def by_pillow(path: Path, side: int) -> Image.Image:
    return Image.open(path).convert("RGB")


def by_draft(path: Path, side: int) -> Image.Image:
    image = Image.open(path)
    image.draft("RGB", (side, side))
    return image.convert("RGB")


def by_simplejpeg(path: Path, side: int) -> Any:
    return jpeg.simplejpeg.decode_jpeg(path.read_bytes())


WAYS = {
    "plain script: Pillow, torch's resize": plain(by_pillow),
    "plain script: Pillow's draft, torch's resize": plain(by_draft),
    "plain script: simplejpeg, torch's resize": plain(by_simplejpeg),
    "Pillow, resizer=pillow (litlab 0.1)": litlab("pillow", "pillow", False),
    "Pillow, resizer=torch, evaluation": litlab("pillow", "torch", False),
    "Pillow, resizer=torch, training": litlab("pillow", "torch", True),
    "simplejpeg, resizer=torch, evaluation": litlab("simplejpeg", "torch", False),
    "simplejpeg, resizer=torch, training": litlab("simplejpeg", "torch", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    best = dict.fromkeys(((way, size) for way in WAYS for size in SIZES), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        files = {name: make(Path(folder), size) for name, (size, _) in SIZES.items()}
        for _ in range(rounds):
            for (way, name), before in best.items():
                started = time.thread_time()
                for path in files[name]:
                    WAYS[way](path, SIZES[name][1])
                best[way, name] = max(before, FILES / (time.thread_time() - started))
    print("|  |", " | ".join(SIZES), "|")
    print("|---|", "---|" * len(SIZES), sep="")
    for way in WAYS:
        print("|", way, "|", " | ".join(f"{best[way, name]:,.0f}" for name in SIZES), "|")


if __name__ == "__main__":
    main()

"""What very many pictures cost: a later start over 1.28 million files, tiny files beside torchvision, and a worker.

    python tests/benchmarks/many_pictures.py [--files 1280000] [--rounds 3]

- A later start is `setup("fit")` of `data=image_folder`, in a process of its own: it lists 1,000 class folders, looks
  up each file in the index, and draws the split. The files are empty, and the index is made up: nothing is decoded.
- Tiny files are 5,000 JPEGs and 5,000 PNGs of 32 x 32 pixels. litlab's loader and torchvision's `ImageFolder` in a
  DataLoader read the same files into batches of 64, in one process and in turn. The medians of the rounds count.
- A worker's memory is its USS, beyond that of a worker whose data set is one tensor.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder as TorchvisionFolder
from torchvision.transforms import PILToTensor

from litlab.data import ImageFolder, index_file, jpeg
from litlab.data.index_file import Index, index_path, part_of
from litlab.data.listing import Listing, list_files
from litlab.data.workers import workers_of

CLASSES = 1000
TINY = 5000
BATCH = 64
simplejpeg = jpeg.simplejpeg


class OneTensor(Dataset):
    """Images that need no library but torch."""

    def __init__(self) -> None:
        self.image = torch.zeros(3, 32, 32, dtype=torch.uint8)

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.image


def make_up(folder: Path, count: int) -> None:
    """Empty files in 1,000 classes, and an index that says that each is a picture of 500 x 375 pixels."""
    parts = []
    for number in range(CLASSES):
        inside = folder / f"n{number:08}"
        inside.mkdir()
        for picture in range(count // CLASSES):
            os.close(os.open(inside / f"n{number:08}_{picture}.JPEG", os.O_CREAT))
        parts.append(list_files(inside, [".jpeg"], {}))
    listing = Listing.together(parts)
    pixels = np.tile(np.array([500, 375], np.int32), (len(listing), 1))
    folders = [Path(name).name for name in listing.files.folders]
    index_file.save(index_path(folder), [part_of(Index(listing, pixels), np.arange(len(listing)), folders)])


def start(folder: str) -> None:
    """One start; prints its seconds, the most memory of the process, and what the imports had taken before, in MiB."""
    before = most_memory()
    started, busy = time.perf_counter(), time.process_time()
    data = ImageFolder(folder, image_size=224, val_size=0.1, stratified=True)
    data.setup("fit")
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    most = most_memory()
    files = sum(data.sizes.values())
    print(
        f"{files:,} files: {seconds:.1f} s ({busy:.1f} of the CPU), {most:,} MiB ({before:,} by the imports)",
        flush=True,
    )


def most_memory() -> int:
    """The most memory that this process has had so far, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def memory(worker: int) -> float:
    """The memory that no other process shares, in MiB (USS)."""
    lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def memory_of_worker(loader: DataLoader, batches: int) -> float:
    """The memory of the worker of a loader after some batches, in MiB."""
    iterator = iter(loader)
    for _ in range(batches):
        next(iterator)
    inner = getattr(iterator, "_workers", None) or workers_of(loader._iterator)
    return memory(inner[0].pid)


def tiny(folder: Path, ending: str, count: int) -> Path:
    """Pictures of 32 x 32 pixels in ten classes."""
    noise = np.random.default_rng(0).integers(0, 255, (count, 8, 8, 3), np.uint8)
    for number in range(count):
        inside = folder / ending / str(number % 10)
        inside.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise[number]).resize((32, 32)).save(inside / f"{number}.{ending}")
    return folder / ending


def images_a_second(loader: DataLoader) -> float:
    """Images of one pass for each second of CPU time, which other programs disturb less than the time of a clock."""
    started = time.process_time()
    images = sum(len(batch[0]) for batch in loader)
    return images / (time.process_time() - started)


def loaders(folder: Path, workers: int = 0) -> dict[str, DataLoader]:
    """litlab's loader and torchvision's, over about the same files."""
    data = ImageFolder(folder, image_size=32, batch_size=BATCH, val_size=2, num_workers=workers)
    data.setup()
    theirs = TorchvisionFolder(str(folder), PILToTensor())
    return {
        "litlab": data.train_dataloader(),
        "torchvision": DataLoader(theirs, BATCH, shuffle=True, num_workers=workers),
    }


def compare(what: str, ways: dict[str, DataLoader], rounds: int) -> None:
    """Prints the images a CPU second of each loader, and the median of the ratios of the rounds."""
    found = [[images_a_second(loader) for loader in ways.values()] for _ in range(rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*found, strict=True))
    ratio = statistics.median(a / b for a, b in found)
    print(
        f"{what}: litlab {ours:,.0f}, torchvision {theirs:,.0f} images a CPU second, a ratio of {ratio:.2f}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_280_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--start", help="only start over this folder")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    if arguments.start:
        start(arguments.start)
        return
    with tempfile.TemporaryDirectory() as name:
        for ending in ("jpeg", "png"):
            ways = loaders(tiny(Path(name), ending, TINY))
            for decoder in ("simplejpeg", "Pillow") if ending == "jpeg" and simplejpeg else ("Pillow",):
                jpeg.simplejpeg = simplejpeg if decoder == "simplejpeg" else None
                compare(f"32x32 {ending} by {decoder}", ways, arguments.rounds)
            jpeg.simplejpeg = simplejpeg
        ours = loaders(Path(name) / "jpeg", workers=1)["litlab"]
        bare = DataLoader(OneTensor(), BATCH, num_workers=1)
        more = memory_of_worker(ours, 70) - memory_of_worker(bare, 70)
        print(f"a worker: {more:.0f} MiB more than one without pictures", flush=True)
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        make_up(Path(name), arguments.files)
        print(f"{arguments.files:,} files made in {time.perf_counter() - started:.0f} s", flush=True)
        for _ in range(arguments.rounds):
            subprocess.run([sys.executable, __file__, "--start", name], check=True)


if __name__ == "__main__":
    main()

"""How many pictures a second a training gets from files, without `data.cache` and with it.

    python tests/benchmarks/picture_cache.py [--files 2000] [--rounds 3]

It trains a small network for three epochs on JPEGs of 500 x 375 pixels, at 224 and at 64 pixels. The ways take turns,
and the median of the rounds counts. Epoch 1 includes the decoding before it. The final loss must be the same.
"""

import argparse
import shutil
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import lightning
import matplotlib
import torch
from PIL import Image
from torch import nn

from litlab.console import quieten
from litlab.data import ImageFolder, cache_file
from litlab.modules import Classification

EPOCHS = 3
WAYS = {
    "`data.cache=none`": "none",
    "`data.cache=memory`": "memory",
    "`data.cache=disk`, first run": "disk",
    "`data.cache=disk`, later run": "disk",
}


class Times(lightning.Callback):
    """The seconds of each training epoch, and the loss of the last step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.loss = 0.0

    def on_train_epoch_start(self, *_) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer, module, outputs, *_) -> None:
        self.loss = float(outputs["loss"] if isinstance(outputs, dict) else outputs)

    def on_train_epoch_end(self, *_) -> None:
        self.seconds.append(time.perf_counter() - self.started)


def make(folder: Path, count: int) -> None:
    """JPEGs of quality 90 in two classes: parts of Matplotlib's portrait of Grace Hopper, upright and upside down."""
    photograph = Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg").convert("RGB")
    for name in ("down", "up"):
        (folder / name).mkdir()
    for number in range(count):
        left, top = number % 20, number % 210
        part = photograph.resize((500, 375), box=(left, top, left + 490, top + 367))
        part = part.rotate(180) if number % 2 else part
        part.save(folder / ("down" if number % 2 else "up") / f"{number:05}.jpg", quality=90)


def trained(folder: Path, side: int, cache: str) -> tuple[float, float, float]:
    """Images a second in epoch 1 and in the later epochs, and the final loss."""
    lightning.seed_everything(0, verbose=False)
    data = ImageFolder(folder, image_size=side, batch_size=32, num_workers=2, val_size=2, cache=cache)
    data.setup()
    network = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 2))
    times = Times()
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=EPOCHS, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, limit_val_batches=0, callbacks=[times],
    )  # fmt: skip
    started = time.perf_counter()
    data.fill_cache()
    decoding = time.perf_counter() - started
    trainer.fit(Classification(network, 2), data)
    images = data.sizes["train"]
    return images / (decoding + times.seconds[0]), images / statistics.median(times.seconds[1:]), times.loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    quieten()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, arguments.files)
        ImageFolder(folder, image_size=64, val_size=2).setup()  # writes the index
        for side in (224, 64):
            found = {way: [] for way in WAYS}
            for _ in range(arguments.rounds):
                shutil.rmtree(folder / cache_file.NAME, ignore_errors=True)
                for way, cache in WAYS.items():
                    found[way].append(trained(folder, side, cache))
            print(f"\n| 500x375 to {side} | epoch 1 | later epochs | final loss |\n|---|---|---|---|")
            for way, rounds in found.items():
                first, later = (statistics.median(column) for column in list(zip(*rounds, strict=True))[:2])
                losses = {loss for *_, loss in rounds}
                print(f"| {way} | {first:,.0f} | {later:,.0f} | {', '.join(map(repr, losses))} |", flush=True)


if __name__ == "__main__":
    main()

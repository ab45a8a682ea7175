"""What automatic augmentation of whole batches gains over torchvision's, which takes one image after the other.

python tests/benchmarks/augment.py           # images/s of both, in turn; on a GPU too, if there is one
python tests/benchmarks/augment.py train     # images/s of a training with rand_augment and without, in turn

`train` needs CIFAR-10 in `data/` (or DATA=folder).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms import v2

from litlab.data.augment import AUGMENTATIONS

REPOSITORY = Path(__file__).parents[2]
THEIRS: dict[str, Callable] = {
    "rand_augment": v2.RandAugment(),
    "trivial_augment": v2.TrivialAugmentWide(),
    "auto_augment": v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
}
ROUNDS, ROUND_S = 5, 2.0


def images_per_second(augment: Callable[[Tensor], Tensor], images: Tensor) -> float:
    began, seen = time.perf_counter(), 0
    while time.perf_counter() - began < ROUND_S:
        augment(images)
        seen += len(images)
        if images.is_cuda:
            torch.cuda.synchronize()
    return seen / (time.perf_counter() - began)


def one_by_one(transform: Callable) -> Callable[[Tensor], Tensor]:
    return lambda images: torch.stack([transform(image) for image in images])


def transforms(device: str) -> None:
    images = torch.randint(256, (128, 3, 32, 32), dtype=torch.uint8, device=device)
    print(f"{device}, {torch.get_num_threads()} threads, 128 images of 3 x 32 x 32; images/s")
    for name, theirs in THEIRS.items():
        both = {"litlab": AUGMENTATIONS[name](), "torchvision": one_by_one(theirs)}
        found: dict[str, list[float]] = {who: [] for who in both}
        for _ in range(ROUNDS):
            for who, augment in both.items():
                found[who].append(images_per_second(augment, images))
        medians = {who: statistics.median(values) for who, values in found.items()}
        ratio = statistics.median(a / b for a, b in zip(*found.values(), strict=True))
        print(
            f"{name:16} litlab {medians['litlab']:10,.0f}   torchvision {medians['torchvision']:8,.0f}   {ratio:5.1f}x"
        )


def train() -> None:
    data = Path(os.environ.get("DATA", "data")).resolve()
    settings = ["data=cifar10", f"data.data_dir={data}", "model=cifar10_quick", "model.relu=true", "optimizer=adam"]
    settings += ["data.train_limit=10000", "trainer.max_epochs=3", "test=false", "hydra.run.dir=run"]
    found: dict[str, list[float]] = {"[]": [], "[rand_augment]": []}
    for _ in range(ROUNDS):
        for augment, values in found.items():
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, REPOSITORY / "train.py", *settings, f"data.augment={augment}"]
                subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
                values.append(json.loads((Path(folder) / "run/result.json").read_text())["images_per_second"])
    without, augmented = (statistics.median(values) for values in found.values())
    ratio = statistics.median(b / a for a, b in zip(*found.values(), strict=True))
    print(f"training: {without:,.0f} images/s without, {augmented:,.0f} with rand_augment: {ratio:.2f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["train"]:
        train()
    else:
        for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
            transforms(device)

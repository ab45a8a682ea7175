"""Two epochs over 245 photographs in two classes: the whole process of litlab, and of a tuned plain script.

python tests/benchmarks/photographs.py [rounds]

They take turns. Both train resnet18 from nothing, in bfloat16 with channels last and two workers, and validate after
each epoch; litlab also logs, draws and keeps checkpoints. The photographs are parts of Matplotlib's portrait of Grace
Hopper, in one class as they are, in the other upside down.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
TRAINED, VALIDATED = 245, 62
PLAIN = """
import torch, torchvision
from torch import nn
from torchvision.transforms import v2

look = v2.Compose([v2.ToImage(), v2.Resize(224), v2.CenterCrop(224)])
def loader(split, shuffle):
    pictures = torchvision.datasets.ImageFolder(f"pictures/{split}", look)
    return torch.utils.data.DataLoader(pictures, 32, shuffle, num_workers=2, persistent_workers=True)

torch.manual_seed(1)
train, val = loader("train", True), loader("val", False)
network = torchvision.models.resnet18(num_classes=2).to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, fused=True)
mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

def outputs(images):
    images = ((images / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        return network(images).float()

for epoch in range(2):
    network.train()
    for images, labels in train:
        loss = nn.functional.cross_entropy(outputs(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.inference_mode():
        right = sum(int((outputs(images).argmax(1) == labels).sum()) for images, labels in val)
    print("accuracy", right / len(val.dataset))
torch.save(network.state_dict(), "network.pt")
"""
LITLAB = [
    *("data=image_folder", "data.data_dir=pictures", "model=torchvision", "model.name=resnet18", "optimizer=sgd"),
    *("optimizer.lr=0.01", "optimizer.momentum=0.9", "scheduler=none", "trainer=cpu", "trainer.max_epochs=2"),
]


def make(folder: Path) -> None:
    """JPEGs of 500 x 375 pixels, quality 90."""
    portrait = Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg").convert("RGB")
    for split, count in (("train", TRAINED), ("val", VALIDATED)):
        for number in range(count):
            name = ("upright", "upside_down")[number % 2]
            left, upper = number % 23, number % 230
            box = (left, upper, left + 480, upper + 360)
            photograph = portrait.resize((500, 375), Image.Resampling.LANCZOS, box=box)
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            turned = photograph.rotate(180) if number % 2 else photograph
            turned.save(folder / split / name / f"{number}.jpg", quality=90)


def timed(command: list[str], folder: Path) -> tuple[float, float, str]:
    """The seconds of a command, its CPU seconds, and the last accuracy that it printed."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    seconds, after = time.perf_counter() - began, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, spent, re.findall(r"(?:accuracy|val: loss \S+ acc) (\S+)", done.stdout)[-1]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds: dict[str, list[float]] = {"plain": [], "litlab": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "pictures")
        (folder / "plain.py").write_text(PLAIN)
        commands = {"plain": ["plain.py"], "litlab": [str(REPOSITORY / "train.py"), *LITLAB]}
        for number in range(rounds):
            for way, arguments in commands.items():
                wall, cpu, accuracy = timed([sys.executable, *arguments], folder)
                seconds[way].append(wall)
                print(f"round {number + 1}: {way:6} {wall:6.1f} s, {cpu:6.1f} CPU s, accuracy {accuracy}", flush=True)
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    later = medians["litlab"] - medians["plain"]
    print(f"medians: plain {medians['plain']:.1f} s, litlab {medians['litlab']:.1f} s: {later:+.1f} s")


if __name__ == "__main__":
    main()

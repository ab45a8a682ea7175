"""How fast litlab trains on one GPU, beside bare loops on the same data: python tests/benchmarks/gpu.py

bare eager    a loop of ten lines over images on the GPU: bfloat16 autocast, channels last, fused optimizer
bare replay   the same step, captured once as a CUDA graph and replayed
eager, graph  `python train.py engine=...`, with all its logging: the median of its epochs after the first

Prints a table and writes `gpu.json`. Needs MNIST and CIFAR-10 in `data/` (or DATA=folder). Takes under four minutes.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from litlab import data as data_sets
from litlab import networks
from litlab.modules import Muon

REPOSITORY = Path(__file__).parents[2]
DATA = os.environ.get("DATA", "data")
ROWS = {  # network: data set, batch size, steps of the bare loops, epochs of litlab, more overrides
    "mlp": ("mnist", 128, 2000, 6, []),
    "mnist_cnn": ("mnist", 64, 2500, 5, []),
    "cifar10_quick": ("cifar10", 64, 2000, 4, []),
    "resnet18": ("cifar10", 128, 600, 3, ["optimizer=sgd", "optimizer.lr=0.05", "optimizer.momentum=0.9"]),
    "whitened_cnn": ("cifar10", 2000, 200, 4, ["optimizer=muon", "scheduler=linear", "data.drop_last=true"]),
}
CLASSES = {
    **{"mlp": networks.MLP, "mnist_cnn": networks.MnistCNN, "cifar10_quick": networks.CIFAR10Quick},
    **{"resnet18": networks.ResNet18, "whitened_cnn": networks.WhitenedCNN},
}
DATA_SETS = {"mnist": data_sets.MNIST, "cifar10": data_sets.CIFAR10}


class Bare:
    """A training without a framework."""

    def __init__(self, name: str, data, batch_size: int) -> None:
        torch.manual_seed(0)
        self.data, self.batch_size = data, batch_size
        self.network = CLASSES[name](data.input_shape, data.num_classes).cuda().to(memory_format=torch.channels_last)
        self.images, self.labels = data.train_set.images.cuda(), data.train_set.labels.cuda()
        self.own = data.train_set.indices.cuda()
        self.optimizer = self.make_optimizer(name)
        self.rows = torch.zeros(batch_size, dtype=torch.long, device="cuda")

    def make_optimizer(self, name: str):
        if name == "resnet18":
            return torch.optim.SGD(self.network.parameters(), lr=0.05, momentum=0.9, fused=True)
        if name == "whitened_cnn":
            return Muon(self.network.parameters(), head_factor=5500, bias_factor=440, weight_decay=0.004)
        return torch.optim.Adam(
            self.network.parameters(), lr=torch.tensor(1e-3, device="cuda"), fused=True, capturable=True
        )

    def step(self) -> None:
        images = self.data.normalize(self.images.index_select(0, self.rows))
        labels = self.labels.index_select(0, self.rows)
        self.optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            loss = F.cross_entropy(self.network(images), labels)
        loss.backward()
        self.optimizer.step()

    def train(self, steps: int, replayed: bool) -> float:
        """Images a second."""
        call = self.step
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(5):
                self.step()
        torch.cuda.synchronize()
        if replayed:
            self.optimizer.zero_grad()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.step()
            call = graph.replay
        batches = torch.cat(
            [torch.randperm(len(self.own), device="cuda") for _ in range(1 + steps * self.batch_size // len(self.own))]
        )
        batches = self.own[batches[: steps * self.batch_size]].view(steps, self.batch_size)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for rows in batches:
            self.rows.copy_(rows)
            call()
        torch.cuda.synchronize()
        return steps * self.batch_size / (time.perf_counter() - began)

    @torch.no_grad()
    def accuracy(self) -> float:
        self.network.eval()
        test, right = self.data.test_set, 0
        for images, labels in zip(test.images.split(1000), test.labels.split(1000), strict=True):
            right += int((self.network(self.data.normalize(images.cuda())).argmax(1).cpu() == labels).sum())
        return right / len(test)


def bare(name: str, replayed: bool) -> tuple[float, float]:
    data_name, batch_size, steps, _, _ = ROWS[name]
    data = DATA_SETS[data_name](data_dir=DATA, val_size=5000)
    data.prepare_data()
    data.setup()
    steps = steps if replayed else max(100, steps // 5)
    run = Bare(name, data, batch_size)
    speed = run.train(steps, replayed)
    return speed, run.accuracy()


def litlab(name: str, engine: str, folder: Path) -> tuple[float, float, float, float]:
    """Images a second of an epoch and of the whole training, test accuracy, seconds of the whole process."""
    data_name, batch_size, _, epochs, more = ROWS[name]
    epochs = epochs if engine == "graph" else 2
    run = folder / f"{name}_{engine}"
    arguments = [
        *(f"data={data_name}", f"model={name}", f"data.batch_size={batch_size}", f"trainer.max_epochs={epochs}"),
        *(f"data.data_dir={DATA}", f"engine={engine}", f"hydra.run.dir={run}", *more),
    ]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, REPOSITORY / "train.py", *arguments], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{name} {engine}: {done.stderr[-2000:]}")
    speeds = [float(x.replace(",", "")) for x in re.findall(r"([\d,]+) images/s$", done.stdout, re.M)]
    result = json.loads((run / "result.json").read_text())
    return statistics.median(speeds[1:epochs]), result["images_per_second"], result["metrics"]["test/acc"], seconds


def main() -> None:
    if not torch.cuda.is_available():
        raise SystemExit("no GPU here: this measures litlab on one")
    import tempfile

    found = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}
    print(
        f"{found['gpu']}, torch {found['torch']}; images/s, and test accuracy (the bare loops train for other lengths)"
    )
    print(f"{'':14}{'bare eager':>18}{'bare replay':>18}{'eager':>18}{'graph':>18}{'share':>7}{'process':>10}")
    names = sys.argv[1:] or list(ROWS)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            row = {
                "bare eager": bare(name, False),
                "bare replay": bare(name, True),
                "eager": litlab(name, "eager", Path(folder)),
                "graph": litlab(name, "graph", Path(folder)),
            }
            torch.cuda.empty_cache()
            cells = "".join(f"{v[0]:11,.0f} {v[-1 if len(v) == 2 else 2]:6.1%}" for v in row.values())
            share = row["graph"][0] / row["bare replay"][0]
            print(f"{name:14}{cells}{share:7.2f}{row['graph'][3]:8.1f} s", flush=True)
            found[name] = row | {"share": share}
    Path("gpu.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

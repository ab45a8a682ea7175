"""How fast litlab is, and how good what it trained: against a course's loop and against the bare limit, in turn.

python tests/benchmarks/run.py                   # some minutes on two cores: the table, and speed.json beside it
python tests/benchmarks/run.py --full            # the ten epochs of the course's recipe and cifar10_fast, too
python tests/benchmarks/run.py --only mlp mnist_fast

course  torchvision's data set with ToTensor for each picture (and Normalize for MNIST), DataLoader, loss.item() every
        100 steps, float32: what courses teach.
bare    the same network and optimizer over a tensor in memory in a loop of twenty lines, channels last, in bfloat16
        where litlab uses it, with the fused optimizer.
litlab  `python train.py` with all its logging; blocks: the same with engine=blocks.

Each measurement is a process of its own; they take turns, each round with another seed, and medians are compared.
Speed is of training alone, without start, validation and test; accuracy is of the whole test set after the same epochs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]

# What is trained: data, model, batch size, optimizer, learning rate, training images, epochs.
CASES = {
    "cifar10_quick": ("cifar10", "cifar10_quick", 64, "sgd", 0.01, 20_000, 2),
    "mlp": ("mnist", "mlp", 128, "adam", 0.001, 55_000, 2),
    "mnist_cnn": ("mnist", "mnist_cnn", 64, "adam", 0.001, 20_000, 2),
}
ATLEAST = {"cifar10_quick": (2.3, 0.9), "mlp": (11, 0.75), "mnist_cnn": (2.2, 0.9)}  # over the course, of the bare


# What is compared; each runs in a process of its own and prints one line of JSON.


def course(case: str, seed: int, data_dir: str, epochs: int | None = None, everything: bool = False) -> dict[str, Any]:
    """The loop of a course."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Subset
    from torchvision import datasets, transforms

    data_name, _, batch_size, optimizer_name, lr, images, own_epochs = CASES[case]
    arrays = load(data_name, data_dir)
    steps: list[Any] = [transforms.ToTensor()]
    if data_name == "mnist":
        steps.append(transforms.Normalize((0.1307,), (0.3081,)))

    def as_torchvision(images: Any, labels: Any) -> Any:
        kind = datasets.CIFAR10 if data_name == "cifar10" else datasets.MNIST
        dataset = kind.__new__(kind)
        dataset.data = images.permute(0, 2, 3, 1).numpy() if data_name == "cifar10" else images.squeeze(1)
        dataset.targets = labels.tolist() if data_name == "cifar10" else labels
        dataset.transform, dataset.target_transform = transforms.Compose(steps), None
        return dataset

    torch.manual_seed(seed)
    train: Any = as_torchvision(arrays.train_images, arrays.train_labels.long())
    if not everything:
        train = Subset(train, range(images))
    test = as_torchvision(arrays.test_images, arrays.test_labels.long())
    network = make_network(case)
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer_name]
    optimizer, loss_function = make(network.parameters(), lr=lr), nn.CrossEntropyLoss()
    loader = DataLoader(train, batch_size=batch_size, shuffle=True)
    seconds, epochs, best = 0.0, epochs or own_epochs, 0.0
    for epoch in range(epochs):
        began = time.perf_counter()
        for step, (pictures, labels) in enumerate(loader):
            optimizer.zero_grad()
            loss = loss_function(network(pictures), labels)
            loss.backward()
            optimizer.step()
            if step % 100 == 0:
                loss.item()
        seconds += time.perf_counter() - began
        if epoch == epochs - 1 or everything:
            with torch.no_grad():
                right = [(network(x).argmax(1) == y).sum().item() for x, y in DataLoader(test, batch_size=batch_size)]
            best = max(best, sum(right) / len(test))
    return {"speed": epochs * len(train) / seconds, "accuracy": best, "seconds": seconds}


def bare(case: str, seed: int, data_dir: str) -> dict[str, Any]:
    """The same step over a tensor in memory."""
    import torch
    import torch.nn.functional as F

    data_name, _, batch_size, optimizer_name, lr, images, epochs = CASES[case]
    arrays = load(data_name, data_dir)
    images_u8, labels = arrays.train_images[:images], arrays.train_labels[:images].long()
    mean, std = (0.1307, 0.3081) if data_name == "mnist" else (0.0, 1.0)
    torch.manual_seed(seed)
    network = make_network(case).to(memory_format=torch.channels_last)
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer_name]
    optimizer, fast = make(network.parameters(), lr=lr, fused=True), bfloat16()

    def prepared(x: Any) -> Any:
        return x.float().sub_(mean * 255).mul_(1 / (std * 255))

    began = time.perf_counter()
    for _ in range(epochs):
        for chosen in torch.randperm(images).split(batch_size):
            x, y = prepared(images_u8.index_select(0, chosen)), labels.index_select(0, chosen)
            with torch.autocast("cpu", torch.bfloat16, enabled=fast):
                loss = F.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    seconds = time.perf_counter() - began
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=fast):
        right = sum((network(prepared(x)).argmax(1) == y).sum().item() for x, y in batches(arrays))
    return {"speed": epochs * images / seconds, "accuracy": right / len(arrays.test_images)}


def litlab(case: str, seed: int, data_dir: str, engine: str = "eager") -> dict[str, Any]:
    """`python train.py`."""
    data_name, model, batch_size, optimizer, lr, images, epochs = CASES[case]
    done = run_train(
        f"data={data_name}", f"model={model}", f"data.batch_size={batch_size}", f"optimizer={optimizer}",
        f"optimizer.lr={lr}", f"data.train_limit={images}", f"trainer.max_epochs={epochs}", f"seed={seed}",
        f"data.data_dir={data_dir}", f"data.normalize={data_name == 'mnist'}", "scheduler=none", "trainer=cpu",
        f"engine={engine}",
    )  # fmt: skip
    return {"speed": done["images_per_second"], "accuracy": done["metrics"]["test/acc"], "memory": done["memory"]}


def make_network(case: str) -> Any:
    from litlab import networks

    name = {"cifar10_quick": "CIFAR10Quick", "mlp": "MLP", "mnist_cnn": "MnistCNN"}[case]
    return getattr(networks, name)((3, 32, 32) if case == "cifar10_quick" else (1, 28, 28), 10)


def bfloat16() -> bool:
    """Whether litlab computes in bfloat16 here: `litlab.assembly.precision`, which a baseline must not import."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def machine() -> dict[str, Any]:
    """What the figures are of."""
    known = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in known.splitlines() if line.startswith("model name")]
    versions = {name: version(name) for name in ("torch", "lightning", "litlab")}
    processor = names[0] if names else platform.machine()
    return {"cores": os.cpu_count(), "processor": processor, "python": platform.python_version()} | versions


def load(name: str, data_dir: str) -> Any:
    """The verified arrays; fetched the first time."""
    from litlab import data

    module = {"mnist": data.MNIST, "cifar10": data.CIFAR10}[name](data_dir)
    module.prepare_data()
    return module.load_arrays()


def batches(arrays: Any) -> Any:
    return zip(arrays.test_images.split(1000), arrays.test_labels.split(1000), strict=True)


# Measuring


def child(*command: str) -> tuple[str, float, float]:
    """Runs a command; its output, its wall seconds and its peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tempfile.gettempdir())
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{out}")
    return out, time.perf_counter() - began, usage.ru_maxrss / 1024


def run_train(*arguments: str) -> dict[str, Any]:
    """`python train.py ARGUMENTS`: its result, its wall seconds from the start of the process, its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(REPOSITORY / "train.py"), *arguments, f"hydra.run.dir={folder}/run"]
        out, wall, memory = child(*command)
        result = json.loads((Path(folder) / "run/result.json").read_text())
    return {**result, "wall": wall, "memory": memory, "out": out}


def measured(kind: str, *arguments: Any) -> dict[str, Any]:
    """One of the three, in a process of its own."""
    out, wall, memory = child(sys.executable, __file__, "--one", json.dumps([kind, *arguments]))
    return {**json.loads(out.splitlines()[-1]), "wall": wall, "memory": memory}


def compare(case: str, rounds: int, data_dir: str) -> list[dict[str, Any]]:
    """Three rows: litlab over the course's loop, the share of the bare limit, and blocks over eager steps."""
    runs: dict[str, list[dict[str, Any]]] = {"course": [], "bare": [], "litlab": [], "blocks": []}
    for seed in range(1, rounds + 1):
        runs["course"].append(measured("course", case, seed, data_dir))
        runs["bare"].append(measured("bare", case, seed, data_dir))
        runs["litlab"].append(litlab(case, seed, data_dir))
        runs["blocks"].append(litlab(case, seed, data_dir, engine="blocks"))
    speed = {kind: statistics.median(run["speed"] for run in found) for kind, found in runs.items()}
    over, share, blocks = (
        ratio(runs, *pair) for pair in [("litlab", "course"), ("litlab", "bare"), ("blocks", "litlab")]
    )
    said = ", ".join(f"{kind} {speed[kind]:,.0f}" for kind in speed) + " images/s"
    accuracies = "; ".join(f"{kind} {spread([run['accuracy'] for run in found])}" for kind, found in runs.items())
    rows = [
        row(f"{case}, over the course's loop", f"{over:.2f}x", f"{ATLEAST[case][0]}x", over >= ATLEAST[case][0], said),
        row(f"{case}, share of the bare limit", f"{share:.2f}", str(ATLEAST[case][1]), share >= ATLEAST[case][1], said),
        row(f"{case}, blocks over eager steps", f"{blocks:.2f}x", "", True),
    ]
    return [{**line, "accuracy": accuracies, "runs": runs} for line in rows]


def ratio(runs: dict[str, list[dict[str, Any]]], kind: str, baseline: str) -> float:
    """How many times as fast as a baseline: the median over the rounds."""
    return statistics.median(a["speed"] / b["speed"] for a, b in zip(runs[kind], runs[baseline], strict=True))


def spread(values: list[float]) -> str:
    """Mean and standard deviation, in percent."""
    deviation = f" +- {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{deviation} %"


def row(what: str, found: str, wanted: str, holds: bool, detail: str = "", accuracy: str = "") -> dict[str, Any]:
    return {"what": what, "found": found, "at_least": wanted, "holds": holds, "detail": detail, "accuracy": accuracy}


def start_up(rounds: int, data_dir: str) -> list[dict[str, Any]]:
    """From `python train.py` to the end of its first step."""
    first = "+callbacks.first={_target_: first_step.FirstStep}"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    imports, steps = [], []
    for _ in range(rounds):
        imports.append(child(sys.executable, "-c", "import lightning, torchvision")[1])
        began = time.time()
        limits = ("trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "trainer.max_epochs=1", "test=false")
        out = run_train("trainer=cpu", f"data.data_dir={data_dir}", *limits, first)["out"]
        steps.append(
            float(next(line for line in out.splitlines() if line.startswith("first step")).split()[-1]) - began
        )
    ratio = statistics.median(s / i for s, i in zip(steps, imports, strict=True))
    said = f"{statistics.median(steps):.1f} s, the bare imports {statistics.median(imports):.1f} s"
    return [row("start to first step, over the bare imports", f"{ratio:.2f}x", "1.3x or less", ratio <= 1.3, said)]


def memory(data_dir: str) -> list[dict[str, Any]]:
    """Peak memory of the CIFAR-10 runs."""
    theirs = measured("course", "cifar10_quick", 1, data_dir)["memory"]
    ours = litlab("cifar10_quick", 1, data_dir)
    ratio = ours["memory"] / theirs
    said = f"{ours['memory']:,.0f} MB, the course's loop {theirs:,.0f} MB"
    return [row("peak memory of a CIFAR-10 run", f"{ratio:.2f}x", "1.2x or less", ratio <= 1.2, said)]


def mnist_fast(rounds: int, data_dir: str) -> list[dict[str, Any]]:
    """MNIST to 99 % from a cold start of the process, test and all."""
    runs = [run_train("experiment=mnist_fast", f"data.data_dir={data_dir}", f"seed={s}") for s in range(1, rounds + 1)]
    walls, accuracies = [run["wall"] for run in runs], [run["metrics"]["test/acc"] for run in runs]
    reached = statistics.median(walls) <= 20 and statistics.mean(accuracies) >= 0.99
    seconds = f"{statistics.median(walls):.1f} s"
    return [row("mnist_fast, whole process", seconds, "20 s, at 99.0 %", reached, "", spread(accuracies))]


def cifar10_fast(data_dir: str) -> list[dict[str, Any]]:
    """The course's ten epochs, and cifar10_fast."""
    theirs = measured("course", "cifar10_quick", 1, data_dir, 10, True)
    ours = run_train("experiment=cifar10_fast", f"data.data_dir={data_dir}")
    accuracy = ours["metrics"]["test/acc"]
    said = f"{ours['wall']:.0f} s in all; the course's ten epochs {theirs['seconds']:.0f} s"
    holds = accuracy >= 0.9 and ours["wall"] <= theirs["seconds"]
    both = f"course, best epoch {100 * theirs['accuracy']:.2f} %; litlab {100 * accuracy:.2f} %"
    return [row("cifar10_fast", f"{100 * accuracy:.2f} %", "90 % in the course's time", holds, said, both)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="cifar10_fast against ten epochs, too; about 20 minutes")
    parser.add_argument("--only", nargs="+", choices=[*CASES, "start_up", "memory", "mnist_fast", "cifar10_fast"])
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured, each time with another seed")
    parser.add_argument("--data-dir", default=str(REPOSITORY / "data"))
    parser.add_argument("--out", default="speed.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        kind, *arguments = json.loads(asked.one)
        print(json.dumps({"course": course, "bare": bare}[kind](*arguments)))
        return
    data_dir = str(Path(asked.data_dir).resolve())
    parts = {case: (lambda case=case: compare(case, asked.rounds, data_dir)) for case in CASES} | {
        "start_up": lambda: start_up(asked.rounds, data_dir),
        "memory": lambda: memory(data_dir),
        "mnist_fast": lambda: mnist_fast(min(3, asked.rounds), data_dir),
        "cifar10_fast": lambda: cifar10_fast(data_dir),
    }
    wanted = asked.only or [name for name in parts if name != "cifar10_fast" or asked.full]
    for name in ("mnist", "cifar10"):  # fetched before anything is timed
        load(name, data_dir)
    rows: list[dict[str, Any]] = []
    print(f"{'what':44} {'found':>9}  {'at least':24} ")
    for name in wanted:
        for line in parts[name]():
            print(f"{line['what']:44} {line['found']:>9}  {line['at_least']:24} {'' if line['holds'] else 'SHORT'}")
            for detail in filter(None, (line["detail"], line["accuracy"] and f"accuracy: {line['accuracy']}")):
                print(f"    {detail}", flush=True)
            rows.append(line)
    Path(asked.out).write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

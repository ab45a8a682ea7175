"""How OpenMP's threads should wait for each other: on a quiet machine, for two runs at once, and beside other work.

python tests/benchmarks/busy.py                       # some minutes on two cores, with nothing else running
python tests/benchmarks/busy.py --networks mlp --situations quiet two

Each measurement is training steps of litlab's module on one batch, in a process of its own. The ways to wait take
turns, so that a slower minute of the machine meets all of them. The table has medians of images/s of one run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

WAYS: dict[str, dict[str, str]] = {
    "libgomp's own": {"GOMP_SPINCOUNT": "300000"},
    "1,000": {"GOMP_SPINCOUNT": "1000"},
    "3,000": {"GOMP_SPINCOUNT": "3000"},
    "10,000": {"GOMP_SPINCOUNT": "10000"},
    "30,000": {"GOMP_SPINCOUNT": "30000"},
    "PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
BATCH = {"mlp": 128, "mnist_cnn": 64, "cifar10_quick": 64, "resnet18": 32}
LOAD = 5  # processes that compute beside a run, where the machine is busy


def train(network: str, seconds: float) -> None:
    """Trains on one batch for some seconds, from the moment when a line comes in; prints images/s."""
    import hydra
    import torch

    from litlab.config import build
    from litlab.modules import Classification

    shape = [3, 32, 32] if network in ("cifar10_quick", "resnet18") else [1, 28, 28]
    with hydra.initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        cfg = hydra.compose("train", [f"model={network}"])
    module = Classification(build(cfg, "model", input_shape=shape, num_classes=10), 10)
    optimizer = torch.optim.Adam(module.network.parameters(), 1e-3, fused=True)
    images, targets = torch.rand(BATCH[network], *shape), torch.randint(10, (BATCH[network],))

    def step() -> None:
        optimizer.zero_grad()
        module.step(images.contiguous(memory_format=torch.channels_last), targets)[0].backward()
        optimizer.step()

    step()
    print("ready", flush=True)
    sys.stdin.readline()
    steps, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        step()
        steps += 1
    print(steps * BATCH[network] / (time.perf_counter() - began), flush=True)


def start(network: str, way: str, seconds: float) -> subprocess.Popen:
    """Starts a training, which waits for a line."""
    own = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {name: value for name, value in os.environ.items() if name not in own} | WAYS[way]
    command = [sys.executable, __file__, "--train", network, "--seconds", str(seconds)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def speeds(network: str, way: str, situation: str, seconds: float) -> list[float]:
    """Images/s of the runs: one, or two at once."""
    runs = [start(network, way, seconds) for _ in range(2 if situation == "two" else 1)]
    for run in runs:
        assert run.stdout
        assert run.stdout.readline() == "ready\n"
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOAD * (situation == "busy"))]
    try:
        for run in runs:
            assert run.stdin
            run.stdin.write("\n")
            run.stdin.flush()
        return [float(run.communicate()[0]) for run in runs]
    finally:
        for process in load:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(BATCH), choices=list(BATCH))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--situations", nargs="+", default=["quiet", "two", "busy"], choices=["quiet", "two", "busy"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of training")
    parser.add_argument("--train", choices=list(BATCH), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.train:
        train(asked.train, asked.seconds)
        return
    print(f"load before: {os.getloadavg()[0]:.1f}; images/s of one run, medians of {asked.rounds} rounds")
    for network in asked.networks:
        found: dict[tuple[str, str], list[float]] = {}
        for number in range(asked.rounds):
            ways = asked.ways if number % 2 == 0 else asked.ways[::-1]
            for situation in asked.situations:
                for way in ways:
                    measured = speeds(network, way, situation, asked.seconds)
                    print(network, situation, way, *map(round, measured), file=sys.stderr, flush=True)
                    found.setdefault((way, situation), []).extend(measured)
        print(f"\n| {network} | {' | '.join(asked.situations)} |\n|---|{'---|' * len(asked.situations)}")
        for way in asked.ways:
            cells = (f"{statistics.median(found[way, situation]):,.0f}" for situation in asked.situations)
            print(f"| {way} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

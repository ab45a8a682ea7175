"""What it costs to see a run in TensorBoard: python tests/benchmarks/watch.py

Trains `mnist_cnn` on MNIST on the CPU with all of `callbacks=default`, and with its scalars only, in turns, each run
in a process of its own. Prints the medians of the run's CPU time and of its time by the clock, and their ratios; on a
machine that does other things too, believe the former. Takes about ten minutes; `--pairs 1 --epochs 2` takes one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PARTS = (
    *("config_text", "graph", "pictures", "most_wrong", "filters", "feature_maps", "histograms"),
    *("confusion_matrix", "pr_curves", "projector", "hparams"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="runs of each kind (5)")
    parser.add_argument("--epochs", type=int, default=5, help="of each run (5)")
    parser.add_argument("--data-dir", default="data", help="where MNIST is, or shall be put (data)")
    arguments = parser.parse_args()
    kinds = {"everything": [], "scalars only": [f"callbacks.{name}.enabled=false" for name in PARTS]}
    measured: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in kinds}
    settings = [f"trainer.max_epochs={arguments.epochs}", f"data.data_dir={Path(arguments.data_dir).absolute()}"]
    for pair in range(arguments.pairs):
        for kind in list(kinds) if pair % 2 else list(kinds)[::-1]:
            measured[kind].append(run([*settings, *kinds[kind]]))
            print(f"{pair + 1}/{arguments.pairs} {kind:13} cpu %.1f s, clock %.1f s, val/acc %.4f" % measured[kind][-1])
    print(f"\n{'median':13} {'cpu s':>8} {'clock s':>8} {'val/acc':>8}")
    medians = {
        kind: [statistics.median(column) for column in zip(*rows, strict=True)] for kind, rows in measured.items()
    }
    for kind, (cpu, clock, accuracy) in medians.items():
        print(f"{kind:13} {cpu:8.2f} {clock:8.2f} {accuracy:8.4f}")
    ratios = [a / b for a, b in zip(*medians.values(), strict=True)]
    print(f"{'ratio':13} {ratios[0]:8.3f} {ratios[1]:8.3f}")


def run(overrides: list[str]) -> tuple[float, float, float]:
    """CPU seconds of a whole run with its start, seconds by the clock without it, and the accuracy it reached."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, REPOSITORY / "train.py", "trainer=cpu", "hydra.run.dir=run", *overrides]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"failed: {command}")
        result = json.loads((Path(folder) / "run/result.json").read_text())
    return usage.ru_utime + usage.ru_stime, result["seconds"], result["metrics"]["val/acc"]


if __name__ == "__main__":
    main()

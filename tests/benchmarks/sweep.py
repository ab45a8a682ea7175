"""What a sweep adds to its trainings, and what jobs at once and jobs that end early gain.

python tests/benchmarks/sweep.py overhead 100    # 100 jobs of about a second each on mnist_sample
python tests/benchmarks/sweep.py joblib 5        # the same six jobs, serial and two at once, five times in turn
python tests/benchmarks/sweep.py asha 3          # 27 rates on MNIST for 9 epochs, all and with prune=asha, three seeds
python tests/benchmarks/sweep.py lr_find 5       # what lr_find=true suggests on MNIST and CIFAR-10, for five seeds
python tests/benchmarks/sweep.py gpu 32          # 32 rates of mnist_cnn on one GPU at once, and one rate alone

`asha`, `lr_find` and `gpu` take more settings: asha 3 data.train_limit=6000

`overhead` counts as training what happens inside the epochs, validation included; all else is added: starting Python,
imports, Hydra, data, checkpoints, test, logging, the report. CPU seconds say more than wall seconds on a busy machine.
"""

import csv
import os
import re
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SWEEP = [
    *("-m", "data=mnist_sample", "trainer=cpu", "trainer.max_epochs=2", "threads=1"),
    *("callbacks.model_summary.enabled=false", "hydra.sweep.dir=sweep"),
]


def overhead(jobs: int) -> None:
    """Starts a sweep in a new process that measures its own epochs."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        hundred = ",".join(f"{0.0005 + 0.00001 * job:.5f}" for job in range(jobs))
        command = [sys.executable, __file__, "measured", *SWEEP, f"optimizer.lr={hundred}"]
        log = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
        wall = time.perf_counter() - began
    cpu, training_wall, training_cpu = map(float, log.splitlines()[-1].split())
    print(f"{jobs} jobs; seconds a job  {'wall':>6} {'CPU':>6}")
    for name, *seconds in (
        ("all", wall, cpu),
        ("training", training_wall, training_cpu),
        ("added by the sweep", wall - training_wall, cpu - training_cpu),
    ):
        print(f"{name:24} {seconds[0] / jobs:6.2f} {seconds[1] / jobs:6.2f}")


def measured(arguments: list[str]) -> None:
    """`python train.py ARGUMENTS`, and a last line: CPU seconds in all, wall and CPU seconds of the epochs."""
    import lightning.pytorch.loops.fit_loop as loop

    spent = [0.0, 0.0]
    advance = loop._FitLoop.advance

    def timed(self: loop._FitLoop) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        advance(self)
        spent[0] += time.perf_counter() - wall
        spent[1] += time.process_time() - cpu

    loop._FitLoop.advance = timed  # type: ignore[method-assign]
    sys.argv = [str(REPOSITORY / "train.py"), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")
    print(time.process_time(), *spent)


def timed(settings: list[str]) -> tuple[float, float]:
    """Runs a sweep on MNIST. Returns its seconds, and the best final accuracy of its completed jobs."""
    data = Path("data").resolve()  # fetched once
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        common = ["-m", "data=mnist", f"data.data_dir={data}", "callbacks.model_summary.enabled=false"]
        command = [sys.executable, REPOSITORY / "train.py", *common, "hydra.sweep.dir=sweep", *settings]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - began
        with (Path(folder) / "sweep/sweep.csv").open(newline="") as file:
            completed = [float(row["objective"]) for row in csv.DictReader(file) if row["status"] == "completed"]
    return seconds, max(completed)


def rates(count: int) -> str:
    return "optimizer.lr=" + ",".join(f"{10 ** (-4 + 3 * n / max(1, count - 1)):.3g}" for n in range(count))


def asha(rounds: int, *settings: str) -> None:
    """All epochs of 27 rates, and successive halving over them, in turn, with a seed for each round."""
    for seed in range(1, rounds + 1):
        common = ["trainer=cpu", "trainer.max_epochs=9", f"seed={seed}", rates(27), *settings]
        (all_seconds, all_best), (seconds, best) = timed(common), timed([*common, "hydra.sweeper.prune=asha"])
        print(
            f"seed {seed}: all {all_seconds:.0f} s, best {all_best:.4f}; asha {seconds:.0f} s, best {best:.4f}: "
            f"{seconds / all_seconds:.2f} of the time, {100 * (all_best - best):+.2f} points behind",
            flush=True,
        )


def lr_find(rounds: int, *settings: str) -> None:
    """The sweep that a range test suggests, for each of some seeds: is its best rate inside, or at an end?"""
    data = Path("data").resolve()
    for of_data in (["data=mnist", "model=mlp"], ["data=cifar10", "model=cifar10_quick", "data.train_limit=20000"]):
        inside = 0
        for seed in range(1, rounds + 1):
            common = [*of_data, f"data.data_dir={data}", "trainer=cpu", f"seed={seed}", *settings]
            train = [sys.executable, REPOSITORY / "train.py"]
            with tempfile.TemporaryDirectory() as folder:
                told = subprocess.run([*train, *common, "lr_find=true"], cwd=folder, check=True, capture_output=True)
                (suggested,) = re.findall(r"-m .*?(optimizer\.lr=[^ \n]+)", told.stdout.decode())
                job = ["-m", *common, suggested, "trainer.max_epochs=2", "hydra.sweep.dir=sweep"]
                subprocess.run([*train, *job], cwd=folder, check=True, stdout=subprocess.PIPE)
                with (Path(folder) / "sweep/sweep.csv").open(newline="") as file:
                    best = max(csv.DictReader(file), key=lambda row: float(row["objective"] or 0))
            rates = suggested.partition("=")[2].split(",")
            ends = [float(rates[0]), float(rates[-1])]
            inside += (is_inside := float(best["optimizer.lr"]) not in ends)
            where = "inside" if is_inside else "AT AN END"
            print(f"{' '.join(of_data[:2])} seed {seed}: {suggested}, best {best['optimizer.lr']}: {where}", flush=True)
        print(f"{' '.join(of_data[:2])}: the best rate is inside for {inside} of {rounds} seeds", flush=True)


def gpu(jobs: int, *settings: str) -> None:
    """Many rates at once on one GPU, beside one alone."""
    common = ["trainer=gpu", "trainer.devices=1", "model=mnist_cnn", *settings]
    one, _ = timed([*common, rates(1)])
    many, _ = timed([*common, rates(jobs), "hydra/launcher=joblib", "hydra.launcher.n_jobs=auto"])
    print(f"one rate {one:.0f} s, {jobs} rates {many:.0f} s: {many / one:.1f} times the time of one")


def joblib(rounds: int) -> None:
    """The same sweep serial and with two jobs at once, in turn."""
    seconds: dict[str, list[float]] = {"serial": [], "two at once": []}
    six = "optimizer.lr=0.0003,0.001,0.002,0.003,0.005,0.01"
    for _ in range(rounds):
        for name, engine in (
            ("serial", []),
            ("two at once", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]),
        ):
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                command = [sys.executable, REPOSITORY / "train.py", *SWEEP, "trainer.max_epochs=10", six, *engine]
                subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
                seconds[name].append(time.perf_counter() - began)
    for name, values in seconds.items():
        print(f"{name:12} median {statistics.median(values):6.1f} s   each {' '.join(f'{v:.1f}' for v in values)}")
    gain = statistics.median(seconds["serial"]) / statistics.median(seconds["two at once"])
    print(f"{gain:.2f} times as fast on {os.cpu_count()} cores")


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "measured":
        measured(rest)
    else:
        {"overhead": overhead, "joblib": joblib, "asha": asha, "lr_find": lr_find, "gpu": gpu}[what](
            int(rest[0]), *rest[1:]
        )

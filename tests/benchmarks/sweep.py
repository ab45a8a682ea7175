"""What a sweep adds to its trainings, and what two jobs at once gain.

python tests/benchmarks/sweep.py overhead 100    # 100 jobs of about a second each on mnist_sample
python tests/benchmarks/sweep.py joblib 5        # the same six jobs, serial and two at once, five times in turn

`overhead` counts as training what happens inside the epochs, validation included; all else is added: starting Python,
imports, Hydra, data, checkpoints, test, logging, the report. CPU seconds say more than wall seconds on a busy machine.
"""

import os
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
        rates = ",".join(f"{0.0005 + 0.00001 * job:.5f}" for job in range(jobs))
        command = [sys.executable, __file__, "measured", *SWEEP, f"optimizer.lr={rates}"]
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


def joblib(rounds: int) -> None:
    """The same sweep serial and with two jobs at once, in turn."""
    seconds: dict[str, list[float]] = {"serial": [], "two at once": []}
    rates = "optimizer.lr=0.0003,0.001,0.002,0.003,0.005,0.01"
    for _ in range(rounds):
        for name, engine in (
            ("serial", []),
            ("two at once", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]),
        ):
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                command = [sys.executable, REPOSITORY / "train.py", *SWEEP, "trainer.max_epochs=10", rates, *engine]
                subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
                seconds[name].append(time.perf_counter() - began)
    for name, values in seconds.items():
        print(f"{name:12} median {statistics.median(values):6.1f} s   each {' '.join(f'{v:.1f}' for v in values)}")
    gain = statistics.median(seconds["serial"]) / statistics.median(seconds["two at once"])
    print(f"{gain:.2f} times as fast on {os.cpu_count()} cores")


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    measured(rest) if what == "measured" else {"overhead": overhead, "joblib": joblib}[what](int(rest[0]))

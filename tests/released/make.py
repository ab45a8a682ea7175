"""Packs small run folders of every kind, as this version leaves them, for `test_released.py` of all later versions.

python tests/released/make.py        # writes tests/released/VERSION.tar.xz

Run it once a release, from a clean checkout. An archive that has been committed is never made anew.
"""

import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import torch

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "src")]

from pictures import draw_folder, draw_landmarks  # noqa: E402

import litlab  # noqa: E402

COMMON = ["trainer=cpu", "trainer.precision=32-true", "callbacks.report.enabled=false", "trainer.log_every_n_steps=5"]
DIGITS = ["data=mnist_sample", "data.train_limit=320", "model=mlp", "model.hidden=[4]", "checkpoint.every_n_steps=3"]
KINDS = {
    "classification": [*DIGITS, "trainer.max_epochs=2", "callbacks.projector.enabled=false"],
    "regression": ["experiment=linear_regression", "trainer.max_epochs=2", "data.repeats=10", "logger=csv"],
    "landmarks": [
        *("experiment=landmarks", "data.annotations=points/annotations.txt", "data.image_size=16"),
        *("model=mlp", "model.hidden=[4]", "data.num_workers=0", "trainer.max_epochs=1", "logger=csv"),
    ],
    "transfer": [
        *("experiment=fine_tune_folder", "data.data_dir=pictures", "data.image_size=32", "data.num_workers=0"),
        *("data.transforms=[]", "model.pretrained=false", "model.weights=constant.pt", "model.weights_skip_head=true"),
        *("model.freeze=backbone", "trainer.max_epochs=1", "logger=csv"),
    ],
    "undisturbed": [*DIGITS, "data.augment=[random_crop]", "trainer.max_epochs=12", "logger=csv"],
}
SWEEP = [*DIGITS, "logger=csv", "trainer.max_epochs=6", "optimizer.lr=0.001,0.003,0.01", "hydra.sweep.dir=sweep"]


def train(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, REPOSITORY / "train.py", *arguments, *COMMON], cwd=folder)


def stop_within(process: subprocess.Popen, run: Path, signum: signal.Signals) -> None:
    """Sends a signal once the run has saved twice."""
    while not (run / "checkpoints/previous.ckpt").exists():
        assert process.poll() is None, "it ended too soon"
        time.sleep(0.002)
    process.send_signal(signum)
    process.wait()


def constant_weights() -> dict[str, torch.Tensor]:
    """Weights of a ResNet-18 that need no room in an archive."""
    from litlab.networks import ResNet18

    return {name: torch.full_like(value, 0.01) for name, value in ResNet18((3, 32, 32), 1000).state_dict().items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_landmarks(folder / "points", count=20)
        draw_folder(folder / "pictures", count=6)
        torch.save(constant_weights(), folder / "constant.pt")
        for kind, arguments in KINDS.items():
            assert train(folder, *arguments, f"hydra.run.dir={kind}").wait() == 0
        for kind, signum in (("killed", signal.SIGKILL), ("interrupted", signal.SIGTERM)):
            process = train(folder, *KINDS["undisturbed"], f"hydra.run.dir={kind}")
            stop_within(process, folder / kind, signum)
        process = train(folder, "-m", *SWEEP)
        stop_within(process, folder / "sweep/optimizer.lr=0.003", signal.SIGKILL)
        with tarfile.open(Path(__file__).with_name(f"{litlab.__version__}.tar.xz"), "w:xz", preset=9) as archive:
            for kind in (*KINDS, "killed", "interrupted", "sweep"):
                archive.add(folder / kind, kind)


if __name__ == "__main__":
    main()

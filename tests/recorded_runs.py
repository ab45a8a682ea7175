"""Small runs in this process, from the config that is recorded in a run folder, as `resume=` starts them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from scripts import composed

from litlab.config import Run, read_recorded
from litlab.training import run_training

TINY = [
    *("data=mnist_sample", "trainer=cpu", "model=mlp", "data.train_limit=640", "trainer.log_every_n_steps=3"),
    *("trainer.max_epochs=3", "data.augment=[random_crop]", "callbacks.early_stopping.enabled=true"),
    "callbacks.report.enabled=false",
]  # 3 epochs of 10 steps

# A line through six points. Gradient descent diverges if the learning rate is above about 0.19. Below it, the weights
# come back from wherever they are.
LINE = ["experiment=linear_regression", "trainer=cpu", "on_nan=rewind", "trainer.log_every_n_steps=10"]

WITHOUT_FAULT = "callbacks.fault.enabled=false"


def stop_at(step: int, hook: str = "on_train_batch_start", signal_name: str = "SIGTERM") -> str:
    """The override with which a run gets a signal when Lightning calls `hook` after so many steps."""
    fault = f"_target_: faults.injected.SignalAt, signal_name: {signal_name}, step: {step}, hook: {hook}"
    return f"+callbacks.fault={{{fault}}}"


def record_run(folder: Path, *overrides: str, base: Sequence[str] = TINY) -> Any:
    """Composes the config of a run, records it in its folder as Hydra does, and returns it."""
    (folder / ".hydra").mkdir(parents=True)
    cfg = composed(*base, *overrides)
    OmegaConf.save(cfg, folder / ".hydra/config.yaml")
    OmegaConf.save(OmegaConf.create([*base, *overrides]), folder / ".hydra/overrides.yaml")
    return cfg


def train_recorded(folder: Path, *overrides: str, checkpoint: Path | None = None) -> None:
    """Trains the run that is recorded in a folder: from its beginning, or from its last checkpoint if it has one."""
    recorded, earlier = read_recorded(folder)
    cfg = OmegaConf.merge(recorded, OmegaConf.from_dotlist(list(overrides)))
    run_training(Run(cfg, folder, [*earlier, *overrides], resumed=True, checkpoint=checkpoint))

"""The settings of a run: as text, and as a row of the table in which TensorBoard compares runs."""

from typing import Any

import yaml
from torch.utils.tensorboard.summary import hparams

from litlab.callbacks.checkpoints import Checkpoints, epoch_metrics
from litlab.callbacks.exact import ExactResume
from litlab.callbacks.watch import Part, View

GROUPS = ("model", "data", "loss", "optimizer", "scheduler")
FROM_DATA = ("data.batch_size", "data.augment", "data.train_limit", "data.balanced")  # the rest changes no numbers
FROM_TRAINER = ("max_epochs", "precision", "gradient_clip_val", "accumulate_grad_batches")


class ConfigText(Part):
    """The resolved config as YAML, on the text tab."""

    def fits(self, view: View) -> bool:
        return bool(config_of(view))

    def begin(self, view: View) -> None:
        if not view.step:  # a resumed run has it already
            text = yaml.safe_dump(config_of(view), sort_keys=False, allow_unicode=True)
            markdown = "\n".join(f"    {line}" for line in text.splitlines())
            view.write(lambda writer: writer.add_text("config", markdown, 0))


class HParams(Part):
    """The row of this run on the HParams tab: settings, and `best/...`: the metrics of the best checkpoint.

    Written into the run's own event file, so that the row has the name of the run's folder: of a sweep's job,
    its overrides.
    """

    def fits(self, view: View) -> bool:
        return bool(config_of(view))

    def finish(self, view: View) -> None:
        config = config_of(view)
        keeper = next((c for c in view.trainer.callbacks if isinstance(c, Checkpoints)), None)  # type: ignore[attr-defined]
        metrics = (keeper.best_metrics if keeper else {}) or epoch_metrics(view.trainer)
        best = {f"best/{name}": value for name, value in metrics.items()}
        tested = config.get("test") and view.data.test_set is not None
        tests = [f"test/{name}" for name in view.module.meters["test"].names] if tested else []  # still to come
        order = sorted(best, key=lambda name: name != f"best/{config['objective']}")
        row = hparams(settings(config), dict.fromkeys([*order, *tests]))

        def add(writer: Any) -> None:
            for summary in row:
                writer._get_file_writer().add_summary(summary)
            for name, value in best.items():
                writer.add_scalar(name, value, view.step)

        view.write(add)


def config_of(view: View) -> dict[str, Any]:
    """The composed config of the run; empty where it was not made from one."""
    found = (c.config for c in view.trainer.callbacks if isinstance(c, ExactResume))  # type: ignore[attr-defined]
    return next(found, None) or {}


def settings(config: dict[str, Any]) -> dict[str, float | str | bool]:
    """What a user chooses between, flat: `model`, `optimizer.lr`, `data.batch_size`, ..."""
    flat: dict[str, Any] = {}
    for group in GROUPS:
        node = config.get(group) or {}
        flat[group] = str(node.get("_target_", "none")).rpartition(".")[2]
        for name, value in node.items():
            key = f"{group}.{name}"
            if name != "_target_" and (group != "data" or key in FROM_DATA):
                flat[key] = value
    flat |= {f"trainer.{name}": config["trainer"].get(name) for name in FROM_TRAINER}
    flat |= {name: config[name] for name in ("seed", "objective")}
    return {
        key: value if isinstance(value, bool | int | float | str) else str(value)
        for key, value in flat.items()
        if value is not None
    }

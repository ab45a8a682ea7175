"""The callback that calls the panels."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightning
from torch import Tensor

from litlab.callbacks.loggers import MetricsCSV
from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.modules import NonFiniteLoss, as_float

HOOKS = (
    "begin",
    "begin_epoch",
    "first_batch",
    "scalars",
    "last_step",
    "validated",
    "end_epoch",
    "finish",
    "diverge",
)


class Panels(lightning.Callback):
    """Calls the hooks of all panels. It is one callback, so that a step asks once whether there is anything to do.

    Args:
        panels: what to show. Those that do not apply to the run are left out.
        config: the composed config, as plain data; None where there is none, as in a notebook.
    """

    def __init__(self, panels: Sequence[Panel], config: Mapping[str, Any] | None = None) -> None:
        self.panels, self.config = list(panels), config
        self._calls: dict[str, list[Panel]] = {hook: [] for hook in HOOKS}

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self.view = view = View(trainer, pl_module, self.config)
        shown = [
            panel
            for panel in self.panels
            if (view.boards or not panel.only_board)
            and not (panel.whole_weights and view.is_split)
            and panel.applies(view)
        ]
        for hook in HOOKS:
            self._calls[hook] = [panel for panel in shown if getattr(type(panel), hook) is not getattr(Panel, hook)]

    def on_train_start(self, *_: Any) -> None:
        self._call("begin")
        self._keep_first_images()

    def on_train_epoch_start(self, *_: Any) -> None:
        self._keep_first_images()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            self._first_step = trainer.global_step
            self._call("begin_epoch")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        if pl_module.first_images is not None:
            images, pl_module.first_images = pl_module.first_images, None
            self._call("first_batch", images, self._first_step)

    def on_before_optimizer_step(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        step = trainer.global_step
        if (step + 1) % pl_module.log_every_n_steps == 0:
            self._log_scalars(trainer, pl_module, step)
        if self._calls["last_step"] and trainer.is_last_batch:
            self._call("last_step")

    def on_validation_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if not trainer.sanity_checking:
            self._call("validated")

    def on_train_epoch_end(self, *_: Any) -> None:
        self._call("end_epoch")

    def on_fit_end(self, *_: Any) -> None:
        self._call("finish")

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        if isinstance(exception, NonFiniteLoss):
            self._call("diverge")

    def _log_scalars(self, trainer: lightning.Trainer, pl_module: Any, step: int) -> None:
        logged = [(panel.reproducible, panel.scalars(self.view)) for panel in self._calls["scalars"]]
        everything = {name: value for _, values in logged for name, value in values.items()}
        reproducible = {name: value for same, values in logged if same for name, value in values.items()}
        pl_module.later(lambda: self._write(trainer, step, everything, reproducible))

    def _write(
        self, trainer: lightning.Trainer, step: int, everything: dict[str, Any], reproducible: dict[str, Any]
    ) -> None:
        """Writes the values of a step. By now the device has those that are tensors."""
        known = {name: as_float(v) if isinstance(v, Tensor) else v for name, v in everything.items()}
        for logger in trainer.loggers:
            names = reproducible if isinstance(logger, MetricsCSV) else everything
            if values := {name: known[name] for name in names}:
                logger.log_metrics(values, step)

    def _keep_first_images(self) -> None:
        view = self.view
        view.module.keeps_first_images = any(panel.wants_first_batch(view) for panel in self._calls["first_batch"])

    def _call(self, hook: str, *arguments: Any) -> None:
        for panel in self._calls[hook]:
            getattr(panel, hook)(self.view, *arguments)

"""Calls the panels at their moments."""

from collections.abc import Sequence
from typing import Any

import lightning
from torch import Tensor

from litlab.callbacks.loggers import MetricsCSV
from litlab.callbacks.tensorboard.panel import Panel, View
from litlab.modules import NonFiniteLoss, as_float


class Panels(lightning.Callback):
    """Calls each hook of the panels at its moment.

    One callback for all of them: a step asks once whether anything is to be done, not a dozen times.

    Args:
        panels: what to show. Those that do not apply to the run are left out.
    """

    MOMENTS = (
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

    def __init__(self, panels: Sequence[Panel]) -> None:
        self.panels = list(panels)
        self._at: dict[str, list[Panel]] = {moment: [] for moment in self.MOMENTS}

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self.view = view = View(trainer, pl_module)
        shown = [
            panel
            for panel in self.panels
            if (view.boards or not panel.only_board)
            and not (panel.whole_weights and view.is_split)
            and panel.applies(view)
        ]
        for moment in self.MOMENTS:
            self._at[moment] = [p for p in shown if getattr(type(p), moment) is not getattr(Panel, moment)]

    def on_train_start(self, *_: Any) -> None:
        self._call("begin")
        self._keep_first_images()

    def on_train_epoch_start(self, *_: Any) -> None:
        self._keep_first_images()

    def _keep_first_images(self) -> None:
        self.view.module.keeps_first_images = any(
            panel.wants_first_batch(self.view) for panel in self._at["first_batch"]
        )

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
            logged = [(panel.reproducible, panel.scalars(self.view)) for panel in self._at["scalars"]]
            everything = {name: value for _, values in logged for name, value in values.items()}
            reproducible = {name: value for same, values in logged if same for name, value in values.items()}
            pl_module.later(lambda: self._log(trainer, step, everything, reproducible))
        if self._at["last_step"] and trainer.is_last_batch:
            self._call("last_step")

    def _log(
        self, trainer: lightning.Trainer, step: int, everything: dict[str, Any], reproducible: dict[str, Any]
    ) -> None:
        """Writes the values of a step; those that are tensors still are on the device."""
        known = {name: as_float(v) if isinstance(v, Tensor) else v for name, v in everything.items()}
        for logger in trainer.loggers:
            names = reproducible if isinstance(logger, MetricsCSV) else everything
            if values := {name: known[name] for name in names}:
                logger.log_metrics(values, step)

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

    def _call(self, moment: str, *arguments: Any) -> None:
        for panel in self._at[moment]:
            getattr(panel, moment)(self.view, *arguments)

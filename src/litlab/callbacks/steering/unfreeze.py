"""Trains a frozen backbone too, from some epoch on (`model.unfreeze_at=3`)."""

from typing import Any

import lightning

from litlab.console import log
from litlab.distributed.strategies import rebuild_ddp
from litlab.networks import Freezable


class Unfreeze(lightning.Callback):
    """Unfreezes the backbone when its epoch begins, or when a run is resumed after that.

    The optimizer has all parameters from the start, so schedules and checkpoints need not know of this. It skips those
    without a gradient. So the frozen epochs cost what they cost without this callback.

    Args:
        network: with a frozen backbone.
        epoch: the first one in which the backbone is trained, from 0.
    """

    def __init__(self, network: Freezable, epoch: int) -> None:
        self.network, self.epoch = network, epoch

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self.on_train_epoch_start(trainer, pl_module)  # Lightning does not start an epoch that is resumed in its middle

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if not self.network.frozen or trainer.current_epoch < self.epoch:
            return
        self.network.unfreeze()
        rebuild_ddp(trainer.strategy)  # it averages the gradients of those parameters that had one when it was built
        if pl_module.engine is not None:
            pl_module.engine.renew()
        if pl_module.compiled is not None:
            pl_module.compiled.renew()
        log.info("epoch %d: the backbone is trained too, from now on", trainer.current_epoch)

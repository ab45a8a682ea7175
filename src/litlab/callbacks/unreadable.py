"""Pictures that nobody has checked before the training: it checks them while it reads them."""

import warnings
from typing import Any

import lightning

from litlab.callbacks.gather import gathered
from litlab.data.class_pictures import ClassPictures
from litlab.data.workers import BadPicture


class UnreadablePictures(lightning.Callback):
    """Says after each epoch which pictures could not be read, and keeps in the index those that could.

    See `ClassPictures.setup`: with very many pictures, another one stands in the place of one that cannot be read.
    """

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Warns of pictures that could not be read.

        Raises:
            BadPicture: they are too many.
        """
        if (data := self._keep(trainer)) is None:
            return
        own = data.trained[data.first_reading.unreadable].tolist()
        rows = sorted({row for part in gathered(own, trainer.world_size) for row in part})
        try:
            with warnings.catch_warnings():
                if not trainer.is_global_zero:
                    warnings.simplefilter("ignore")
                data.check.report(data.check.reasons(rows), logged=own)
        except ValueError as error:
            raise BadPicture(str(error)) from None

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._keep(trainer)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        self._keep(trainer)

    def _keep(self, trainer: lightning.Trainer) -> Any:
        """Keeps what was read. Returns the data module; None if all of its pictures were checked before."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, ClassPictures) or data.check is None or data.first_reading is None:
            return None
        if data.first_reading.has_news():
            data.check.keep(data.trained, data.first_reading.pixels)
        return data

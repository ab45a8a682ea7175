"""Batches as the network sees them."""

from torch import Tensor

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.figures import grid, viewable


class Pictures(Panel):
    """`view/pictures/train`: the first training batch of an epoch, augmented. `view/pictures/val`: of validation.

    Args:
        count: how many pictures at most.
        every_n_epochs: shown in the first epoch, and then every so many epochs.
    """

    def __init__(self, count: int = 64, every_n_epochs: int = 10) -> None:
        self.count, self.every_n_epochs = count, every_n_epochs

    def applies(self, view: View) -> bool:
        return view.has_pictures

    def wants_first_batch(self, view: View) -> bool:
        return view.draws and view.is_due(self.every_n_epochs)

    def first_batch(self, view: View, images: Tensor, step: int) -> None:
        if self.wants_first_batch(view):
            self._show(view, "train", images, step)
            if view.epoch == 0 and view.data.val_set is not None:  # they are the same in every epoch
                indices = range(min(self.count, len(view.data.val_set)))
                self._show(view, "val", view.evaluation_images(indices)[0], step)

    def _show(self, view: View, split: str, images: Tensor, step: int) -> None:
        shown = viewable(images[: self.count], view.data.mean, view.data.std)
        view.image(f"pictures/{split}", grid(shown, least=48), step)

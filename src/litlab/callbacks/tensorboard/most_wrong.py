"""Where the network is most confidently wrong."""

from typing import Any

from litlab.callbacks.outputs import outputs_of
from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.figures import Picture, sheet, viewable


class MostWrong(Panel):
    """`wrong/val`: the validation images with the highest probability for a wrong class, each epoch.

    Args:
        count: how many.
    """

    def __init__(self, count: int = 24) -> None:
        self.count = count

    def applies(self, view: View) -> bool:
        return view.has_pictures and view.has_classes and view.is_validated

    def validated(self, view: View) -> None:
        batches: Any = view.trainer.val_dataloaders.batch_sampler  # type: ignore[union-attr]
        indices = [index for batch in batches for index in batch]
        mistakes = outputs_of(view.trainer).most_wrong(view.trainer, indices, self.count)  # by all ranks together
        if not mistakes or not view.draws:
            return
        images, _ = view.evaluation_images([mistake.index for mistake in mistakes])
        pictures = [
            Picture(image, mistake.caption(view.data.class_names), "firebrick")
            for image, mistake in zip(viewable(images, view.data.mean, view.data.std), mistakes, strict=True)
        ]
        view.image("wrong/val", sheet(pictures, columns=4, text=16))  # TensorBoard makes wide pictures small

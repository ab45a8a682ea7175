"""Which classes the network takes for which others."""

from litlab.callbacks.outputs import outputs_of
from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.figures import confusion_matrix

CARD, TEXT = (
    (640, 432),
    24,
)  # pixels: twice a card of Time Series, which shows the picture and its text at half the size
MOST = 15  # classes whose numbers can be read on a card; more have a picture as large as they need


class ConfusionMatrix(Panel):
    """`view/confusion/val`: the confusion matrix of the validation set, each epoch."""

    def applies(self, view: View) -> bool:
        return view.has_classes and view.is_validated

    def validated(self, view: View) -> None:
        counts = outputs_of(view.trainer).confusion(view.trainer, view.data.num_classes)  # by all ranks together
        if view.draws:
            names = view.data.class_names
            size = CARD if len(names) <= MOST else None
            view.image("confusion/val", confusion_matrix(counts, names, size=size, text=TEXT))

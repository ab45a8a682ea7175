"""The base class of the panels."""

from torch import Tensor, nn

from litlab.callbacks.tensorboard.view import View


class Panel:
    """One TensorBoard panel. Override the hooks you need: they run on every rank, and the others cost nothing.

    So that a resumed run shows the same, a panel draws no random numbers, and keeps nothing from one hook to the next
    that a later step needs. What it writes stands at `view.step`, or at an earlier step.
    """

    only_board = True  # it shows nothing without TensorBoard
    whole_weights = False  # it reads the weights, or runs the network on one rank: impossible where they are split
    reproducible = True  # its scalars are the same when the run is repeated, so they may be in metrics.csv

    def check_network(self, network: nn.Module) -> None:
        """Raises ValueError, with a message that begins with the argument's name, if a setting does not fit."""

    def applies(self, view: View) -> bool:
        """Whether this run has something to show."""
        return True

    def begin(self, view: View) -> None:
        """Before the first step of a run, also of a resumed one."""

    def begin_epoch(self, view: View) -> None:
        """Before the first step of an epoch."""

    def first_batch(self, view: View, images: Tensor, step: int) -> None:
        """After the first step of an epoch.

        Args:
            images: [B, ...], as the network saw them.
            step: the number of this step.
        """

    def wants_first_batch(self, view: View) -> bool:
        """Whether `first_batch` has something to do in this epoch."""
        return True

    def scalars(self, view: View) -> dict[str, float | Tensor]:
        """Values to log every `trainer.log_every_n_steps` steps, while the gradients of the step are there.

        A value may be a tensor [], which is read when the device has it.
        """
        return {}

    def last_step(self, view: View) -> None:
        """In the last step of an epoch, while its gradients are there."""

    def validated(self, view: View) -> None:
        """After a validation."""

    def end_epoch(self, view: View) -> None:
        """After an epoch and its validation."""

    def finish(self, view: View) -> None:
        """After training."""

    def diverge(self, view: View) -> None:
        """After training has ended because the loss or a weight became NaN or infinite."""

"""The moments of a training in which a checkpoint can be written that holds everything."""

import lightning

from litlab.lightning_internals import is_accumulating, is_last_batch, is_validated_next


def can_resume_here(trainer: lightning.Trainer) -> bool:
    """True if training can resume exactly from here, after a training batch.

    Not while gradients of several batches are accumulated for one step. Not when a validation comes next, at the end of
    an epoch or by `trainer.val_check_interval`: the resumed run would leave it out.
    """
    return not (is_accumulating(trainer) or is_last_batch(trainer) or is_validated_next(trainer))


def can_resume_at_validation(trainer: lightning.Trainer) -> bool:
    """True if training can resume exactly from here, before or in a validation.

    Not while gradients of several batches are accumulated for one step, as `trainer.val_check_interval` makes possible.
    """
    return trainer.state.fn == "fit" and not trainer.sanity_checking and not is_accumulating(trainer)

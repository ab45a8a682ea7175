"""`on_nan=rewind`: back to the last good checkpoint with half the learning rate."""

from litlab.callbacks import learning_rate
from litlab.checkpoint import good_checkpoint, read
from litlab.config import Run, record
from litlab.console import warn
from litlab.runs import BEST, CONFIG, LATEST

MOST_REWINDS = 3


def may_rewind(run: Run) -> bool:
    """Whether the run goes back once more if the loss becomes NaN."""
    return run.get("on_nan") == "rewind" and run.get("rewinds", 0) < MOST_REWINDS


def rewound(run: Run, reason: str) -> Run:
    """The run from its last good checkpoint on, with half the learning rate.

    The NaN may come back after that checkpoint. So the config records the step of the checkpoint: the next rewind then
    goes back further, also if the run is killed in between.

    Args:
        reason: what became NaN, for the user.
    """
    saved = any((run.folder / name).exists() for name in (*LATEST, BEST))
    checkpoint = good_checkpoint(run.folder, before=run.get("rewound_to"))
    changes = {"rewinds": run.get("rewinds", 0) + 1}
    if checkpoint:
        changes["rewound_to"] = read(checkpoint)["global_step"]
    run = run.settled(**changes).rewound_to(checkpoint)
    if (run.folder / CONFIG).exists():
        record(run.folder, run.cfg, run.overrides)
    why = "no earlier checkpoint is left" if saved else "nothing was saved yet"
    place = f"back to {checkpoint.name}" if checkpoint else f"back to the beginning, {why},"
    count = f"rewind {changes['rewinds']} of {MOST_REWINDS}"
    warn(f"{reason}: {place} with half the learning rate, {learning_rate(run.cfg):g} ({count})")
    return run

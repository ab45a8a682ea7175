"""`litlab train` and `litlab predict`. The scripts train.py and predict.py of a clone are the same two functions."""

from litlab.cli.script import script
from litlab.cli.signals import signals_wait
from litlab.config import Run
from litlab.importing import collector_rests


@script("train")
def train(run: Run) -> float | None:
    with signals_wait(), collector_rests():
        from litlab.training import run_training  # imports torch: a mistyped setting need not wait for that

    return run_training(run)


# own_first=False: in somebody else's folder, a config must not decide what is imported unless it is asked for by name.
@script("predict", own_first=False)
def predict(run: Run) -> None:
    with signals_wait(), collector_rests():
        from litlab.prediction import run_prediction

    run_prediction(run)

"""Every augmentation and every way to mix trains with each task that it fits, and resumes bit for bit."""

import pytest
from faults.compare import differences
from pictures import draw_labels, draw_landmarks
from recorded_runs import WITHOUT_FAULT, record_run, stop_at, train_recorded

from litlab.data.augment import AUGMENTATIONS
from litlab.data.landmarks import MOVE_NOTHING
from litlab.errors import RunFailed

pytestmark = pytest.mark.slow

SMALL = [
    *(
        "trainer=cpu",
        "model=mlp",
        "model.hidden=[8]",
        "trainer.max_epochs=2",
        "trainer.log_every_n_steps=3",
        "test=false",
    ),
    *("data.batch_size=8", "callbacks.model_summary.enabled=false", "callbacks.report.enabled=false", "logger=csv"),
]
PICTURES = ["data.image_size=16", "data.num_workers=0", "data.val_size=0.2", "data.test_size=0.1"]
SEVERAL = ("red", "green;blue", "", "red;blue")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """The settings of each task, with data of its kind."""
    folder = tmp_path_factory.mktemp("data")
    rows = "".join(f"{number}.png,{SEVERAL[number % len(SEVERAL)]}\n" for number in range(40))
    labels, points = draw_labels(folder, f"file,label\n{rows}"), draw_landmarks(folder / "faces", count=40)
    return {
        "classification": ["data=mnist_sample", "data.train_limit=40", "data.val_size=16"],
        "multilabel": ["data=csv", f"data.file={labels}", *PICTURES, "loss=bce_with_logits", "objective=val/map"],
        "landmarks": ["data=landmarks", f"data.annotations={points}", *PICTURES, "loss=mse", "objective=val/mse"],
    }


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        *(("classification", [f"data.augment=[{name}]"]) for name in AUGMENTATIONS),
        *(("multilabel", [f"data.augment=[{name}]"]) for name in AUGMENTATIONS),
        *(("landmarks", [f"data.augment=[{name}]"]) for name in MOVE_NOTHING),
        *(("classification", [f"mix={name}"]) for name in ("mixup", "cutmix", "both")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0].partition("=")[2].strip("[]"),
)
def test_it_trains_and_a_resumed_run_is_the_same_run(tasks, tmp_path, task, settings):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    record_run(whole, *tasks[task], *settings, base=SMALL)
    train_recorded(whole)
    record_run(stopped, *tasks[task], *settings, stop_at(6), base=SMALL)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(stopped)
    train_recorded(stopped, WITHOUT_FAULT)
    assert differences(stopped, whole) == []

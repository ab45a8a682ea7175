"""What TensorBoard has to show of a run."""

import pytest
import yaml
from events import read
from scripts import QUICK, REPOSITORY


def test_pictures_of_each_epoch_stand_at_its_step(seen):
    steps = {tag: [event.step for event in seen.Images(tag)] for tag in seen.Tags()["images"]}
    each = [55, 110]
    assert steps == {
        "view/pictures/train": [0],
        "view/pictures/val": [0],
        "view/wrong/val": each,
        "view/confusion/val": each,
        "view/filters": each,
    }
    assert [event.step for event in seen.Scalars("val/loss")] == each


def test_scalars_come_first_where_all_cards_are_sorted_by_name(seen):
    groups = {kind: {tag.split("/")[0] for tag in seen.Tags()[kind]} for kind in ("scalars", "images", "histograms")}
    assert groups["images"] == {"view"}
    assert max(groups["scalars"]) < min(groups["images"] | groups["histograms"])


PANELS = [
    name
    for name, node in yaml.safe_load((REPOSITORY / "conf/callbacks/default.yaml").read_text()).items()
    if (node.get("_target_") or "").startswith("litlab.callbacks.")
    and name not in ("progress", "model_summary", "diagnosis", "report")
]


def test_what_is_switched_off_leaves_nothing(train_here):
    off = [f"callbacks.{name}.enabled=false" for name in (*PANELS, "diagnosis")]
    done = train_here(*QUICK, "data.train_limit=640", "trainer.log_every_n_steps=2", *off)
    assert done.status == 0, done.err
    seen = read(done.runs[0])
    losses = {f"{split}/{name}" for split in ("train", "val", "test") for name in ("loss", "acc")}
    assert set(seen.Tags()["scalars"]) == losses | {"epoch", "train/loss_step", "train/acc_step"}
    assert not any(seen.Tags()[kind] for kind in ("images", "histograms", "tensors", "graph"))
    assert not list(done.runs[0].glob("projector*"))


@pytest.mark.parametrize("logger", ["none", "csv"])
def test_without_tensorboard_there_are_tables_only(train_here, logger):
    done = train_here(*QUICK, "data.train_limit=640", "trainer.log_every_n_steps=2", f"logger={logger}")
    assert done.status == 0, done.err
    assert not [*done.runs[0].glob("events*"), *done.runs[0].glob("projector*")]
    if logger == "csv":
        assert "train/gradient_norm" in (done.runs[0] / "metrics.csv").read_text().splitlines()[0]


@pytest.mark.slow
def test_a_regression_shows_what_it_has(train_here):
    done = train_here("experiment=linear_regression", "trainer=cpu", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    seen = read(done.runs[0])
    assert seen.Tags()["images"] == []
    assert "weights/layers.1.weight" in seen.Tags()["histograms"]
    assert seen.Tags()["graph"]

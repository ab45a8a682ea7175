"""Ensembles are not measured on pictures on which some of their networks were trained."""

import json
from dataclasses import replace

import pytest
from pictures import draw_folder
from predictions import evaluated

from litlab import checkpoint
from litlab.checkpoint import Named
from litlab.data import DrawnSplits, HuggingFace, ImageFolder, LabelFile, MNISTSample
from litlab.errors import ConfigError
from litlab.prediction.held_out import decides


@pytest.fixture(scope="module")
def trained(quick_run):
    return checkpoint.load(quick_run.runs[0] / "checkpoints/best.ckpt")


def alike(trained, kind, split, *settings, drawn=None, record=None, folder=None):
    """Whether the pictures of a split are the same in two trainings with these settings.

    Args:
        drawn: what each of them drew, as `splits.csv` has it.
        record: what their checkpoints say of that.
        folder: for their run folders.
    """
    members = []
    for number, args in enumerate(settings):
        run = (folder or trained.path.parent) / str(number)
        if drawn:
            (run / "checkpoints").mkdir(parents=True, exist_ok=True)
            DrawnSplits(drawn[number]).write(run / "splits.csv")
        data = replace(trained.data, preprocess={"resizer": "torch"}, drawn=record[number] if record else {})
        path = run / "checkpoints/best.ckpt"
        members.append(replace(trained, path=path, source=Named(f"litlab.data.{kind.__name__}", args), data=data))
    one, other = (decides(member, split, kind) for member in members)
    return one == other


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"seed": 1}, {"seed": 1, "batch_size": 9}, True),
        ({"seed": 1}, {"seed": 2}, False),
        ({"seed": 1, "val_size": 100}, {"seed": 1, "val_size": 200}, False),
        ({"seed": 1, "folds": 3, "fold": 0}, {"seed": 1, "folds": 3, "fold": 1}, False),
        ({"seed": 1, "folds": 3, "fold": 0}, {"seed": 1, "folds": 3, "fold": None}, True),
        ({"seed": 1, "folds": None, "data_dir": "a"}, {"seed": 1, "data_dir": "b"}, True),
    ],
)
def test_the_settings_decide_what_is_held_out_of_images_in_memory(trained, one, other, same):
    assert alike(trained, MNISTSample, "val", one, other) == same
    assert alike(trained, MNISTSample, "test", one, other)


def test_what_was_drawn_decides_it_for_pictures_in_files(trained, tmp_path):
    folds = [
        {"a/1.png": "val", "a/2.png": "train", "a/3.png": "test"},
        {"a/1.png": "train", "a/2.png": "val", "a/3.png": "test"},
    ]
    settings = [{"data_dir": "a", "seed": 1, "test_size": 1, "folds": 2, "fold": fold} for fold in (0, 1)]
    assert not alike(trained, ImageFolder, "val", *settings, drawn=folds, folder=tmp_path)
    assert alike(trained, ImageFolder, "test", *settings, drawn=folds, folder=tmp_path)
    records = [DrawnSplits(fold).summary() for fold in folds]
    assert not alike(trained, ImageFolder, "val", *settings, record=records)
    assert alike(trained, ImageFolder, "val", *settings, record=records[:1] * 2)


def test_without_a_drawing_the_place_decides_it(trained):
    seeds = [{"data_dir": "a", "seed": seed, "val_size": 0.2, "test_size": 0.2} for seed in (1, 2)]
    assert alike(trained, ImageFolder, "val", *seeds)  # with the folders train/, val/ and test/
    assert not alike(trained, LabelFile, "val", {"file": "fold0.csv"}, {"file": "fold1.csv"})
    assert not alike(trained, HuggingFace, "test", {"name": "a/b", "data_dir": "x"}, {"name": "a/c", "data_dir": "x"})
    assert alike(trained, HuggingFace, "test", {"name": "a/b", "data_dir": "x"}, {"name": "a/b", "data_dir": "y"})


def test_litlab_0_1_recorded_no_drawing_so_that_the_settings_decide(trained):
    def old(seed, **args):
        source = Named("litlab.data.ImageFolder", {"data_dir": "a", "seed": seed, **args})
        return replace(
            trained, path=trained.path.parent / "x/y", source=source, data=replace(trained.data, preprocess={})
        )

    assert decides(old(1), "val", ImageFolder) != decides(old(2), "val", ImageFolder)
    assert decides(old(1), "test", ImageFolder) == decides(old(2), "test", ImageFolder)
    assert decides(old(1, test_size=5), "test", ImageFolder) != decides(old(2, test_size=5), "test", ImageFolder)


def refused(setting):
    """How the refusal begins."""
    return f"^{setting}: the networks of the ensemble held out different "


@pytest.mark.parametrize("swept", [pytest.param("seed=1,2", marks=pytest.mark.slow), "data.folds=3 data.fold=0,1"])
def test_networks_with_splits_of_their_own_are_measured_on_the_test_set_only(swept, train_here, use, digits, tmp_path):
    quick = "data=mnist_sample model=mlp trainer=cpu trainer.max_epochs=1 data.train_limit=640 logger=none"
    quiet = "callbacks.report.enabled=false callbacks.model_summary.enabled=false hydra.sweep.dir=runs/ens"
    done = train_here("-m", *quick.split(), *quiet.split(), *swept.split())
    assert done.status == 0, done.err
    both = ("ckpt=runs/ens", "ensemble=true")
    with pytest.raises(ConfigError, match=refused("evaluate=val") + "validation pictures.*: write evaluate=test$"):
        use(*both, "evaluate=val")
    for more in ("evaluate=test", f"input={digits[0]}"):
        with pytest.raises(ConfigError, match=refused("calibrate=true") + "validation pictures"):
            use(*both, "calibrate=true", more)
    assert not (tmp_path / "evaluation").exists()
    use(*both, "evaluate=test")
    assert evaluated(tmp_path / "evaluation")["images"] == 1000
    if "fold" not in swept:
        use(
            *both, "evaluate=val", "data=fake", "data.input_shape=[1,28,28]"
        )  # other pictures than those of the training
        assert json.loads((tmp_path / "evaluation/evaluation.json").read_text())["dataset"] == "fake"


@pytest.mark.slow
def test_test_pictures_that_were_drawn_are_compared_too(train_here, use, tmp_path):
    folder = draw_folder(tmp_path / "pictures", count=15)
    quick = (
        f"data=image_folder data.data_dir={folder} data.image_size=16 data.num_workers=0 data.test_size=0.2 model=mlp"
    )
    more = "trainer=cpu trainer.max_epochs=1 logger=none callbacks.report.enabled=false"
    for name, swept in (("seeds", ["seed=1,2"]), ("folds", ["data.folds=3", "data.fold=0,1"])):
        done = train_here("-m", *quick.split(), *more.split(), *swept, f"hydra.sweep.dir=runs/{name}")
        assert done.status == 0, done.err
    with pytest.raises(ConfigError, match=refused("evaluate=test") + "test pictures.*: train them with one split, or "):
        use("ckpt=runs/seeds", "ensemble=true", "evaluate=test")
    with pytest.raises(ConfigError, match=refused("evaluate=val")):
        use("ckpt=runs/folds", "ensemble=true", "evaluate=val")
    use("ckpt=runs/folds", "ensemble=true", "evaluate=test")  # its test pictures are the same in all folds
    assert evaluated(tmp_path / "evaluation")["images"] == 6
    use("ckpt=runs/seeds", "ensemble=true", f"input={folder}")

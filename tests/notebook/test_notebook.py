"""What a notebook does with litlab: train, look, load, predict, measure."""

import io
import logging
import os
import re
import shutil
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

import litlab
from litlab.console import logged_to, say
from litlab.data import MNISTSample
from litlab.errors import ConfigError
from litlab.networks import ResNet18
from litlab.runs.listing import runs_in

QUICK = ["data=mnist_sample", "model=mlp", "trainer=cpu", "trainer.max_epochs=2", "callbacks.report.enabled=false"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("notebook"), Path.cwd()
    os.chdir(folder)
    try:
        yield litlab.train(overrides=QUICK)
    finally:
        os.chdir(before)


def test_train_leaves_a_run_folder_and_returns_it(run):
    assert run.folder.parent.as_posix() == "runs/mnist_sample_mlp"
    assert run.result["status"] == "completed"
    assert run.metrics["test/acc"] > 0.8
    assert [len(run.history()[name]) for name in ("train/loss", "val/acc")] == [2, 2]


def test_the_log_and_the_options_are_recorded(run):
    lines = (run.folder / "train.log").read_text().splitlines()
    [completed] = [line for line in lines if "completed after 2 epochs" in line]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO completed", completed)
    assert str(Path.cwd()) not in (run.folder / ".hydra/hydra.yaml").read_text()
    [listed] = runs_in(Path("runs"))
    assert (listed.name, listed.data, listed.network) == (run.folder.name, "mnist_sample", "mlp")


def test_the_log_of_a_run_is_not_that_of_the_notebook(tmp_path):
    root, log, own = logging.getLogger(), logging.getLogger("litlab"), io.StringIO()
    handler = logging.StreamHandler(own)
    root.addHandler(handler)
    before = [*root.handlers], root.level, [*log.handlers], log.level, log.propagate
    with logged_to(tmp_path):
        say("a line")
        logging.getLogger("another").warning("a warning")
    assert ([*root.handlers], root.level, [*log.handlers], log.level, log.propagate) == before
    assert own.getvalue() == "a warning\n"
    first, second = (tmp_path / "train.log").read_text().splitlines()
    assert first.endswith("INFO a line")
    assert second.endswith("WARNING a warning")
    with pytest.raises(ConfigError, match="cannot be written to: No such file"), logged_to(tmp_path / "none"):
        pass


def printed_by_python(said: warnings.WarningMessage) -> None:
    """What Python does with a warning where nobody collects it, as pytest does."""
    sys.stderr.write(warnings.formatwarning(said.message, said.category, said.filename, said.lineno))


def as_in_a_notebook(message, category, filename, lineno, line=None) -> str:
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"


def test_a_warning_is_one_line_as_on_the_command_line(monkeypatch, capsys, tmp_path):
    """Here that a network for grey images has got weights for colour images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "_showwarnmsg_impl", printed_by_python)
    monkeypatch.setattr(warnings, "formatwarning", as_in_a_notebook)  # a script of another test may have changed it
    torch.save(ResNet18((3, 28, 28), 10).state_dict(), "colour.pth")
    one_step = ["model=resnet18", "trainer.max_steps=1", "data.train_limit=8", "test=false", "logger=none"]
    litlab.train(overrides=[*QUICK, *one_step, "model.weights=colour.pth", "callbacks.diagnosis.enabled=false"])
    warned = [line for line in capsys.readouterr().err.splitlines() if "was made to fit" in line]
    assert warned == ["warning: weights: conv1.weight of 3 channels was made to fit 1"]
    warnings.warn("of the notebook itself", stacklevel=1)
    assert re.search(r"test_notebook.py:\d+: UserWarning: of the notebook itself", capsys.readouterr().err)


def test_plot_returns_a_figure(run):
    figure = run.plot()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "acc"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]


def test_a_loaded_network_takes_images_and_files(run, tmp_path):
    predictor = litlab.load(run.folder)
    data = MNISTSample()
    data.prepare_data()
    data.setup()
    images, labels = data.test_set.__getitems__(list(range(50)))
    found = predictor(images)
    right = sum(one["class"] == str(label) for one, label in zip(found, labels.tolist(), strict=True))
    assert right > 35
    Image.fromarray(images[0, 0].numpy()).save(tmp_path / "digit.png")
    for paths in (tmp_path / "digit.png", [str(tmp_path / "digit.png")]):
        [one] = predictor(paths)
        assert one["class"] == found[0]["class"]
    assert not predictor.network.training
    with pytest.raises(ValueError, match=r"^images must be uint8 \[B, 1 x 28 x 28\], not torch.float32"):
        predictor(torch.zeros(1, 1, 28, 28))
    with pytest.raises(ValueError, match="none.png"):
        predictor("none.png")


@pytest.mark.slow
def test_a_run_goes_on_in_its_folder(run, tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "copy"
    shutil.copytree(run.folder, folder)
    monkeypatch.chdir(tmp_path)
    resumed = litlab.train(overrides=[f"resume={folder}", "trainer.max_epochs=3"])
    assert resumed.folder == folder
    assert [len(resumed.history()[name]) for name in ("train/loss", "val/acc")] == [3, 3]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["copy"]
    for overrides, message in (
        (["resume=nosuch"], "^resume=nosuch: no such run folder or checkpoint; give latest"),
        (["resume=latest", "name=new"], "^name=new: a run that is resumed keeps its name; leave it out"),
        (["resume=latest", "optimizer.lrr=1"], "^optimizer.lrr is unknown"),
    ):
        with pytest.raises(ConfigError, match=message):
            litlab.train(overrides=overrides)


@pytest.fixture(scope="module")
def predictor(run):
    return litlab.load(run.folder)


def test_pictures_in_memory_are_predicted_as_files_are(predictor, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)
    for pixels in (noise, noise[:, :, :3], noise[:, :, :1], noise[:, :, 0]):
        picture = Image.fromarray(pixels.squeeze())
        picture.save(tmp_path / "noise.png")
        expected = predictor(tmp_path / "noise.png")
        assert predictor(picture) == predictor(pixels) == expected
        assert predictor([picture, pixels, str(tmp_path / "noise.png")]) == expected * 3
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    assert predictor(Image.open(tmp_path / "turned.png")) == predictor(tmp_path / "turned.png") != expected


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "^None is no picture: give a path, a picture of Pillow, an array uint8"),
        (3, "^3 is no picture: give"),
        (b"abc", "^b'abc' is no picture: give"),
        ({"a.png": 1}, "^{'a.png': 1} is no picture: give"),
        (["a.png", torch.zeros(1, 28, 28)], r"^a tensor float32 \[1, 28, 28\] is no picture: give"),
        (np.zeros((28, 28)), r"^an array float64 \[28, 28\] is no picture: give"),
        (np.zeros((2, 28, 28, 3), np.uint8), r"^an array uint8 \[2, 28, 28, 3\] is no picture: give"),
        ("", "^the path of the picture is empty$"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(predictor, inputs, message):
    with pytest.raises(ConfigError, match=message):
        predictor(inputs)


@pytest.mark.parametrize("ckpt", [3, None, b"latest"])
def test_what_is_no_checkpoint_is_refused_in_one_line(ckpt):
    said = f"^load\\({ckpt}\\): must be a checkpoint, a run folder or latest$"
    with pytest.raises(ConfigError, match=said):
        litlab.load(ckpt)


def test_trust_takes_the_names_of_packages(run):
    given = {None: None, (): None, "one": ["one"], ("one", "two.three"): ["one", "two.three"]}
    for trust, names in given.items():
        assert litlab.load(run.folder, trust)._run.cfg.trust == names
    for trust in (5, True, {"a": 1}, [5], b"a"):
        with pytest.raises(ConfigError, match="^trust=.*: must be the name of a package, or a list of them$"):
            litlab.load(run.folder, trust)


def test_invert_means_what_it_says(predictor, tmp_path):
    path = tmp_path / "grey.png"
    Image.new("L", (28, 28), 100).save(path)
    found = {value: predictor(path, invert=value)[0]["probability"] for value in (True, False, "true", "false")}
    assert found["true"] == found[True] != found[False] == found["false"]
    for value in ("nope", None, 1):
        for inputs in (path, torch.zeros(1, 1, 28, 28, dtype=torch.uint8)):
            with pytest.raises(ConfigError, match=f"^invert={value}: must be auto, true or false$"):
                predictor(inputs, invert=value)


def test_evaluate_measures_again(run):
    lightnings = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero")]
    for logger in lightnings:
        logger.setLevel(logging.INFO)  # as in a process that has not trained
    measured = litlab.load("latest").evaluate("test")
    assert not any(logger.isEnabledFor(logging.INFO) for logger in lightnings), "Lightning tells of devices"
    tested = {name: value for name, value in run.metrics.items() if name.startswith("test/")}
    assert measured == pytest.approx(tested, abs=1e-6)


def test_a_mistake_is_one_line_of_a_config_error(run):
    for call, message in (
        (lambda: litlab.train(overrides=["modle=mlp"]), "^modle is unknown; did you mean model"),
        (lambda: litlab.train(experiment="mnist_cn"), "^experiment=mnist_cn: no such option; did you mean mnist_cnn"),
        (lambda: litlab.train(overrides=[*QUICK, "optimizer.lr=-1"]), "^optimizer.lr=-1: must be greater than 0"),
        (
            lambda: litlab.load("none.ckpt"),
            r"^load\('none.ckpt'\): not there; give a checkpoint, a run folder or latest$",
        ),
        (lambda: litlab.train(overrides="seed=1"), r"^overrides is a list of settings: write overrides=\['seed=1'\]$"),
    ):
        with pytest.raises(ConfigError, match=message):
            call()
    assert len(list(run.folder.parent.iterdir())) == 1


SWEEP = r"on the command line: litlab train -m \.\.\."


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.lr=1,2"], f"^optimizer.lr=1,2: several values are a sweep: start it {SWEEP}$"),
        (["model=mlp,vit"], f"^model=mlp,vit: several options are a sweep: start it {SWEEP}$"),
        (["optimizer.lr=0.1:0.5"], f"^optimizer.lr=0.1:0.5: one run takes one value; a sweep starts {SWEEP}"),
        (["hydra/launcher=joblib"], f"^hydra/launcher=joblib: it is for a sweep; start it {SWEEP}$"),
        (["optimizer.lr=0,1"], "^optimizer.lr=0,1: a decimal number has a point: write optimizer.lr=0.1$"),
        (["-m", "optimizer.lr=1,2"], f"^-m: a sweep starts {SWEEP}$"),
        (["hydra.mode=MULTIRUN"], f"^hydra.mode=MULTIRUN: a sweep starts {SWEEP}$"),
        (["--help"], "^--help: options are for the command line: litlab train --help$"),
        (["--lr=0.1"], "^--lr: settings have no dashes: write optimizer.lr=0.1$"),
        (["data = mnist"], "^data = mnist: write data=mnist, without spaces around =$"),
        (["data=null"], "^data=null: no such option"),
        ([3], r"^overrides=\[3\]: must be a list of texts, such as \[\"trainer.max_epochs=1\"\]$"),
        ([None], r"^overrides=\[None\]: must be a list of texts"),
        (None, "^overrides=None: must be a list of texts"),
        (["hydra.run.dir=/proc/no/run"], "^No such file or directory: '/proc/no'$"),
        ({"seed": 1}, r"^overrides=\{'seed': 1\}: must be a list of texts"),
    ],
)
def test_overrides_that_are_none_are_refused_in_one_line(overrides, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        litlab.train(overrides=overrides)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_values_are_quoted_for_hydra_as_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert litlab.train(overrides=["data=mnist_sample", "name=größe", "summary=true"]).folder.name == "größe"
    with pytest.raises(ConfigError, match=r"^data.data_dir photos \(1\): no such folder$"):
        litlab.train(overrides=["data=image_folder", "data.data_dir=photos (1)"])


def test_an_experiment_that_is_no_name_is_refused():
    with pytest.raises(ConfigError, match='^experiment=3: must be the name of a recipe, such as "mnist_cnn"$'):
        litlab.train(experiment=3)


def test_what_was_not_trained_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = litlab.train(overrides=[*QUICK, "summary=true"])
    assert not shown.folder.exists()
    for call, message in (
        (lambda: shown.metrics, "has no result.json: a training writes it when it ends"),
        (lambda: shown.result, "has no result.json: a training writes it when it ends"),
        (shown.history, "has no metrics.csv: a training writes it with logger=default or csv"),
        (shown.plot, "has no metrics.csv: a training writes it with logger=default or csv"),
        (shown.load, "not there; give a checkpoint, a run folder or latest"),
    ):
        with pytest.raises((FileNotFoundError, ConfigError), match=f"{message}$"):
            call()


def test_a_mistake_has_a_short_traceback(run, monkeypatch):
    for call in (
        lambda: litlab.train(overrides=["optimizer.lrr=1"]),
        lambda: litlab.train(overrides=[*QUICK, "optimizer.lr=-1"]),
        lambda: litlab.load("none.ckpt"),
        lambda: litlab.load(run.folder).evaluate("tst"),
    ):
        monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
        with pytest.raises(ConfigError) as short:
            call()
        said = traceback.format_exception(short.value)
        assert len([line for line in said if line.startswith("Traceback")]) == 1
        assert len(traceback.extract_tb(short.value.__traceback__)) == 3  # here, the call above, and litlab's own line
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
        with pytest.raises(ConfigError) as whole:
            call()
        assert len(traceback.format_exception(whole.value)) > len(said)


def test_a_name_is_taken_once(run):
    before = [*run.folder.parent.iterdir()]
    with pytest.raises(ConfigError, match=f"^name={run.folder.name}: {run.folder} is there already; choose another"):
        litlab.train(overrides=[*QUICK, f"name={run.folder.name}"])
    assert [*run.folder.parent.iterdir()] == before


def test_a_split_that_is_none_is_named(run):
    with pytest.raises(ConfigError, match=r"^evaluate\('tst'\): must be one of train, val, test$"):
        run.load().evaluate("tst")


def test_importing_litlab_imports_no_torch_and_knows_no_other_name():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = litlab.trian

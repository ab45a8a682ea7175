"""What the READMEs of the rooms say about adding to litlab: their blocks are put into a project, and run."""

import json
import re
import runpy
import shlex
import sys

import pytest
import torch
from events import read
from scripts import REPOSITORY

ROOMS = REPOSITORY / "src/litlab"
QUICK = ["trainer=cpu", "trainer.max_epochs=1", "data.train_limit=96"]
SECTIONS = [
    ("networks", "a network"),
    ("data", "a data set"),
    ("data", "a regression"),
    ("data", "an augmentation"),
    *(("modules", what) for what in ("a metric", "a loss", "an optimizer", "a schedule", "a task")),
    *(("callbacks", what) for what in ("a callback", "a panel", "a logger")),
]


def blocks_of(room: str, what: str, name: str) -> tuple[dict[str, str], list[list[str]]]:
    """The files of a section by their places, and its commands, in a project of that name."""
    page = (ROOMS / room / "README.md").read_text()
    text = re.search(rf"^## Write {what}\n(.*?)(?=^## |\Z)", page, re.M | re.S)[1].replace("mylab", name)
    files = re.findall(r"^`(\S+)`:\n\n```(?:python|yaml)\n(.*?)^```$", text, re.M | re.S)
    commands = [line for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    assert len(files) == len(re.findall(r"^```(?:python|yaml)$", text, re.M)), "each file has its place above it"
    return dict(files), [shlex.split(line) for line in commands]


@pytest.fixture
def follow(project, litlab_here, monkeypatch, capfd):
    """Does what a section says, in the project; returns what is printed."""

    def run(room: str, what: str) -> str:
        files, commands = blocks_of(room, what, project.name)
        assert files
        assert commands
        for place, content in files.items():
            assert not (project / place).exists()
            (project / place).parent.mkdir(exist_ok=True)
            (project / place).write_text(content)
        printed = ""
        for program, *arguments in commands:
            if program == "python":
                monkeypatch.chdir(project)
                monkeypatch.syspath_prepend(str(project))
                runpy.run_module(arguments[1], run_name="__main__")
                return capfd.readouterr().out
            done = litlab_here(project, *arguments, *(QUICK if arguments[0] == "train" else ["trainer=cpu"]))
            assert done.status == 0, done.err
            printed += done.out
        return printed

    return run


def latest(project):
    """The folder of the latest run, and its result."""
    folder = max(project.glob("runs/*/*/result.json"), key=lambda path: path.stat().st_mtime).parent
    return folder, json.loads((folder / "result.json").read_text())


def test_every_section_is_followed():
    found = {
        (page.parent.name, what)
        for page in ROOMS.glob("*/README.md")
        for what in re.findall(r"^## Write (.*)$", page.read_text(), re.M)
    }
    assert found == set(SECTIONS)


@pytest.mark.slow
def test_a_network(follow, project):
    assert re.search(r"features\.1 +Conv2d +8 x", follow("networks", "a network"))
    assert latest(project)[1]["config"]["model.depth"] == 2


@pytest.mark.slow
def test_a_data_set(follow, project):
    assert "grey: 96/50/100 images, 2 classes" in follow("data", "a data set")


@pytest.mark.slow
def test_a_regression(follow, project):
    printed = follow("data", "a regression")
    assert "radius: 96/100 images" in printed
    assert "val/r2" in printed


@pytest.mark.slow
def test_an_augmentation(follow, project):
    follow("data", "an augmentation")
    from ownlab.augment import RandomBrightness

    images = torch.full((50, 1, 2, 2), 128, dtype=torch.uint8)
    changed = RandomBrightness(0.3)(images)
    assert len(changed.unique()) > 10
    folder, result = latest(project)
    assert result["config"]["data.augment"][1]["change"] == 0.3
    assert "random_horizontal_flip, RandomBrightness" in (folder / "report.html").read_text()


def test_a_metric(follow, project):
    out = follow("modules", "a metric")
    result = latest(project)[1]
    assert result["objective"]["name"] == "val/confidence"
    value = f"{result['metrics']['test/confidence']:.4f}"
    assert out.count(value) == 2, "trained, then measured again"


@pytest.mark.slow
def test_a_loss(follow, project):
    out = follow("modules", "a loss")
    assert out.count(f"{latest(project)[1]['metrics']['test/loss']:.4f}") == 2


@pytest.mark.slow
def test_an_optimizer(follow, project):
    follow("modules", "an optimizer")
    folder, _ = latest(project)
    states = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["optimizer_states"]
    assert states[0]["param_groups"][0]["initial_lr"] == 0.002
    assert "lr-SignSGD" in (folder / "metrics.csv").read_text()


@pytest.mark.slow
def test_a_schedule(follow, project):
    follow("modules", "a schedule")
    assert latest(project)[1]["config"]["scheduler._target_"] == "ownlab.schedules.inverse_root"


@pytest.mark.slow
def test_a_task(follow, project, litlab_here):
    out = follow("modules", "a task")
    folder, result = latest(project)
    assert result["config"]["task.weight"] == 0.3
    assert out.count(f"{result['metrics']['test/loss']:.4f}") == 2, "trained, then measured again"
    record = torch.load(folder / "checkpoints/best.ckpt", weights_only=True)["litlab"]
    assert record["task"] == "Classification"
    assert record["own_task"] == {"name": "ownlab.tasks.Steady", "args": {"weight": 0.3}}
    resumed = litlab_here(project, "train", "resume=latest", "trainer.max_epochs=2")
    assert resumed.status == 0, resumed.err
    assert json.loads((folder / "result.json").read_text())["epochs"] == 2
    stranger = litlab_here(project, "predict", f"ckpt={folder}", "evaluate=test", "trust=[]", "trainer=cpu")
    assert stranger.status == 2
    assert "ownlab" in stranger.err


@pytest.mark.slow
def test_a_callback(follow, project):
    assert re.search(r"^done \d\.\d{3}$", follow("callbacks", "a callback"), re.M)


@pytest.mark.slow
def test_a_panel(follow, project):
    follow("callbacks", "a panel")
    shown = {tag for tag in read(latest(project)[0]).Tags()["scalars"] if tag.startswith("weight_norm/")}
    assert shown == {"weight_norm/features.weight", "weight_norm/classifier.weight"}


@pytest.mark.slow
def test_a_logger(follow, project):
    follow("callbacks", "a logger")
    rows = [json.loads(line) for line in (latest(project)[0] / "rows.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if "val/loss" in row] == [0]
    assert sys.modules["ownlab.loggers"].JSONLines

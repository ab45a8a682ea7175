"""Runs that released versions left behind: each is loaded, measured again, predicted with and gone on with."""

import csv
import json
import shutil
import tarfile
from pathlib import Path

import pytest
from pictures import draw_folder, draw_landmarks
from scripts import REPOSITORY

from litlab import checkpoint

ARCHIVES = sorted(Path(__file__).parent.glob("*.tar.xz"))


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def unpacked(request, tmp_path_factory):
    """An archive in a folder, beside the pictures that its runs were trained on."""
    folder = tmp_path_factory.mktemp("released")
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    draw_landmarks(folder / "points", count=20)
    draw_folder(folder / "pictures", count=6)
    return folder


@pytest.fixture
def released(unpacked, tmp_path):
    """A function that copies one kind of run to where it can be changed; it works in the folder it returns."""

    def get(kind: str) -> Path:
        shutil.copytree(unpacked / kind, tmp_path / kind)
        for beside in ("points", "pictures"):
            if not (tmp_path / beside).exists():
                (tmp_path / beside).symlink_to(unpacked / beside)
        return tmp_path

    return get


def result(run: Path) -> dict:
    return json.loads((run / "result.json").read_text())


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_there_are_archives():
    assert ARCHIVES


FINISHED = {"classification": "val/acc", "regression": "train/mse", "landmarks": "val/mse", "transfer": "val/acc"}


@pytest.mark.parametrize("kind", FINISHED)
def test_its_checkpoint_is_loaded(unpacked, kind):
    path = unpacked / kind / "checkpoints/best.ckpt"
    if kind == "regression":
        with pytest.raises(ValueError, match="takes points"):
            checkpoint.load(path)
        return
    trained = checkpoint.load(path)
    before = result(unpacked / kind)["metrics"]
    assert trained.metrics[FINISHED[kind]] == before[FINISHED[kind]]


@pytest.mark.parametrize(
    ("kind", "split"),
    [("classification", "test"), ("classification", "val"), ("landmarks", "test"), ("transfer", "val")],
)
def test_measured_again_it_has_its_metrics(released, script_here, kind, split):
    folder = released(kind)
    done = script_here("predict.py", f"ckpt={kind}", f"evaluate={split}", "trainer=cpu")
    assert done.status == 0, done.err
    now = json.loads((folder / "evaluation/evaluation.json").read_text())["metrics"]
    before = {name: value for name, value in result(folder / kind)["metrics"].items() if name.startswith(f"{split}/")}
    assert now == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("kind", ["classification", "landmarks", "transfer"])
def test_it_predicts(released, script_here, kind):
    folder = released(kind)
    arguments = [f"ckpt={kind}", "input=pictures/red", "trainer=cpu"]
    done = script_here("predict.py", *arguments)
    assert done.status == 0, done.err
    assert len((folder / "predictions/predictions.csv").read_text().splitlines()) == 1 + 6


@pytest.mark.slow
@pytest.mark.parametrize("kind", FINISHED)
def test_a_finished_run_goes_on(released, script_here, kind):
    folder = released(kind)
    before, table = result(folder / kind), rows(folder / kind)
    more = before["epochs"] + 1
    done = script_here("train.py", f"resume={kind}", f"trainer.max_epochs={more}")
    assert done.status == 0, done.err
    assert result(folder / kind)["epochs"] == more
    assert rows(folder / kind)[: len(table) - 1] == table[:-1]


@pytest.mark.parametrize("kind", ["killed", "interrupted"])
def test_a_stopped_run_ends_as_one_that_was_left_in_peace(released, script_here, unpacked, kind):
    folder = released(kind)
    done = script_here("train.py", f"resume={kind}")
    assert done.status == 0, done.err
    now, peace = rows(folder / kind), rows(unpacked / "undisturbed")
    assert [row["step"] for row in now] == [row["step"] for row in peace]
    for ours, theirs in zip(now, peace, strict=True):
        assert {k: float(v) for k, v in ours.items() if v} == pytest.approx(
            {k: float(v) for k, v in theirs.items() if v}, rel=1e-3, abs=1e-5
        )
    assert result(folder / kind)["metrics"] == pytest.approx(result(unpacked / "undisturbed")["metrics"], rel=1e-3)


@pytest.mark.slow
def test_a_stopped_sweep_is_finished(released, script_here):
    folder = released("sweep")
    finished = (folder / "sweep/optimizer.lr=0.001/result.json").read_bytes()
    overrides = [line.removeprefix("- ") for line in recorded(folder / "sweep/optimizer.lr=0.003")]
    shared = [line for line in overrides if not line.startswith("optimizer.lr=")]
    arguments = ["-m", *shared, "optimizer.lr=0.001,0.003,0.01", "hydra.sweep.dir=sweep"]
    done = script_here("train.py", *arguments)
    assert done.status == 0, done.err
    assert "finished before, not run again" in done.out
    assert "going on from last.ckpt" in done.out
    assert (folder / "sweep/optimizer.lr=0.001/result.json").read_bytes() == finished
    assert "3 of 3 jobs completed" in done.out
    best = script_here("predict.py", "ckpt=sweep", "input=pictures/red", "trainer=cpu")
    assert best.status == 0, best.err


def recorded(job: Path) -> list[str]:
    return (job / ".hydra/overrides.yaml").read_text().splitlines()


def test_the_archives_are_small():
    assert all(path.stat().st_size < 1_000_000 for path in ARCHIVES)
    assert (REPOSITORY / "tests/released/make.py").exists()

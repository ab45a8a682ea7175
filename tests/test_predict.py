"""`python predict.py input=...`: answers in a terminal, in files and in exit statuses."""

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pictures import draw_folder, draw_landmarks
from PIL import Image, ImageOps
from scripts import REPOSITORY, finish, start

from litlab import checkpoint
from litlab.checkpoint import Data
from litlab.data import ImageFolder, MNISTSample, Unreadable, fit, open_picture
from litlab.errors import ConfigError, RunFailed
from litlab.prediction import find_checkpoint
from litlab.prediction.files import PictureFiles
from litlab.prediction.invert import on_background
from litlab.prediction.tasks import TASKS


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Twelve real digits as PNG, named for what they are, and the labels by name."""
    folder = tmp_path_factory.mktemp("digits")
    data = MNISTSample()
    data.setup()
    images, labels = data.test_set.__getitems__(list(range(12)))
    names = {}
    for index, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        names[f"{index:02d}_{label}.png"] = str(label)
        Image.fromarray(image[0].numpy()).save(folder / f"{index:02d}_{label}.png")
    return folder, names


@pytest.fixture
def best(quick_run):
    return f"ckpt={quick_run.runs[0] / 'checkpoints/best.ckpt'}"


def rows(folder):
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder(best, digits, use, tmp_path, capsys):
    folder, names = digits
    use(best, f"input={folder}")
    out = capsys.readouterr().out
    table = rows(tmp_path / "predictions")
    answers = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert [Path(row["file"]).name for row in table] == list(names)
    assert sum(row["class"] == names[Path(row["file"]).name] for row in table) >= 10
    for row, answer in zip(table, answers, strict=True):
        assert answer["file"] == row["file"]
        assert answer["class"] == row["class"]
        assert list(answer["probabilities"]) == list("0123456789")
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert answer["probability"] == max(answer["probabilities"].values())
        assert float(row["p(3)"]) == answer["probabilities"]["3"]
        assert f"{answer['probability']:.4f}" in out
    assert "invert=auto: 0 of 12 pictures inverted (mnist_sample has a dark background)" in out
    with Image.open(tmp_path / "predictions/predictions.png") as sheet:
        assert min(sheet.size) > 200
    assert {path.name for path in tmp_path.iterdir()} == {"predictions"}


def test_the_same_picture_in_any_form_is_the_same_digit(best, digits, use, tmp_path):
    folder, names = digits
    name = "00_7.png"
    original = Image.open(folder / name)
    photo = ImageOps.invert(original).resize((280, 280), Image.Resampling.NEAREST)
    forms = tmp_path / "forms"
    forms.mkdir()
    photo.save(forms / "negative.png")
    photo.convert("RGB").save(forms / "photo.jpg")
    photo.convert("CMYK").save(forms / "print.tiff")
    photo.convert("P").save(forms / "palette.gif")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.rotate(90, expand=True).save(forms / "turned.jpg", exif=exif)
    ink = Image.new("RGBA", photo.size)
    ink.putalpha(ImageOps.invert(photo))
    ink.save(forms / "ink.png")
    wide = Image.new("L", (560, 280), 255)
    wide.paste(photo, (140, 0))
    wide.save(forms / "wide.webp")
    use(best, f"input={forms}", "output=out")
    table = rows(tmp_path / "out")
    assert len(table) == 7
    assert {row["class"] for row in table} == {names[name]}
    assert {row["inverted"] for row in table} == {"true"}
    use(best, f"input={forms}", "output=out", "invert=false")
    assert {row["inverted"] for row in rows(tmp_path / "out")} == {"false"}
    use(best, f"input={folder}", "output=out", "invert=true")
    assert {row["inverted"] for row in rows(tmp_path / "out")} == {"true"}


def test_a_photo_of_any_ink_on_any_paper_is_read(quick_run):
    trained = checkpoint.load(quick_run.runs[0] / "checkpoints/best.ckpt")
    data = MNISTSample()
    data.setup()
    images, _ = data.test_set.__getitems__(list(range(100)))
    generator = torch.Generator().manual_seed(0)

    def classes(photos):
        return trained.network(data.normalize(photos)).argmax(1)

    for paper, ink, grain in ((255, 0, 0), (160, 50, 8), (120, 40, 8), (140, 90, 2), (40, 200, 8)):
        photos = paper + (ink - paper) * images.float() / 255 + grain * torch.randn(images.shape, generator=generator)
        photos[:, :, 2, 2:4] = 255 if ink < paper else 0  # glare
        read = [on_background(photo, 0) for photo in photos.round().clamp(0, 255).to(torch.uint8)]
        assert {inverted for _, inverted in read} == {ink < paper}
        assert (classes(torch.stack([photo for photo, _ in read])) == classes(images)).float().mean() >= 0.96
        on_white = [on_background(255 - photo, 255)[0] for photo in photos.round().clamp(0, 255).to(torch.uint8)]
        pairs = zip(on_white, (photo for photo, _ in read), strict=True)
        assert max((255 - white.int() - black).abs().max() for white, black in pairs) <= 8  # a median of even count


def test_what_has_the_background_or_one_colour_stays_so(digits, quick_run):
    trained = checkpoint.load(quick_run.runs[0] / "checkpoints/best.ckpt")
    original = fit(open_picture(digits[0] / "00_7.png"), (1, 28, 28))
    for image in (original, original.clamp(min=5), torch.full((1, 28, 28), 3, dtype=torch.uint8)):
        assert on_background(image, 0)[0] is image
    for level in (255, 130, 60):
        sheet, inverted = on_background(torch.full((1, 28, 28), level, dtype=torch.uint8), 0)
        assert (sheet.max(), inverted) == (0, False)
        grainy = level + torch.randint(-3, 1, (1, 28, 28), generator=torch.Generator().manual_seed(0))
        assert on_background(grainy.to(torch.uint8), 0)[0].max() < 30
    light = 255 - original
    varied = replace(trained, data=replace(trained.data, background=None))
    Image.fromarray(light[0].numpy()).save(file := digits[0].with_name("light.png"))
    assert torch.equal(PictureFiles([str(file)], varied, "auto", 0)[0].image, light)
    onto = PictureFiles([str(file)], trained, "auto", 0)[0].image
    torch.testing.assert_close(onto.float(), original.float(), rtol=0, atol=4)


def test_bad_files_do_not_stop_the_others(best, digits, use, tmp_path, capsys):
    folder, _ = digits
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    (mixed / "a_folder.jpg").mkdir()
    (mixed / "empty.png").touch()
    (mixed / "text.png").write_text("no")
    (mixed / "link.png").symlink_to("nowhere")
    (mixed / "notes.txt").write_text("not looked at")
    with pytest.raises(RunFailed, match="4 of 16 files could not be read") as caught:
        use(best, f"input={mixed}")
    assert caught.value.status == 1
    table = {Path(row["file"]).name: row for row in rows(tmp_path / "predictions")}
    assert len(table) == 16
    for name, reason in (
        ("a_folder.jpg", "a folder"),
        ("empty.png", "empty"),
        ("text.png", "not a"),
        ("link.png", "link"),
    ):
        assert reason in table[name]["error"]
        assert table[name]["class"] == ""
    assert sum(row["error"] == "" for row in table.values()) == 12
    assert "not read: empty" in capsys.readouterr().out


def test_nothing_readable_is_status_2(best, use, tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(RunFailed, match="no file could be read") as caught:
        use(best, "input=[a.png,b.png]")
    assert caught.value.status == 2
    assert [row["error"] for row in rows(tmp_path / "predictions")] == ["empty", "not there"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user for whom something is forbidden")
def test_no_permission_is_a_reason(digits, tmp_path):
    path = tmp_path / "a.png"
    shutil.copy(digits[0] / "00_7.png", path)
    path.chmod(0)
    child = os.fork()
    if not child:
        os.setuid(65534)
        try:
            open_picture(path)
        except Unreadable as error:
            os._exit(7 if str(error) == "no permission to read it" else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_globs_lists_and_repeats(best, digits, use, tmp_path):
    folder, _ = digits
    for given, count in (
        (f"input={folder}/0*_*.png", 10),
        (f"input=[{folder}/00_7.png,{folder}/1?_*.png]", 3),
        (f"input=[{folder}/00_7.png,{folder}]", 12),
    ):
        use(best, given)
        assert len(rows(tmp_path / "predictions")) == count
    for given in ("input=nothing/*.png", f"input={tmp_path / 'predictions'}/*.gif", "input=[]"):
        with pytest.raises(ConfigError, match="input="):
            use(best, given)


@pytest.mark.parametrize("name", ["a b.png", "a,b.png", "a=b.png", "(1) [x]{y}.png", "[1].png", "it's.png", "ü$x#.png"])
def test_file_names_are_taken_as_typed(best, digits, use, tmp_path, name):
    shutil.copy(digits[0] / "00_7.png", tmp_path / name)
    use(best, f"input={name}")
    assert [row["file"] for row in rows(tmp_path / "predictions")] == [name]


def test_names_cannot_write_on_the_terminal(best, digits, use, tmp_path, capsys):
    name = "\x1b[2J[red]\n.png"
    shutil.copy(digits[0] / "00_7.png", tmp_path / name)
    shutil.copy(digits[0] / "00_7.png", os.fsencode(tmp_path) + b"/\xff.png")
    use(best, f"input={tmp_path}")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[2J[red]\n.png" in out
    assert len(rows(tmp_path / "predictions")) == 2


def test_quiet_is_one_line_a_file(best, digits, use, tmp_path, capsys):
    (tmp_path / "bad.png").touch()
    with pytest.raises(RunFailed):
        use(best, f"input=[{digits[0]}/00_7.png,bad.png]", "quiet=true")
    captured = capsys.readouterr()
    file, digit, probability = captured.out.rstrip("\n").split("\t")
    assert (file, digit) == (f"{digits[0]}/00_7.png", "7")
    assert 0.3 < float(probability) <= 1
    assert captured.err == "bad.png: empty\n"


def test_workers_and_batches_change_nothing(best, digits, use, tmp_path):
    use(best, f"input={digits[0]}", "output=a", "num_workers=2", "batch_size=5")
    use(best, f"input={digits[0]}", "output=b", "num_workers=0")
    one, two = (json.loads((tmp_path / name / "predictions.json").read_text()) for name in "ab")
    for a, b in zip(one, two, strict=True):
        assert a["file"] == b["file"]
        assert a["probability"] == pytest.approx(b["probability"], abs=2e-6)


def test_many_files_stream(use, tmp_path):
    """400 files of 0.9 MB each."""
    import litlab.checkpoint as door

    record = {
        "format": door.FORMAT,
        "network": {"name": "torchvision.models.squeezenet1_1", "args": {"num_classes": 2}},
        "task": "Classification",
        "loss": {"name": "torch.nn.CrossEntropyLoss", "args": {}},
        "data": {
            "name": "x", "input_shape": [3, 64, 64], "num_classes": 2, "class_names": ["a", "b"],
            "mean": [0.5] * 3, "std": [0.5] * 3, "background": None,
        },
        "source": {"name": "litlab.data.CIFAR10", "args": {}},
        "numerics": {"precision": "32-true", "log_every_n_steps": 50},
        "metrics": {},
    }  # fmt: skip
    from torchvision.models import squeezenet1_1

    weights = {f"network.{k}": v for k, v in squeezenet1_1(num_classes=2).state_dict().items()}
    torch.save({"state_dict": weights, "litlab": record}, tmp_path / "x.ckpt")
    many = tmp_path / "many"
    many.mkdir()
    Image.new("RGB", (640, 480), "teal").save(tmp_path / "one.bmp")  # 0.9 MB
    for index in range(400):
        (many / f"{index:05d}.bmp").hardlink_to(tmp_path / "one.bmp")
    use("ckpt=x.ckpt", "input=one.bmp", "num_workers=0")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    use("ckpt=x.ckpt", "input=many", "num_workers=0", "quiet=true")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(rows(tmp_path / "predictions")) == 400
    assert grown < 120 * 1024  # KiB; the pictures are 351 MiB


def test_the_script(quick_run, digits):
    """Exit statuses, `latest`, and that nothing but the output appears."""
    folder, _ = digits
    before = set(quick_run.folder.rglob("*"))
    done = finish(
        start("predict.py", "ckpt=latest", f"input={folder}/00_7.png", folder=quick_run.folder), quick_run.folder
    )
    assert (done.status, done.err) == (0, "")
    assert "\x1b" not in done.out
    new = {str(path.relative_to(quick_run.folder)) for path in set(quick_run.folder.rglob("*")) - before}
    shutil.rmtree(quick_run.folder / "predictions")
    assert new == {"predictions", *(f"predictions/predictions.{kind}" for kind in ("csv", "json", "png"))}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do: give input="),
        (["input=a.png", "evaluate=test"], "one of them at a time"),
        (["evaluate=tset"], "evaluate=tset: must be train, val or test"),
        (["input=a.png", "invert=maybe"], "invert=maybe: must be auto, true or false"),
        (["input=a.png", "batch_size=0"], "batch_size=0"),
        (["input=a.png", "num_workers=-1"], "num_workers=-1"),
        (["input=a.png", "trust=[1]"], "trust=1: must be the name of a package"),
        (["input=a.png", "trainer=ddp_cpu"], "trainer.devices: pictures are predicted on one device"),
        (["input=a.png", "ckpt=none"], "ckpt=none: not there"),
        (["input=a.png", "output=file"], "output=file"),
        (["evaluate=test", "data=cifar10"], "has images [3, 32, 32]; the network was trained on [1, 28, 28]"),
        (["evaluate=test", "data=fashion_mnist"], "has other classes than mnist_sample"),
        (["evaluate=test", "data.val_size=-1"], "val_size"),
        (["evaluate=val", "data=mnist_sample", "data.val_size=0"], "evaluate=val: mnist_sample has no such split"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(best, use, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        use(best, *arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_help_needs_nothing():
    done = subprocess.run([sys.executable, REPOSITORY / "predict.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "evaluate=test" in done.stdout
    assert "include_preprocess" in done.stdout


# Which checkpoint


def a_run(folder, names=("last", "best"), objective=None):
    (folder / "checkpoints").mkdir(parents=True)
    for name in names:
        (folder / f"checkpoints/{name}.ckpt").touch()
    (folder / "result.json").write_text(json.dumps({"objective": objective}))
    return folder


def test_latest_is_the_newest_run_that_has_a_checkpoint(tmp_path):
    new = a_run(tmp_path / "runs/a_b/2026-02-01_00-00-00", ["last"])
    a_run(tmp_path / "runs/z_z/2026-01-01_00-00-00")  # written later, and so younger as a file
    (tmp_path / "runs/a_b/2026-03-01_00-00-00").mkdir()
    assert find_checkpoint("latest", tmp_path / "runs") == new / "checkpoints/last.ckpt"
    job = a_run(tmp_path / "runs/a_b/sweep_2026-02-01_00-00-01/x=1")
    assert find_checkpoint("latest", tmp_path / "runs") == job / "checkpoints/best.ckpt"
    assert find_checkpoint(str(tmp_path / "runs/z_z"), tmp_path).parts[-3] == "2026-01-01_00-00-00"


@pytest.mark.parametrize(("mode", "best"), [("max", "x=2"), ("min", "x=3")])
def test_a_sweep_is_its_best_job(tmp_path, mode, best):
    sweep = tmp_path / "sweep_2026-02-01_00-00-01"
    for job, value in (("x=1", 0.5), ("x=2", 0.9), ("x=3", 0.1)):
        a_run(sweep / job, objective={"name": "o", "mode": mode, "value": value})
    a_run(sweep / "x=4")
    a_run(sweep / "x=5", [], {"name": "o", "mode": mode, "value": -1 if mode == "min" else 1})
    (sweep / "multirun.yaml").touch()
    assert find_checkpoint(str(sweep)) == sweep / best / "checkpoints/best.ckpt"


def test_no_checkpoint_anywhere(tmp_path):
    for ckpt in ("latest", str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(FileNotFoundError, match="ckpt="):
            find_checkpoint(ckpt, tmp_path / "runs")


# Tasks


def test_regression_and_landmarks_are_answered_too():
    data = Data("x", (1, 4, 4), 10, (), (5, 2), (0.0,), (1.0,))
    [answer] = TASKS["Regression"](torch.tensor([[1.5, -2.0]]), data)
    assert answer["values"] == {"values": [1.5, -2.0]}
    assert answer["label"] == "1.5 -2"
    points = torch.rand(2, 5, 2)
    for outputs in (points, points.flatten(1)):
        answers = TASKS["Landmarks"](outputs, data)
        assert torch.allclose(answers[1]["points"].float(), points[1])
        assert len(answers[1]["values"]["points"]) == 5


def test_landmarks_from_training_to_a_picture(train_here, use, tmp_path):
    draw_landmarks(tmp_path, count=20)
    arguments = ["experiment=landmarks", "data.annotations=annotations.txt", "model=lenet5", "data.image_size=48"]
    done = train_here(*arguments, "trainer=cpu", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    metrics = done.result["metrics"]
    use("ckpt=latest", "input=000.png")
    (row,) = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert torch.tensor(row["points"]).shape == (5, 2)
    for split in ("val", "test"):
        use("ckpt=latest", f"evaluate={split}")
        found = json.loads((tmp_path / "evaluation/evaluation.json").read_text())["metrics"]
        assert found == {name: value for name, value in metrics.items() if name.startswith(split)}


def test_folders_of_pictures_are_seen_as_in_evaluation(train_here, use, tmp_path):
    draw_folder(tmp_path / "pictures", count=12)
    arguments = ["data=image_folder", "data.data_dir=pictures", "data.image_size=24", "data.resize=32", "model=mlp"]
    done = train_here(*arguments, "trainer=cpu", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    use("ckpt=latest", "evaluate=val")
    found = json.loads((tmp_path / "evaluation/evaluation.json").read_text())["metrics"]
    assert found == {name: value for name, value in done.result["metrics"].items() if name.startswith("val")}
    data = ImageFolder(tmp_path / "pictures", image_size=24, resize=32)
    data.setup()
    trained = checkpoint.load(done.runs[0] / "checkpoints/best.ckpt")
    for picture, seen in zip(data.val_set.paths, data.evaluation_set("val"), strict=True):
        assert torch.equal(fit(open_picture(picture), trained.data.input_shape, trained.data.preprocess), seen[0])

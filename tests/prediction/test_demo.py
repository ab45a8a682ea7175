"""The page of `demo=true`, but for the page itself: tests/browser/test_demo.py opens it."""

import json
import shutil
import socket
import sys

import pytest
import torch
from pictures import draw_landmarks
from PIL import Image, ImageOps
from scripts import asked

from litlab import checkpoint
from litlab.errors import ConfigError
from litlab.prediction.demo import free_port, write_examples
from litlab.prediction.model_card import model_card
from litlab.prediction.one_picture import SIDE, predict_picture

CPU = torch.device("cpu")


def test_a_picture_takes_the_same_way_as_with_input(best, digits, use, tmp_path):
    folder, labels = digits
    use(f"ckpt={best}", f"input={folder}")
    for row in json.loads((tmp_path / "predictions/predictions.json").read_text()):
        result = predict_picture(checkpoint.load(best), folder / row["file"].rpartition("/")[2], CPU, "auto")
        assert result.probabilities == pytest.approx(row["probabilities"], abs=1e-5)
        assert result.text == row["class"]
        assert result.seen.shape == (3, SIDE, SIDE)
        assert not result.error
    assert len(labels) == 12


def test_the_network_sees_light_ink_on_dark_paper(best, digits, tmp_path):
    folder, _ = digits
    ImageOps.invert(Image.open(folder / "00_7.png")).save(tmp_path / "ink.png")
    trained = checkpoint.load(best)
    seen = [predict_picture(trained, file, CPU, "auto").seen for file in (folder / "00_7.png", tmp_path / "ink.png")]
    assert (seen[0].float() - seen[1].float()).abs().mean() < 2


@pytest.mark.slow
def test_landmarks_are_drawn_on_the_picture(train_here, tmp_path):
    draw_landmarks(tmp_path, count=20)
    arguments = ["experiment=landmarks", "data.annotations=annotations.txt", "model=lenet5", "data.image_size=48"]
    done = train_here(*arguments, "data.val_size=4", "trainer.max_epochs=1", "callbacks.report.enabled=false")
    assert done.status == 0, done.err
    result = predict_picture(checkpoint.load(done.runs[0] / "checkpoints/best.ckpt"), tmp_path / "000.png", CPU, "auto")
    assert result.probabilities == {}
    assert result.text.count("(") == 5
    orange = torch.tensor([0xD5, 0x5E, 0x00]).view(3, 1, 1)
    assert (result.seen == orange).all(0).sum() > 20


@pytest.mark.parametrize(("name", "content"), [("text.png", b"no picture"), ("empty.png", b""), ("cut.png", None)])
def test_a_bad_file_is_one_line(best, digits, tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes((digits[0] / "00_7.png").read_bytes()[:90] if content is None else content)
    result = predict_picture(checkpoint.load(best), file, CPU, "auto")
    assert result.error
    assert "\n" not in result.error
    assert result.seen is None


def test_the_card_says_what_the_run_folder_knows(best, tmp_path):
    card = dict(model_card(checkpoint.load(best)))
    assert card["network"] == "MnistCNN, 183,726 parameters"
    assert card["data"] == "mnist_sample: 3,500 train, 500 val, 1,000 test images"
    assert "val/acc 0." in card["metrics"]
    assert "test/acc 0." in card["metrics"]
    assert "train/" not in card["metrics"]
    assert card["settings"].startswith("optimizer Adam (lr 0.001), ")
    assert "max_epochs 2, batch_size 64, seed 1" in card["settings"]

    (tmp_path / "run/checkpoints").mkdir(parents=True)
    alone = shutil.copy(best, tmp_path / "run/checkpoints/best.ckpt")
    for damaged in (None, "{", "[]", '{"metrics": 3, "config": null, "dataset": {"train": "many"}}'):
        if damaged:
            (tmp_path / "run/result.json").write_text(damaged)
        card = dict(model_card(checkpoint.load(alone)))
        assert card["data"] == "mnist_sample"
        assert "settings" not in card


def test_examples_are_validation_images(best, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained = checkpoint.load(best)
    run = asked(f"ckpt={best}", script="predict")
    files = write_examples(trained, run, tmp_path)
    assert len(files) == 10
    assert {Image.open(file).size for file in files} == {(28, 28)}
    right = [max((p := predict_picture(trained, f, CPU, "auto").probabilities), key=p.get) for f in files]
    assert len(set(right)) > 2


def test_without_the_data_set_there_are_no_examples(best, tmp_path, capfd):
    run = asked(f"ckpt={best}", "data=mnist", f"data.data_dir={tmp_path}/none", script="predict")
    assert write_examples(checkpoint.load(best), run, tmp_path) == []
    assert capfd.readouterr().out.startswith("no examples: ")


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^port={taken}: Address already in use; port=null takes .* 7860 on$"):
            free_port("127.0.0.1", taken)
    assert free_port("127.0.0.1", taken) == taken
    assert 7860 <= free_port("127.0.0.1", None) < 7960


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["demo=true", "input=a.png"], "input and demo at once: one of them at a time"),
        (["demo=maybe"], "demo=maybe: must be true or false"),
        (["demo=true", "port=0"], "port=0: must be a whole number from 1 to 65535, or null"),
        (["demo=true", "port=high"], "port=high: must be a whole number"),
        (["demo=true", "host=no.such.host.invalid"], "host=no.such.host.invalid: is no address of this machine"),
        (["demo=true", "trainer=ddp_cpu"], "trainer.devices: pictures are predicted on one device"),
    ],
)
def test_a_wrong_setting_is_one_line(ckpt, use, settings, message):
    with pytest.raises(ConfigError) as caught:
        use(ckpt, *settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_gradio_one_line_says_what_to_install(ckpt, use, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "litlab.prediction.demo_page", raising=False)
    with pytest.raises(ConfigError, match=r"^demo=true needs gradio: pip install 'litlab\[demo\]'$"):
        use(ckpt, "demo=true")

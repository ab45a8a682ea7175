"""`python predict.py export=...`: other programs get the same outputs from the file."""

import contextlib
import json
import re
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from pictures import draw_folder
from PIL import Image

from litlab import checkpoint
from litlab.data import ImageFolder, MNISTSample, fit
from litlab.errors import RunFailed
from litlab.networks import MnistCNN
from litlab.prediction import export_images
from litlab.prediction.export import preprocess_facts
from litlab.prediction.export_formats import FORMATS, Format, check_opset


@pytest.fixture(scope="module")
def pixels():
    """Five real digits, uint8 [B, 1, 28, 28]."""
    data = MNISTSample()
    data.setup()
    return data.test_set.images[:5]


def expected(best, pixels):
    """The outputs of the network itself."""
    with torch.inference_mode():
        return checkpoint.load(best).network(MNISTSample().normalize(pixels)).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("include_preprocess", [False, True])
def test_onnxruntime_and_opencv_give_the_same_outputs(best, pixels, use, tmp_path, capsys, include_preprocess):
    cv2 = pytest.importorskip("cv2")
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    use(f"ckpt={best}", "export=onnx", f"export.include_preprocess={str(include_preprocess).lower()}")
    path = tmp_path / "export/model.onnx"
    assert "64 test images of mnist_sample" in capsys.readouterr().out
    images = (pixels.float() if include_preprocess else MNISTSample().normalize(pixels)).numpy()
    session = onnxruntime.InferenceSession(path)
    network = cv2.dnn.readNetFromONNX(str(path))
    for count in (1, 2, 5):  # the batch may have any size
        wanted = expected(best, pixels[:count])
        [found] = session.run(["outputs"], {"images": images[:count]})
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
        network.setInput(images[:count])
        np.testing.assert_allclose(network.forward(), wanted, rtol=1e-4, atol=1e-4)
    if include_preprocess:  # as users of OpenCV write it
        network.setInput(cv2.dnn.blobFromImage(pixels[0, 0].numpy()))
        np.testing.assert_allclose(network.forward(), expected(best, pixels[:1]), rtol=1e-4, atol=1e-4)
    model = onnx.load(path)
    assert model.opset_import[0].version == 18
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["class_names"]) == list("0123456789")
    assert json.loads(facts["input_shape"]) == [1, 28, 28]
    if include_preprocess:
        assert facts["input_range"] == "0 to 255"
        assert not {"mean", "std"} & facts.keys()  # a reader would normalise twice
    else:
        assert facts["input_range"] == "(pixel / 255 - mean) / std"
        assert (json.loads(facts["mean"]), json.loads(facts["std"])) == ([0.1307], [0.3081])
    assert facts["output"] == "a logit for each class; softmax makes probabilities of them"
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(("asked", "written", "fits"), [(18, [18], True), (11, [18], False), (18, [], False)])
def test_an_opset_that_was_not_written_is_an_error(asked, written, fits):
    context = contextlib.nullcontext() if fits else pytest.raises(ValueError, match="^export.opset=")
    with context:
        check_opset(asked, written)


@pytest.mark.slow
def test_an_opset_that_cannot_be_written_leaves_no_file(best, use, tmp_path):
    pytest.importorskip("onnxscript")
    with pytest.raises(RunFailed, match="export.opset=99"):
        use(f"ckpt={best}", "export=onnx", "export.opset=99")
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.parametrize("include_preprocess", [False, True])
def test_a_pt2_file_gives_the_same_outputs(best, pixels, use, tmp_path, include_preprocess):
    use(f"ckpt={best}", "export=torch_export", f"export.include_preprocess={str(include_preprocess).lower()}")
    extra = {"litlab.json": ""}
    module = torch.export.load(tmp_path / "export/model.pt2", extra_files=extra).module()
    images = pixels.float() if include_preprocess else MNISTSample().normalize(pixels)
    for count in (1, 5):
        np.testing.assert_allclose(module(images[:count]).numpy(), expected(best, pixels[:count]), rtol=1e-4, atol=1e-4)
    assert json.loads(json.loads(extra["litlab.json"])["class_names"]) == list("0123456789")


def run_lines(code, folder):
    """Runs printed lines of Python, and returns the networks that they make."""
    found = {}
    with contextlib.chdir(folder):
        exec(code, found)  # it is what a user pastes
    return [value for value in found.values() if isinstance(value, torch.nn.Module)]


def test_plain_weights_load_into_the_bare_network(best, pixels, use, tmp_path, capsys):
    safetensors = pytest.importorskip("safetensors.torch")
    for kind in ("state_dict", "safetensors"):
        use(f"ckpt={best}", f"export={kind}", "output=out")
    one, two = MnistCNN(), MnistCNN()
    one.load_state_dict(torch.load(tmp_path / "out/weights.pt", weights_only=True))
    safetensors.load_model(two, tmp_path / "out/weights.safetensors")
    images = MNISTSample().normalize(pixels)
    for network in (one, two):
        np.testing.assert_array_equal(network.eval()(images).detach().numpy(), expected(best, pixels))
    printed = capsys.readouterr().out
    for code in re.findall(r"^import .*\nnetwork = .*\n.*load.*$", printed, re.MULTILINE):
        [network] = run_lines(code, tmp_path)
        np.testing.assert_array_equal(network.eval()(images).detach().numpy(), expected(best, pixels))
    assert printed.count("litlab.networks.MnistCNN(input_shape=[1, 28, 28], num_classes=10)") == 2
    for file in ("weights.pt", "weights.safetensors"):
        assert checkpoint.read_weights(tmp_path / "out" / file).keys() == one.state_dict().keys()
    assert checkpoint.read_weights(best).keys() == one.state_dict().keys()
    for file in ("weights.pt", "weights.safetensors"):
        path = tmp_path / "out" / file
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ValueError, match="not a whole"):
            checkpoint.read_weights(path)


def test_a_file_that_gives_other_outputs_is_not_kept(best, use, tmp_path, monkeypatch):
    def wrong(model, images, path, facts, options):
        path.write_text("wrong")
        return model(images) + 1e-2

    monkeypatch.setitem(FORMATS, "state_dict", Format("weights.pt", wrong))
    with pytest.raises(RunFailed, match=r"differ by 1\.0e-02 on 64 test images"):
        use(f"ckpt={best}", "export=state_dict")
    assert not (tmp_path / "export").exists()


def test_an_export_that_fails_leaves_no_folder(ckpt, use, tmp_path, monkeypatch):
    fails = Mock(side_effect=RuntimeError("no such operation"))  # within a library, as those of torch.onnx
    monkeypatch.setitem(FORMATS, "state_dict", Format("weights.pt", fails))
    with pytest.raises(RunFailed, match="^export=state_dict: no such operation$"):
        use(ckpt, "export=state_dict")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("resizer", ["torch", "pillow"])
@pytest.mark.parametrize("center_crop", [True, False])
def test_the_metadata_say_exactly_how_a_picture_becomes_an_image(resizer, center_crop):
    """A reader that knows the metadata alone makes the same images, to the last bit."""
    preprocess = {"resize": 40, "center_crop": center_crop, "resizer": resizer}
    data = SimpleNamespace(input_shape=(3, 28, 36), preprocess=preprocess)
    facts = json.loads(json.dumps(preprocess_facts(SimpleNamespace(data=data))))
    generator = np.random.default_rng(0)
    for w, h in generator.integers(3, 300, (20, 2)).tolist():
        picture = Image.fromarray(generator.integers(0, 256, (h, w, 3), dtype=np.uint8))
        assert (read_by_metadata(picture, facts) == fit(picture, data.input_shape, preprocess).numpy()).all(), (w, h)


def read_by_metadata(picture, facts):
    """What another program does that has read `facts`. `scale` is a formula, and `cut` says what to round."""
    (w, h), width, height = picture.size, facts["width"], facts["height"]
    kept_w, kept_h = w, h
    if facts["center_crop"]:
        s = eval(facts["scale"], {"min": min, "w": w, "h": h, **facts})
        kept_w, kept_h = width * s, height * s
    left, top = (w - kept_w) / 2, (h - kept_h) / 2
    if facts["resizer"] == "pillow":
        box = (left, top, w - left, h - top)
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box=box)).transpose(2, 0, 1)
    kept_w, kept_h, left, top = (round(value) for value in (kept_w, kept_h, left, top))
    left, top = min(left, w - kept_w), min(top, h - kept_h)
    cut = torch.from_numpy(np.array(picture)[top : top + kept_h, left : left + kept_w]).permute(2, 0, 1)[None]
    size = (height, width)
    return torch.nn.functional.interpolate(cut, size, mode=facts["interpolation"], antialias=facts["antialias"])[
        0
    ].numpy()


def test_an_export_is_checked_on_validation_images_where_there_is_no_test(tmp_path, monkeypatch):
    data = ImageFolder(draw_folder(tmp_path, count=4), image_size=16, val_size=3)
    monkeypatch.setattr(export_images, "data_module", lambda trained, run: (data, False))
    pixels, what = export_images.example_images(None, SimpleNamespace(cfg=SimpleNamespace(input=None)))
    assert pixels.shape == (3, 3, 16, 16)
    assert what == "3 val images of image_folder"

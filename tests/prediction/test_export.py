"""`python predict.py export=...`: other programs get the same outputs from the file."""

import json

import numpy as np
import pytest
import torch

from litlab import checkpoint
from litlab.data import MNISTSample
from litlab.errors import RunFailed
from litlab.networks import MnistCNN
from litlab.prediction.export_formats import FORMATS, Format


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
    assert json.loads(facts["mean"]) == [0.1307]
    assert facts["input_range"].startswith("0 to 255" if include_preprocess else "(pixel / 255")
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("include_preprocess", [False, True])
def test_a_pt2_file_gives_the_same_outputs(best, pixels, use, tmp_path, include_preprocess):
    use(f"ckpt={best}", "export=torch_export", f"export.include_preprocess={str(include_preprocess).lower()}")
    extra = {"litlab.json": ""}
    module = torch.export.load(tmp_path / "export/model.pt2", extra_files=extra).module()
    images = pixels.float() if include_preprocess else MNISTSample().normalize(pixels)
    for count in (1, 5):
        np.testing.assert_allclose(module(images[:count]).numpy(), expected(best, pixels[:count]), rtol=1e-4, atol=1e-4)
    assert json.loads(json.loads(extra["litlab.json"])["class_names"]) == list("0123456789")


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
    assert "litlab.networks.MnistCNN(input_shape=[1, 28, 28], num_classes=10)" in capsys.readouterr().out
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
    def fails(*arguments):
        raise RuntimeError("no such operation")

    monkeypatch.setitem(FORMATS, "state_dict", Format("weights.pt", fails))
    with pytest.raises(RunFailed, match="^export=state_dict: no such operation$"):
        use(ckpt, "export=state_dict")
    assert not list(tmp_path.iterdir())

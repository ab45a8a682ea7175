"""`python predict.py export=...`: what is written computes the same, elsewhere."""

import json

import numpy as np
import pytest
import torch

from litlab import checkpoint
from litlab.data import MNISTSample
from litlab.errors import RunFailed
from litlab.networks import MnistCNN


@pytest.fixture
def best(quick_run):
    return quick_run.runs[0] / "checkpoints/best.ckpt"


@pytest.fixture(scope="module")
def digits():
    """Real digits, uint8 [B, 1, 28, 28]."""
    data = MNISTSample()
    data.setup()
    return data.test_set.images[:5]


def expected(best, digits):
    with torch.inference_mode():
        return checkpoint.load(best).network(MNISTSample().normalize(digits)).numpy()


@pytest.mark.parametrize("include_preprocess", [False, True])
def test_onnx_in_onnxruntime_and_opencv(best, digits, use, tmp_path, capsys, include_preprocess):
    cv2 = pytest.importorskip("cv2")
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    use(f"ckpt={best}", "export=onnx", f"export.include_preprocess={str(include_preprocess).lower()}")
    path = tmp_path / "export/model.onnx"
    assert "64 test images of mnist_sample" in capsys.readouterr().out
    pixels = digits.float().numpy()
    images = pixels if include_preprocess else MNISTSample().normalize(digits).numpy()
    session = onnxruntime.InferenceSession(path)
    network = cv2.dnn.readNetFromONNX(str(path))
    for count in (1, 2, 5):  # the batch is dynamic
        wanted = expected(best, digits[:count])
        [found] = session.run(["outputs"], {"images": images[:count]})
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
        network.setInput(images[:count])
        np.testing.assert_allclose(network.forward(), wanted, rtol=1e-4, atol=1e-4)
    if include_preprocess:  # as OpenCV users write it: a picture as it was read
        network.setInput(cv2.dnn.blobFromImage(digits[0, 0].numpy()))
        np.testing.assert_allclose(network.forward(), expected(best, digits[:1]), rtol=1e-4, atol=1e-4)
    model = onnx.load(path)
    assert model.opset_import[0].version == 18
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["class_names"]) == list("0123456789")
    assert json.loads(facts["input_shape"]) == [1, 28, 28]
    assert json.loads(facts["mean"]) == [0.1307]
    assert facts["input_range"].startswith("0 to 255" if include_preprocess else "(pixel / 255")
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("include_preprocess", [False, True])
def test_torch_export(best, digits, use, tmp_path, include_preprocess):
    use(f"ckpt={best}", "export=torch_export", f"export.include_preprocess={str(include_preprocess).lower()}")
    extra = {"litlab.json": ""}
    module = torch.export.load(tmp_path / "export/model.pt2", extra_files=extra).module()
    images = digits.float() if include_preprocess else MNISTSample().normalize(digits)
    for count in (1, 5):
        np.testing.assert_allclose(module(images[:count]).numpy(), expected(best, digits[:count]), rtol=1e-4, atol=1e-4)
    assert json.loads(json.loads(extra["litlab.json"])["class_names"]) == list("0123456789")


def test_plain_weights_load_into_the_bare_network(best, digits, use, tmp_path, capsys):
    safetensors = pytest.importorskip("safetensors.torch")
    for kind in ("state_dict", "safetensors"):
        use(f"ckpt={best}", f"export={kind}", "output=out")
    one, two = MnistCNN(), MnistCNN()
    one.load_state_dict(torch.load(tmp_path / "out/weights.pt", weights_only=True))
    safetensors.load_model(two, tmp_path / "out/weights.safetensors")
    images = MNISTSample().normalize(digits)
    for network in (one, two):
        np.testing.assert_array_equal(network.eval()(images).detach().numpy(), expected(best, digits))
    assert "litlab.networks.MnistCNN(input_shape=[1, 28, 28], num_classes=10)" in capsys.readouterr().out
    for file in ("weights.pt", "weights.safetensors"):  # and through the door
        assert checkpoint.read_weights(tmp_path / "out" / file).keys() == one.state_dict().keys()
    assert checkpoint.read_weights(best).keys() == one.state_dict().keys()
    for file in ("weights.pt", "weights.safetensors"):
        path = tmp_path / "out" / file
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ValueError, match="not a whole"):
            checkpoint.read_weights(path)


def test_what_differs_is_not_kept(best, use, tmp_path, monkeypatch):
    from litlab.prediction import export

    def wrong(model, images, path, facts, options):
        path.write_text("wrong")
        return model(images) + 1e-2

    monkeypatch.setitem(export.WRITERS, "state_dict", wrong)
    with pytest.raises(RunFailed, match=r"differ by 1\.0e-02 on 64 test images"):
        use(f"ckpt={best}", "export=state_dict")
    assert list((tmp_path / "export").iterdir()) == []

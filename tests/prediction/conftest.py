import pytest
from PIL import Image

from litlab.data import MNISTSample


@pytest.fixture
def best(quick_run):
    """The best checkpoint of a finished run on digits."""
    return quick_run.runs[0] / "checkpoints/best.ckpt"


@pytest.fixture
def ckpt(best):
    """The setting that names it."""
    return f"ckpt={best}"


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder with twelve real digits as PNG, and their labels by file name."""
    folder = tmp_path_factory.mktemp("digits")
    data = MNISTSample()
    data.setup()
    images, labels = data.test_set.__getitems__(list(range(12)))
    names = {}
    for index, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        names[f"{index:02d}_{label}.png"] = str(label)
        Image.fromarray(image[0].numpy()).save(folder / f"{index:02d}_{label}.png")
    return folder, names

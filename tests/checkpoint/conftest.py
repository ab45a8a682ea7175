import pytest
import torch

from litlab import checkpoint
from litlab.data import MNISTSample
from litlab.networks import MLP


@pytest.fixture(scope="module")
def record():
    data = MNISTSample()
    return {
        "format": checkpoint.FORMAT,
        "network": {"name": "litlab.networks.MLP", "args": {"input_shape": [1, 28, 28], "hidden": [4]}},
        "task": "Classification",
        "loss": {"name": "torch.nn.CrossEntropyLoss", "args": {}},
        "data": data.record(),
        "source": {"name": "litlab.data.MNISTSample", "args": {}},
        "numerics": {"precision": "32-true", "log_every_n_steps": 50},
        "metrics": {"val/acc": 0.5},
        "config": {},
    }


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    return {f"network.{name}": value for name, value in MLP(hidden=[4]).state_dict().items()}


@pytest.fixture
def write(tmp_path, record, weights):
    """Saves a checkpoint whose record, or whose weights, differ from a good one's."""

    def save(state_dict=None, **changes):
        path = tmp_path / "x.ckpt"
        torch.save({"state_dict": state_dict or weights, "litlab": {**record, **changes}}, path)
        return path

    return save

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy

from litlab.distributed.strategies import FullyShardedStrategy, by_name, distribution
from litlab.errors import ConfigError


@pytest.fixture
def of_several(monkeypatch):
    """Makes this process rank 0 of six on three hosts."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("alone")
def test_one_process_leaves_the_trainer_to_its_settings():
    assert distribution("auto", 1) == {}
    assert distribution("auto", -1, "cpu") == {"devices": 1}
    assert isinstance(distribution("ddp", 1)["strategy"], DDPStrategy)
    with pytest.raises(ConfigError, match="^trainer.strategy=dpp: no such strategy; write auto, ddp or fsdp$"):
        distribution("dpp", 2)
    with pytest.raises(ConfigError, match="trainer=fsdp splits a model among several processes, and there is one"):
        distribution("fsdp", 1)


@pytest.mark.usefixtures("of_several")
@pytest.mark.parametrize(("devices", "given"), [(1, 2), ([1, 3], [1, 3]), ([3], 2)])
def test_a_launcher_decides_about_processes_and_a_list_about_gpus(devices, given):
    found = distribution("auto", devices)
    assert (found["devices"], found["num_nodes"]) == (given, 3)
    assert isinstance(found["strategy"], DDPStrategy)
    assert isinstance(distribution("fsdp", devices)["strategy"], FullyShardedStrategy)


def test_the_state_of_an_optimizer_has_the_names_of_its_parameters():
    """As one process saves it, and as several have saved it already."""
    network = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    named = by_name(optimizer.state_dict(), network)
    assert set(named["state"]) == {"weight", "bias"}
    assert set(named["param_groups"][0]["params"]) == {"weight", "bias"}
    assert by_name(named, network) is named

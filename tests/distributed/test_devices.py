import pytest
import torch
from omegaconf import OmegaConf
from scripts import QUICK

from litlab.distributed import devices as devices_module
from litlab.distributed import ranks_wanted
from litlab.errors import ConfigError


@pytest.fixture
def gpus(monkeypatch):
    """Makes this machine one with so many GPUs and 4 cores, for what only counts them. No launcher has started it."""
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(devices_module, "cores", lambda: 4)
    return lambda count: monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def trainer(accelerator="auto", devices=1, **more):
    return OmegaConf.create({"accelerator": accelerator, "devices": devices, **more})


@pytest.mark.parametrize(
    ("accelerator", "devices", "gpu_count", "wanted"),
    [
        ("auto", 1, 0, 1),
        ("auto", -1, 0, 1),
        ("auto", -1, 4, 4),
        ("auto", "auto", 4, 4),
        ("cpu", -1, 4, 1),
        ("cpu", 3, 0, 3),
        ("cpu", 4, 0, 4),
        ("auto", 8, 8, 8),
        ("gpu", "-1", 2, 2),
        ("gpu", "2", 2, 2),
        ("gpu", [3], 4, 1),
        ("gpu", [0, 1, 3], 4, 3),
    ],
)
def test_a_run_has_a_process_for_each_device(gpus, accelerator, devices, gpu_count, wanted):
    gpus(gpu_count)
    assert ranks_wanted(trainer(accelerator, devices)) == wanted


@pytest.mark.parametrize(
    ("settings", "gpu_count", "message"),
    [
        (
            {"accelerator": "gpu"},
            0,
            "^trainer=gpu, or trainer.accelerator=gpu: there is no GPU here; use trainer=cpu or",
        ),
        ({"accelerator": "gpu", "strategy": "ddp"}, 0, "^trainer=ddp: there is no GPU here; use trainer=cpu or"),
        (
            {"accelerator": "cpu", "devices": [1]},
            0,
            r"^trainer.devices=\[1\]: a list names GPUs; on the CPU write how many",
        ),
        ({"accelerator": "gpu", "devices": 3}, 2, "trainer.devices=3: this machine has 2 GPUs"),
        ({"accelerator": "gpu", "devices": [1]}, 1, r"trainer.devices=\[1\]: this machine has 1 GPU$"),
        (
            {"accelerator": "cpu", "devices": 64},
            0,
            "trainer.devices=64: a process on the CPU needs a core, and this machine has 4; write at most 4",
        ),
        (
            {"accelerator": "cpu", "devices": 5},
            8,
            "trainer.devices=5: a process on the CPU needs a core, and this machine has 4; write at most 4",
        ),
        (
            {"devices": 5},
            0,
            "trainer.devices=5: a process on the CPU needs a core, and this machine has 4; write at most 4",
        ),
        ({"devices": "two"}, 0, "trainer.devices=two: must be a number, a list of GPUs, or auto"),
        ({"devices": 0}, 0, "trainer.devices=0: must name at least one device"),
        ({"devices": []}, 0, r"trainer.devices=\[\]: must name at least one device"),
        ({"num_nodes": 2}, 0, "trainer.num_nodes=2: start train.py on each of them, with torchrun or srun"),
    ],
)
def test_devices_that_are_not_there_are_refused(gpus, settings, gpu_count, message):
    gpus(gpu_count)
    with pytest.raises(ConfigError, match=message):
        ranks_wanted(trainer(**settings))


def test_a_launcher_decides_how_many_processes_there_are(gpus, monkeypatch):
    gpus(0)
    for name, value in {"RANK": "1", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    assert ranks_wanted(trainer(devices=1, num_nodes=2)) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_asking_for_a_gpu_where_there_is_none(train_here):
    done = train_here(*QUICK, "trainer=gpu")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "there is no GPU here; use trainer=cpu or trainer=auto" in done.err

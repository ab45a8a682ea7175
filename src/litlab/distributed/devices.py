"""How many processes `trainer.devices` asks for."""

from typing import Any

from litlab.distributed.ranks import is_rank, local_size
from litlab.errors import ConfigError
from litlab.machine import cores

FEW = 4  # processes that may share fewer cores, to try distributed training


def ranks_wanted(trainer: Any) -> int:
    """The number of processes that a run needs on this machine. Under torchrun and SLURM these decide it.

    Args:
        trainer: the group `trainer` of a config.

    Raises:
        ConfigError: if there are fewer GPUs, or if several machines are asked for without torchrun or SLURM.
    """
    import torch  # takes seconds: a mistyped command should not wait for it

    gpus = torch.cuda.device_count()
    needs_gpus = trainer.accelerator in ("gpu", "cuda")
    if needs_gpus and not gpus:
        raise ConfigError("trainer.accelerator=gpu: there is no GPU here; use trainer=cpu or trainer=auto")
    devices = trainer.devices
    wanted, highest = _devices(devices, gpus if trainer.accelerator != "cpu" else 0)
    if wanted < 1:
        raise ConfigError(f"trainer.devices={devices}: must name at least one device")
    on_cpu = trainer.accelerator == "cpu" or not gpus
    if on_cpu and wanted > max(FEW, cores()):
        raise ConfigError(f"trainer.devices={devices}: a process each, and there are {cores()} CPU cores here")
    if needs_gpus and highest > gpus:
        raise ConfigError(f"trainer.devices={devices}: this machine has {gpus} GPU{'s' * (gpus > 1)}")
    if is_rank():
        return local_size()
    if (hosts := trainer.get("num_nodes", 1)) != 1:
        raise ConfigError(
            f"trainer.num_nodes={hosts}: start train.py on each of them, with torchrun or srun (see README)"
        )
    return wanted


def _devices(devices: Any, gpus: int) -> tuple[int, int]:
    """How many devices `trainer.devices` names, and how many the machine must have for that.

    They differ for a list: `[3]` is one device, and only a machine with four GPUs has it.
    """
    if devices in (-1, "-1", "auto"):
        return max(1, gpus), max(1, gpus)
    if isinstance(devices, int | str):
        try:
            return int(devices), int(devices)
        except ValueError:
            raise ConfigError(f"trainer.devices={devices}: must be a number, a list of GPUs, or auto") from None
    return len(devices), max(devices, default=-1) + 1

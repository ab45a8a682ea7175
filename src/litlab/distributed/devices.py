"""How many processes `trainer.devices` asks for."""

from typing import Any

from litlab.distributed.ranks import is_rank, local_size
from litlab.errors import ConfigError
from litlab.machine import cores

TO_TRY = 4  # processes on the CPU that a machine with fewer cores may have, to try distributed training


def ranks_wanted(trainer: Any) -> int:
    """The number of processes that a run needs on this machine. Under torchrun and SLURM these decide it.

    Args:
        trainer: the group `trainer` of a config.

    Raises:
        ConfigError: if there are fewer GPUs or cores, or if several machines are asked for without torchrun or SLURM.
    """
    import torch  # takes seconds: a mistyped command should not wait for it

    gpus = torch.cuda.device_count()
    needs_gpus = trainer.accelerator in ("gpu", "cuda")
    if needs_gpus and not gpus:
        strategy = trainer.get("strategy")
        asked = f"trainer={strategy}" if strategy in ("ddp", "fsdp") else "trainer=gpu, or trainer.accelerator=gpu"
        raise ConfigError(f"{asked}: there is no GPU here; use trainer=cpu or trainer=auto")
    devices = trainer.devices
    wanted, highest = _devices(devices, gpus if trainer.accelerator != "cpu" else 0)
    if wanted < 1:
        raise ConfigError(f"trainer.devices={devices}: must name at least one device")
    if needs_gpus and highest > gpus:
        raise ConfigError(f"trainer.devices={devices}: this machine has {gpus} GPU{'s' * (gpus > 1)}")
    if not (gpus and trainer.accelerator != "cpu") and not isinstance(devices, int | str):
        raise ConfigError(f"trainer.devices={devices}: a list names GPUs; on the CPU write how many processes")
    if is_rank():
        return local_size()
    most = max(TO_TRY, cores())
    if wanted > most and not (gpus and trainer.accelerator != "cpu"):
        raise ConfigError(
            f"trainer.devices={devices}: a process on the CPU needs a core, and this machine has {cores()}; "
            f"write at most {most}"
        )
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

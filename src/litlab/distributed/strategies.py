"""How the Trainer spreads a training over processes: DDP, or FSDP2 (`fully_shard`)."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy, StrategyRegistry
from lightning.pytorch.strategies.model_parallel import ModelParallelStrategy
from torch.distributed.fsdp import FullyShardedDataParallel, OptimStateKeyType

from litlab.distributed.ranks import hosts, is_rank, local_size, world_size
from litlab.errors import ConfigError


def distribution(strategy: str, devices: Any, accelerator: str = "auto") -> dict[str, Any]:
    """Arguments of the Trainer about its processes. Under torchrun and SLURM these decide how many there are.

    Args:
        strategy: `trainer.strategy`.
        devices: `trainer.devices`.
        accelerator: `trainer.accelerator`.

    Raises:
        ConfigError: if there is no such strategy, or a model is to be split and there is only one process.
    """
    if strategy.lower() not in ("auto", "ddp", "fsdp", *StrategyRegistry.available_strategies()):
        raise ConfigError(f"trainer.strategy={strategy}: no such strategy; write auto, ddp or fsdp")
    arguments: dict[str, Any] = {}
    if str(devices) == "-1" and (accelerator == "cpu" or not torch.cuda.is_available()):
        arguments["devices"] = 1  # all GPUs, where there is none: Lightning refuses that
    if is_rank():
        chosen = not isinstance(devices, int | str) and len(devices) == local_size()  # a list of GPUs
        arguments["devices"] = list(devices) if chosen else local_size()
        arguments["num_nodes"] = hosts()
        arguments["plugins"] = [TorchElasticEnvironment()]  # else Lightning would find SLURM first
    if strategy == "ddp" or (strategy == "auto" and world_size() > 1):
        # The buffers of rank 0 count. They are sent before each evaluation and not before each step, so ranks may
        # evaluate different numbers of batches.
        arguments["strategy"] = DDPStrategy(broadcast_buffers=False)
    if strategy == "fsdp":
        if world_size() == 1:
            raise ConfigError("trainer=fsdp splits a model among several processes, and there is one: use trainer=gpu")
        arguments["strategy"] = FullyShardedStrategy()
    return arguments


def rebuild_ddp(strategy: Any) -> None:
    """Builds DDP anew, after other parameters have begun to be trained. Does nothing for other strategies."""
    if isinstance(strategy, DDPStrategy):
        strategy.model = strategy.lightning_module  # the wrapper of before takes its hooks with it
        strategy.configure_ddp()


class FullyShardedStrategy(ModelParallelStrategy):
    """Lightning's FSDP2, with whole checkpoints, which litlab writes and reads.

    So a run can go on with another number of processes, and its checkpoints are used like any others.
    """

    def __init__(self) -> None:
        super().__init__(data_parallel_size=world_size(), tensor_parallel_size=1, save_distributed_checkpoint=False)

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        if self.is_global_zero:
            self.checkpoint_io.save_checkpoint(checkpoint, filepath, storage_options=storage_options)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        # Imported here: it takes 0.3 s, in each process, and only FSDP needs it.
        from torch.distributed.checkpoint import state_dict

        checkpoint: dict[str, Any] = self.checkpoint_io.load_checkpoint(Path(checkpoint_path))
        assert self.model is not None
        assert self.lightning_module is not None
        whole = state_dict.StateDictOptions(full_state_dict=True)
        state_dict.set_model_state_dict(self.model, checkpoint["state_dict"], options=whole)
        if self.lightning_module.trainer.state.fn == "fit":
            for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
                state_dict.set_optimizer_state_dict(self.model, optimizer, by_name(saved, self.model), options=whole)
        return checkpoint


def by_name(state: dict[str, Any], model: Any) -> dict[str, Any]:
    """The state of an optimizer by the names of its parameters, as FSDP needs it. One process alone saves numbers."""
    if not any(isinstance(key, int) for key in state["state"]):
        return state
    return FullyShardedDataParallel.rekey_optim_state_dict(state, OptimStateKeyType.PARAM_NAME, model)

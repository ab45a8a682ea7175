"""`trainer=fsdp`: weights, gradients and optimizer states split among the processes (FSDP2, `fully_shard`)."""

from pathlib import Path
from typing import Any

from lightning.fabric.strategies.model_parallel import _rekey_optimizer_state_if_needed
from lightning.pytorch.strategies.model_parallel import ModelParallelStrategy
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    set_model_state_dict,
    set_optimizer_state_dict,
)


class FullyShardedStrategy(ModelParallelStrategy):
    """Lightning's strategy, with checkpoints that are whole, through litlab's own door.

    So a run that was split goes on with another number of processes, and its checkpoint is used like any other.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_processes * self.num_nodes
        super().setup_environment()

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        if self.is_global_zero:
            self.checkpoint_io.save_checkpoint(checkpoint, filepath, storage_options=storage_options)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        checkpoint: dict[str, Any] = self.checkpoint_io.load_checkpoint(Path(checkpoint_path))
        assert self.model is not None
        assert self.lightning_module is not None
        whole = StateDictOptions(full_state_dict=True)
        set_model_state_dict(self.model, checkpoint["state_dict"], options=whole)
        if self.lightning_module.trainer.state.fn == "fit":
            for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
                by_name = _rekey_optimizer_state_if_needed(saved, self.model)
                set_optimizer_state_dict(self.model, optimizer, by_name, options=whole)
        return checkpoint

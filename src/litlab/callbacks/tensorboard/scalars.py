"""Numbers of training steps beside the loss, logged every `trainer.log_every_n_steps` steps."""

import sys
import time
from pathlib import Path

import torch

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.modules import Grouped, layers_in_words

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

GIB = 2**30


class LearningRate(Panel):
    """`lr-Adam`, or whatever the optimizer is: the learning rate of this step. A text says what the groups are."""

    only_board = False

    def begin(self, view: View) -> None:
        grouped = view.module.make_optimizer
        if view.step or not isinstance(grouped, Grouped):  # a resumed run has it already
            return
        groups = grouped.groups(view.module.trained())
        lines = ["| group | layers | parameters | lr factor | weight decay |", "|---|---|---|---|---|"]
        words = layers_in_words(groups, [name for name, _ in view.network.named_parameters()])
        for number, (group, layers) in enumerate(zip(groups, words, strict=True), 1):
            values = f"{group.count:,} | {group.factor:.4g} | {group.weight_decay:g}"
            lines.append(f"| pg{number} | {layers} | {values} |")
        if len(groups) > 1:
            view.write(lambda writer: writer.add_text("parameter_groups", "\n".join(lines), 0))

    def scalars(self, view: View) -> dict[str, float | torch.Tensor]:
        found: dict[str, float | torch.Tensor] = {}
        for optimizer in view.trainer.optimizers:
            for number, group in enumerate(optimizer.param_groups, 1):
                which = f"/pg{number}" if len(optimizer.param_groups) > 1 else ""
                found[f"lr-{type(optimizer).__name__}{which}"] = float(group["lr"])
        return found


class GradientNorm(Panel):
    """`train/gradient_norm`: the 2-norm of all gradients, before they are clipped (`trainer.gradient_clip_val`)."""

    whole_weights = True
    only_board = False

    def scalars(self, view: View) -> dict[str, float | torch.Tensor]:
        norm = view.module.gradient_norm
        if norm is None:
            gradients = [p.grad for p in view.network.parameters() if p.grad is not None]
            norm = torch.nn.utils.get_total_norm(gradients) if gradients else None
        return {} if norm is None else {"train/gradient_norm": norm.float()}


class Speed(Panel):
    """`speed/images_per_second`: training images of all devices, since the last time or since the epoch began."""

    only_board = reproducible = False

    def begin(self, view: View) -> None:
        self._since, self._images = time.perf_counter(), view.module.images_seen

    def begin_epoch(self, view: View) -> None:
        self.begin(view)

    def scalars(self, view: View) -> dict[str, float | torch.Tensor]:
        before, images = self._since, self._images
        self.begin(view)
        images = (self._images - images) * view.trainer.world_size
        return {"speed/images_per_second": images / (self._since - before)}


class Memory(Panel):
    """`memory/...`: memory of rank 0 in GiB: of its process, now and at most, and of its GPU, if it has one."""

    only_board = reproducible = False

    def scalars(self, view: View) -> dict[str, float | torch.Tensor]:
        found: dict[str, float | torch.Tensor] = self._of_process() if resource else {}
        if view.module.device.type == "cuda":
            found["memory/gpu_allocated"] = torch.cuda.memory_allocated(view.module.device) / GIB
            found["memory/gpu_reserved"] = torch.cuda.memory_reserved(view.module.device) / GIB
        return found

    def _of_process(self) -> dict[str, float | torch.Tensor]:
        found: dict[str, float | torch.Tensor] = {}
        if (pages := Path("/proc/self/statm")).exists():
            found["memory/cpu"] = int(pages.read_text().split()[1]) * resource.getpagesize() / GIB
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
        found["memory/cpu_peak"] = max(peak, found.get("memory/cpu", 0.0))  # the kernel updates its peak late
        return found

"""A block of steps, each a replay of one captured step."""

from __future__ import annotations

from collections.abc import Callable

import lightning
import torch
from torch import Tensor

from litlab.console import log
from litlab.data import Block
from litlab.engines.blocks import Blocks
from litlab.engines.buffers import Buffers
from litlab.engines.rates import TensorRates
from litlab.engines.recorders import CudaRecorder, Recorder
from litlab.errors import RunFailed, one_line
from litlab.modules import Supervised
from litlab.modules.snapshot import RandomState, Snapshot, relative_difference

WARM_UP = 3  # eager steps before the capture: libraries make their workspaces, and the optimizer its state
TOLERANCE = 0.05  # of loss and gradients against those of the eager step: what the order of sums may change


class GraphBlocks(Blocks):
    """Trains on blocks of batches, each step a replay of the captured step.

    The first steps of a run are the warm-up: they are eager, and count. A batch of another size is eager too.

    What is logged of a block is written while the device works on the next one.

    Args:
        trainer: of the run.
        module: what it trains.
        save_every_n_steps: `checkpoint.every_n_steps`.
        must: whether a step that cannot be captured is an error; else it is a line in the log.
        recorder: makes what records and replays.
    """

    name = "graph"

    def __init__(
        self,
        trainer: lightning.Trainer,
        module: Supervised,
        save_every_n_steps: int | None = None,
        must: bool = False,
        recorder: Callable[[], Recorder] = CudaRecorder,
    ) -> None:
        super().__init__(trainer, module, save_every_n_steps)
        self.must, self.make_recorder = must, recorder
        self.recorder: Recorder | None = None
        self.refused = False
        self.eager_steps = 0
        self.waiting: list[Callable[[], None]] = []  # what is to be written when the device has the values
        self.older = 0  # how many of them are of the blocks before
        self.plan.last_alone = bool(trainer.gradient_clip_val)  # a panel shows its gradients, before they are clipped

    def start(self) -> None:
        super().start()
        self.rates = TensorRates(self.optimizer, self.device)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.module.later, self.module.drain = self.waiting.append, self.drain

    def renew(self) -> None:
        """After other parameters have begun to be trained: warms up, and captures the step anew."""
        self.drain()
        self.recorder, self.eager_steps = None, 0

    def run_steps(self, block: Block) -> Tensor:
        self.older = len(self.waiting)
        if self.recorder is None and not self.refused and self.eager_steps >= WARM_UP and self.fits(block):
            self.capture(block)
        if self.recorder is None or not self.fits(block):
            return self.run_eagerly(block)
        return self.replay(block)

    def fits(self, block: Block) -> bool:
        """Whether a block is like those that are captured."""
        is_last = self.plan.last_alone and self.clock.batches_done >= self.trainer.num_training_batches
        return block.is_whole and not is_last

    def finish(self) -> None:
        """Writes what was logged of the blocks before, while the device works on this one."""
        self.write(self.older)

    def drain(self) -> None:
        """Writes all that was logged."""
        self.write(len(self.waiting))

    def write(self, count: int) -> None:
        for _ in range(count):
            self.waiting.pop(0)()

    # Eager steps

    def run_eagerly(self, block: Block) -> Tensor:
        self.eager_steps += len(block)
        self.module.gradient_norm = None
        if self.device.type != "cuda" or self.recorder is not None:
            return super().run_steps(block)
        # What is captured later must have run on a stream that is not the default one.
        side, main = torch.cuda.Stream(self.device), torch.cuda.current_stream(self.device)
        side.wait_stream(main)
        with torch.cuda.stream(side):
            loss = super().run_steps(block)
        main.wait_stream(side)
        return loss

    def step_optimizer(self) -> None:
        self.rates.fill()
        with self.rates.in_groups():
            self.optimizer.step()

    # The captured step

    def captured_step(self) -> None:
        """One training step from buffers to buffers, without a value that Python must know."""
        images, targets = self.module.preprocess(*self.buffers.batch(), training=True)
        self.optimizer.zero_grad()
        total, loss, predictions = self.forward(images, targets)
        total.backward()
        if self.trainer.gradient_clip_val:
            self.norm.copy_(torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None]))
            self.clip()
        self.buffers.rates_to(self.rates.values)
        with self.rates.in_groups():
            self.optimizer.step()
        self.buffers.keep(loss, predictions, targets)

    def forward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        with self.trainer.precision_plugin.train_step_context():
            return self.module.step(images, targets)

    def capture(self, block: Block) -> None:
        """Captures the step, and tries it on the first batch of a block against the eager step."""
        if torch.is_anomaly_enabled():
            self.refuse("trainer.detect_anomaly=true reads values on the host")
            return
        before = Snapshot(self.module, self.optimizer, self.device)
        self.buffers = Buffers(block, self.module.log_every_n_steps, self.device, len(self.rates.tensors))
        self.norm = torch.zeros((), device=self.device)
        first = block.first()
        with torch.enable_grad(), self.without_autocast():
            loss, gradients = self.eager_reference(first)
            before.restore()
            if self.buffers.dataset is None:
                self.buffers.put(first)
            self.optimizer.zero_grad()
            recorder = self.make_recorder()
            try:
                recorder.record(self.captured_step)
            except Exception as error:  # whatever a network does that a graph cannot
                self.optimizer.zero_grad()
                before.restore()
                self.refuse(one_line(error))
                return
        self.gradients = [parameter.grad for parameter in self.parameters]
        before.restore()
        self.buffers.begin(block, [self.rates.now()])
        recorder.replay()
        found = self.buffers.outputs[0][0]
        wrong = relative_difference([found], [loss]), relative_difference(kept(self.gradients), kept(gradients))
        before.restore()
        if max(wrong) > TOLERANCE or wrong != wrong:
            self.refuse(f"its loss differs by {wrong[0]:.0%} from the eager step's, its gradients by {wrong[1]:.0%}")
        else:
            self.recorder = recorder

    def eager_reference(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, list[Tensor | None]]:
        """Loss and gradients of a batch, computed eagerly."""
        images, targets = self.module.preprocess(*self.to_device(batch), training=True)
        self.optimizer.zero_grad()
        total, loss, predictions = self.forward(images, targets)
        total.backward()
        self.clip()
        self.buffers.allocate(loss.detach().float(), predictions.detach(), targets)
        return loss.detach().float(), [None if p.grad is None else p.grad.clone() for p in self.parameters]

    def refuse(self, reason: str) -> None:
        """The step cannot be captured: an error, or eager steps from now on."""
        self.refused = True
        if self.must:
            raise RunFailed(f"engine=graph: the step cannot be captured: {reason}; use engine=auto or engine=blocks")
        log.info("engine: eager steps in blocks, as the step cannot be captured: %s", reason)

    def replay(self, block: Block) -> Tensor:
        """Queues the steps of a block on the device, and what is logged of them."""
        assert self.recorder is not None
        module, count, first = self.module, len(block), self.clock.steps_done
        if module.keeps_first_images and self.clock.batches_done == count:
            module.first_images = self.preprocessed(block.first())
        self.buffers.begin(block, self.rates_ahead(count))
        for _ in self.buffers.feed(block):
            self.recorder.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient  # an eager step has left others
        module.gradient_norm = self.norm.clone() if self.trainer.gradient_clip_val else None
        losses, predictions, targets = self.buffers.results(count)
        for number in range(count):
            module.measure(losses[number], predictions[number], targets[number], first + number)
        module.log_if_due(first + count - 1)
        self.clock.count_steps(count - 1)
        self.clock.count_zeroed(count - 1)
        self.clock.count_schedule_steps((count - 1) * len(self.schedules))
        self.look_before_step(is_last=True)
        return losses[-1]

    def preprocessed(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The images of a batch as the next replay will see them: the random numbers are drawn twice."""
        random = RandomState(self.device)
        images, _ = self.module.preprocess(*self.to_device(batch), training=True)
        random.restore()
        return images

    def rates_ahead(self, count: int) -> list[list[float]]:
        """The learning rates of the next steps, [count][groups]; the schedules then stand before the last of them."""
        rates = [self.rates.now()]
        for _ in range(1, count):
            for config in self.schedules:
                self.module.lr_scheduler_step(config.scheduler, None)
            rates.append(self.rates.now())
        return rates


def kept(gradients: list[Tensor | None]) -> list[Tensor]:
    """The gradients that there are."""
    return [gradient for gradient in gradients if gradient is not None]

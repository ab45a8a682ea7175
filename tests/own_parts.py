"""Parts of a beginner's own project, each with a mistake."""

import sys
from typing import Any

import torch
from lightning import Callback
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from litlab.callbacks import Panel
from litlab.data import ImageDataModule
from litlab.data.sources import Arrays
from litlab.modules import Classification


class Dense(nn.Module):
    """Without a mistake."""

    def __init__(self, input_shape: list[int], num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(torch.Size(input_shape).numel(), num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))


def makes_dense(input_shape: list[int], num_classes: int) -> nn.Module:
    """Without a mistake."""
    return Dense(input_shape, num_classes)


def does_not_say(input_shape: list[int], num_classes: int):
    return Dense(input_shape, num_classes)


def makes_nothing(input_shape: list[int], num_classes: int) -> nn.Module:
    Dense(input_shape, num_classes)


def makes_a_class(input_shape: list[int], num_classes: int) -> nn.Module:
    return Dense


class NoModule:
    def __init__(self, input_shape: list[int], num_classes: int) -> None:
        """Takes what a network takes."""


class TakesALayer(Dense):
    def __init__(self, input_shape: list[int], num_classes: int, activation: nn.Module) -> None:
        super().__init__(input_shape, num_classes)
        self.activation = activation


def loss_function(logits: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, targets)


def makes_a_loss() -> nn.CrossEntropyLoss:
    """Without a mistake."""
    return nn.CrossEntropyLoss()


class LossOfNoModule:
    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        return loss_function(logits, targets)


class NoReturn(Dense):
    def forward(self, images: Tensor) -> None:
        self.layer(images.flatten(1))


class Pair(Dense):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(images.flatten(1)), images


class PairInTraining(Dense):
    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits = self.layer(images.flatten(1))
        return (logits, logits) if self.training else logits


class Detached(Dense):
    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1)).detach()


class DetachedInEvaluation(Dense):
    """No mistake: it is never trained in evaluation mode."""

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.layer(images.flatten(1))
        return outputs if self.training else outputs.detach()


class InAList(nn.Module):
    def __init__(self, input_shape: list[int], num_classes: int) -> None:
        super().__init__()
        self.layers = [nn.Linear(torch.Size(input_shape).numel(), num_classes)]

    def forward(self, images: Tensor) -> Tensor:
        return self.layers[0](images.flatten(1))


class TakesNoImages(Dense):
    def forward(self) -> int:
        return 1


class TakesMore(Dense):
    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        return super().forward(images)


class CallsWrongly(Dense):
    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1), 3)


class Crashes(Dense):
    def forward(self, images: Tensor) -> Tensor:
        return self.layr(images.flatten(1))


class Grey(ImageDataModule):
    """Without a mistake."""

    name, class_names, input_shape = "grey", ("dark", "light"), (1, 4, 4)
    mean, std = (0.5,), (0.5,)

    def prepare_data(self) -> None:
        """Does nothing: `load_arrays` makes the images."""

    def load_arrays(self) -> Arrays:
        images, labels = torch.zeros(40, 1, 4, 4, dtype=torch.uint8), torch.arange(40) % 2
        images[labels == 1] = 255
        return Arrays(images, labels, images[:10], labels[:10])


def makes_grey(**options: Any) -> Grey:
    return Grey(**options)


class NoArrays(Grey):
    def load_arrays(self) -> None:
        super().load_arrays()


class TwoArrays(Grey):
    def load_arrays(self) -> tuple[Tensor, Tensor]:
        return super().load_arrays()[:2]


class ThreeMeans(Grey):
    mean, std = (0.4, 0.4, 0.4), (0.2, 0.2, 0.2)


class OneMean(Grey):
    mean, std = 0.4, 0.2


class CountedNames(Grey):
    class_names = 2


class NoImages(Grey):
    def load_arrays(self) -> Arrays:
        arrays = super().load_arrays()
        return arrays._replace(train_images=arrays.train_images[:0], train_labels=arrays.train_labels[:0])


class OnlyFacts(ImageDataModule):
    name, class_names, input_shape = "grey", ("dark", "light"), (1, 4, 4)
    mean, std = (0.5,), (0.5,)


class NothingToPrepare(OnlyFacts):
    """Without a mistake."""

    def load_arrays(self) -> Arrays:
        return Grey().load_arrays()


class NoArguments(Dense):
    def __init__(self) -> None:
        super().__init__([1, 4, 4], 2)


class NoOptions(Grey):
    def __init__(self, noise: float = 1.0) -> None:
        super().__init__()
        self.noise = noise


class NoNames(Grey):
    class_names = ()


class NoFile(Grey):
    def load_arrays(self) -> Arrays:
        raise FileNotFoundError("data/grey.npy")


class TwoOfThree(Classification):
    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        return super().step(images, targets)[:2]


class NotACallback:
    pass


class LacksAnArgument(Callback):
    def on_train_epoch_end(self, trainer: Any) -> None:
        trainer.should_stop = True


class NamesItsStage(Callback):
    def setup(self, trainer: Any, module: Any, name: str) -> None:
        pass


class TakesAll(Callback):
    def setup(self, *arguments: Any, **stage: Any) -> None:
        pass

    def on_train_epoch_end(self, its_trainer: Any, its_module: Any, more: int = 1) -> None:
        pass


class LacksTheView(Panel):
    def end_epoch(self) -> None:
        pass


class FailsInStep(Callback):
    def on_train_batch_end(self, *_: Any) -> None:
        {}["nothing"]


class ExitsWhenBuilt(Callback):
    def __init__(self) -> None:
        sys.exit("when built")


class ExitsInStep(Callback):
    def on_train_batch_end(self, *_: Any) -> None:
        sys.exit()


class FailsWhenBuilt(Callback):
    def __init__(self) -> None:
        raise RuntimeError("no panel")


class FailingTransform:
    def __call__(self, images: Tensor) -> Tensor:
        return self.nothing(images)


class FloatTransform:
    def __call__(self, images: Tensor) -> Tensor:
        return images.float()


def called_too_early(images: Tensor) -> Tensor:
    return images


class NoAngle:
    def __init__(self, strength: int = 1) -> None:
        self.strength = strength


def no_images(images: Tensor, strength: int = 1) -> None:
    images + strength


class FailingOptimizer(SGD):
    def __init__(self, params: Any, lr: float) -> None:
        raise KeyError("beta")


class NoClosure(SGD):
    def step(self) -> None:
        super().step()


class NoStep(Optimizer):
    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})


class ClosureNotCalled(SGD):
    def step(self, closure: Any = None) -> None:
        super().step()


def no_optimizer(weights: Any, lr: float) -> None:
    SGD(weights, lr)


def takes_too_few(optimizer: Optimizer) -> list[dict]:
    return []


def needs_another(optimizer: Optimizer, steps_per_epoch: int, epochs: int, gamma: float) -> list[dict]:
    return []


def calls_wrongly(optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> list[dict]:
    return takes_too_few(optimizer, epochs)


def optimizer_of_nothing(*, lr: float) -> Optimizer:
    return SGD([], lr)


def bare_schedule(optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> LambdaLR:
    return LambdaLR(optimizer, lambda step: 1.0)


def no_schedule(optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> None:
    bare_schedule(optimizer, steps_per_epoch, epochs)

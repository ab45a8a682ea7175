"""`calibrate=true`: one number makes a classifier as sure as it is right.

The logits are divided by a temperature, which is fitted on the validation images. No answer changes by it.
Guo et al. 2017, "On calibration of modern neural networks".
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import say, warn
from litlab.distributed import ranks_wanted
from litlab.errors import ConfigError
from litlab.prediction.data import prepare_split
from litlab.prediction.details import CalibrationError
from litlab.prediction.settings import device

LEAST, MOST = 0.05, 20.0  # of a temperature
ROUNDS = 60  # of the search, each of which leaves 0.62 of the range
PLAIN_WEIGHTS = ("state_dict", "safetensors")  # formats of an export that have no room for a temperature
GOLDEN = (math.sqrt(5) - 1) / 2


class Calibrated(nn.Module):
    """A classifier whose logits are divided by a temperature.

    Args:
        network: from images [B, C, H, W] to logits [B, num_classes], or to the logarithms of probabilities.
        temperature: above 1 for a network that is too sure.
        of_logarithms: whether the outputs are logarithms of probabilities, and must stay so.
    """

    def __init__(self, network: nn.Module, temperature: float, of_logarithms: bool = False) -> None:
        super().__init__()
        self.network, self.temperature, self.of_logarithms = network, temperature, of_logarithms

    def forward(self, images: Tensor) -> Tensor:
        """Outputs [B, num_classes] of images float32 [B, C, H, W]."""
        outputs: Tensor = self.network(images)
        if outputs.dtype in (torch.bfloat16, torch.float16):
            outputs = outputs.float()  # divided in 8 or 11 bits, two logits could become equal: another answer
        outputs = outputs / self.temperature
        return outputs.log_softmax(1) if self.of_logarithms else outputs


def calibrated(trained: Trained, run: Run) -> Trained:
    """The same network, with the temperature that suits its validation images if `calibrate=true` asks for that.

    Raises:
        ConfigError: if that does not suit what is asked for, or if there are no validation images.
    """
    if not run.get("calibrate"):
        return trained
    check_calibrate(trained, run)
    logits, targets, name = validation_outputs(trained, run)
    temperature = best_temperature(logits, targets)
    before, after = calibration_error(logits, targets), calibration_error(logits / temperature, targets)
    message = (
        f"temperature {temperature:.4g}, fitted on {len(targets):,} val images of {name}: "
        f"calibration error there {before:.4f}, now {after:.4f}"
    )
    if not run.get("quiet"):
        say(message)
        if outcome := _end_of_search(temperature, int((logits.argmax(1) != targets).sum()), len(targets)):
            warn(outcome)
    network = Calibrated(trained.network, temperature, trained.loss.name.endswith("NLLLoss")).eval()
    return dataclasses.replace(trained, network=network)


def _end_of_search(temperature: float, wrong: int, images: int) -> str:
    """What a temperature at the end of the search means, in a sentence; empty for others."""
    if temperature < LEAST * 1.001 or not wrong:  # without a mistake, the lower it is the better
        return (
            f"temperature {temperature:.4g} means little: {wrong} of {images:,} val images are wrong, too few to fit "
            "it; hold out more with data.val_size, or leave calibrate=true out"
        )
    if temperature > MOST * 0.999:
        return f"temperature {MOST:g} is the highest that is tried: {wrong:,} of {images:,} val images are wrong"
    return ""


def check_calibrate(trained: Trained, run: Run) -> None:
    """Refuses what a temperature does not suit, if `calibrate=true` asks for one.

    Raises:
        ConfigError: saying what to write.
    """
    if not run.get("calibrate"):
        return
    if trained.task != "Classification":
        raise ConfigError("calibrate=true: only for a network that names one class of each picture")
    if ranks_wanted(run.cfg.trainer) > 1:
        raise ConfigError("calibrate=true: only on one device; write trainer.devices=1")
    if run.cfg.evaluate == "val":
        raise ConfigError(
            "calibrate=true is fitted on val: measure it on other images, with evaluate=test (of your own pictures, a "
            "training with data.test_size=0.2 holds some out)"
        )
    if run.cfg.export.format in PLAIN_WEIGHTS:
        raise ConfigError(
            f"calibrate=true: export={run.cfg.export.format} has no room for it; write export=onnx or torch_export"
        )


def validation_outputs(trained: Trained, run: Run) -> tuple[Tensor, Tensor, str]:
    """Logits float64 [N, num_classes] and classes [N] of all validation images, and the name of the data set."""
    on = device(run)
    data, _ = prepare_split(trained, run.settled(evaluate="val"))
    network, found = trained.network.to(on), []
    with torch.inference_mode():
        for images, targets in data.test_dataloader():  # which is the validation split now
            inputs, _ = data.preprocess(images.to(on), targets.to(on), training=False)
            found.append((network(inputs).double().cpu(), targets.cpu()))
    network.cpu()
    return torch.cat([logits for logits, _ in found]), torch.cat([targets for _, targets in found]), data.name


def best_temperature(logits: Tensor, targets: Tensor) -> float:
    """The temperature with the smallest cross-entropy, between `LEAST` and `MOST`, by a golden-section search.

    The cross-entropy has one minimum: it is convex in 1 / temperature.

    Args:
        logits: float64 [N, num_classes].
        targets: classes, [N].
    """

    def loss(exponent: float) -> float:
        return F.cross_entropy(logits / math.exp(exponent), targets).item()

    low, high = math.log(LEAST), math.log(MOST)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(ROUNDS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)


def calibration_error(logits: Tensor, targets: Tensor) -> float:
    """The expected calibration error of logits [N, num_classes], in 15 bins."""
    metric = CalibrationError(logits.shape[1])
    metric.update(logits, targets)
    return metric.compute().item()

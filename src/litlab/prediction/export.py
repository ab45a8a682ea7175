"""Writes a network for other programs: `python predict.py ckpt=... export=onnx`.

The file is read back and compared with the network before it gets its name.
"""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import litlab
from litlab.checkpoint import Data, Trained
from litlab.config import Run
from litlab.console import console
from litlab.data import Normalize
from litlab.errors import ConfigError, RunFailed, one_line
from litlab.files import atomic
from litlab.prediction.calibrate import Calibrated, calibrated
from litlab.prediction.explain import check_explain
from litlab.prediction.export_formats import FORMATS, INPUT
from litlab.prediction.export_images import example_images
from litlab.prediction.settings import made_folder
from litlab.prediction.tasks import task_of

TOLERANCE = 1e-4  # relative, and absolute
OUTPUTS = {  # what the outputs are, by task
    "Classification": "a logit for each class; softmax makes probabilities of them",
    "Multilabel": "a logit for each label; sigmoid makes probabilities of them, to compare with the thresholds",
    "Regression": "the values",
    "Landmarks": "x and y of each landmark, as parts of width and height",
}


class Preprocessed(nn.Module):
    """A network that normalises its images itself: float32 [B, C, H, W] from 0 to 255."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1) * 255)

    def forward(self, images: Tensor) -> Tensor:
        return self.network((images - self.mean) / self.std)


def export(trained: Trained, run: Run) -> None:
    """Writes the network in the format `export.format`, and prints how to use the file.

    Raises:
        ConfigError: for a wrong setting, or a missing package.
        RunFailed: if the network cannot be written in this format, or the file does not give the same outputs.
    """
    options, name = run.cfg.export, run.cfg.export.format
    if name not in FORMATS:
        raise ConfigError(f"export.format={name}: must be one of {', '.join(FORMATS)}")
    check_explain(trained, run)
    trained = calibrated(trained, run)
    include = bool(options.get("include_preprocess", False))
    pixels, source = example_images(trained, run)
    normalize = Normalize(trained.data.mean, trained.data.std)
    model = Preprocessed(trained.network, trained.data.mean, trained.data.std) if include else trained.network
    images = pixels.float() if include else normalize(pixels)
    with torch.inference_mode():
        expected = trained.network(normalize(pixels))

    def write(path: Path) -> Tensor:
        return FORMATS[name].write(model.eval(), images, path, facts(trained, include), options)

    try:
        with made_folder(run, "export") as folder:
            path = folder / FORMATS[name].file
            difference = write_checked(write, path, expected)
    except ConfigError:
        raise
    except ImportError as error:
        raise ConfigError(f"export={name} needs {error.name}: pip install 'litlab[export]'") from error
    except Differs as error:
        raise RunFailed(f"export={name}: outputs differ by {error} on {source}; nothing was written") from None
    except Exception as error:  # of any kind: an exporter, or a format, that does not know an operation
        raise RunFailed(f"export={name}: {one_line(error)}") from error
    console.print(f"written {path}, checked on {source}: largest difference {difference:.1e}", markup=False)
    console.print(usage(name, trained, path, include), markup=False, soft_wrap=True)


class Differs(Exception):
    """An exported network that does not give the outputs of the network. The message is the largest difference."""


def write_checked(write: Callable[[Path], Tensor], path: Path, expected: Tensor) -> float:
    """Writes a file, which appears under its name only if it gives the expected outputs.

    Args:
        write: writes the file to a path, and returns the outputs that it gives.

    Returns:
        The largest difference of an output.

    Raises:
        Differs: if it is too large.
    """
    with atomic(path) as temporary, contextlib.ExitStack() as stack:
        written = temporary.with_suffix(path.suffix)  # exporters look at the ending
        stack.callback(written.unlink, missing_ok=True)
        outputs = write(written)
        difference = (outputs - expected).abs().max().item()
        if not torch.allclose(outputs, expected, rtol=TOLERANCE, atol=TOLERANCE):
            raise Differs(f"{difference:.1e}")
        written.replace(temporary)
    return float(difference)


def facts(trained: Trained, include_preprocess: bool) -> dict[str, str]:
    """What a program needs to know to use the file. All values are texts; lists are JSON."""
    data = trained.data
    return {
        "task": trained.task,
        "class_names": json.dumps(list(data.class_names)),
        **({"thresholds": json.dumps(list(data.thresholds))} if data.thresholds else {}),
        "input_shape": json.dumps(list(data.input_shape)),
        **input_facts(data, include_preprocess),
        "output": OUTPUTS[task_of(trained)],
        "preprocess": json.dumps(preprocess_facts(trained)),
        "channels": "grey" if data.input_shape[0] == 1 else "RGB",
        "network": trained.architecture.name,
        **({"temperature": repr(trained.network.temperature)} if isinstance(trained.network, Calibrated) else {}),
        "trained_on": data.name,
        "litlab": litlab.__version__,
    }


def input_facts(data: Data, include_preprocess: bool) -> dict[str, str]:
    """What the network takes. Where it normalises by itself, mean and std are left out, lest they are applied twice."""
    if include_preprocess:
        return {"input_range": "0 to 255"}
    mean, std = json.dumps(list(data.mean)), json.dumps(list(data.std))
    return {"input_range": "(pixel / 255 - mean) / std", "mean": mean, "std": std}


def preprocess_facts(trained: Trained) -> dict[str, Any]:
    """How a picture of w x h pixels, upright, becomes an image of `width` x `height`. It says all that `fit` does.

    `scale` is s. A part of width * s by height * s pixels is cut out of the centre. `cut` says where its edges are. If
    `center_crop` is false, the whole picture is taken. It is then resized, with the interpolation and antialiasing.
    """
    options = {"resize": 0, "center_crop": True, "resizer": "pillow", "interpolation": "bilinear"}
    options |= trained.data.preprocess
    _, height, width = trained.data.input_shape
    scale = "min(w / width, h / height)"
    if options["center_crop"] and options["resize"]:
        scale = "min(w / width, h / height, min(w, h) / resize)"
    cut = "Image.resize(box=...) of Pillow, between pixels"
    if options["resizer"] == "torch":
        cut = "whole pixels: width and height by round(), left = round((w - width * s) / 2) but inside, top likewise"
    return {**options, "width": width, "height": height, "antialias": True, "scale": scale, "cut": cut}


def usage(name: str, trained: Trained, path: Path, include_preprocess: bool) -> str:
    """The Python lines that use a file of the format `name`, complete."""
    shape = " x ".join(map(str, trained.data.input_shape))
    values = "pixels, 0 to 255" if include_preprocess else "normalised"
    if name == "onnx":
        return (
            f"cv2.dnn.readNetFromONNX('{path}')\n"
            f"onnxruntime.InferenceSession('{path}').run(None, {{'{INPUT}': images}})  # float32 N x {shape}, {values}"
        )
    if name == "torch_export":
        return f"torch.export.load('{path}').module()(images)  # float32 N x {shape}, {values}"
    module, _, network = trained.architecture.name.rpartition(".")
    arguments = ", ".join(f"{key}={value!r}" for key, value in trained.architecture.args.items())
    needed, load = "torch", f"network.load_state_dict(torch.load('{path}'))"
    if name == "safetensors":
        needed, load = "safetensors.torch", f"safetensors.torch.load_model(network, '{path}')"
    return f"import {module}, {needed}\nnetwork = {module}.{network}({arguments})\n{load}"

"""The formats of an exported network.

Each function writes `model`, which takes `images` as they are, reads the file back, and returns the outputs that the
file gives for `images`. So the caller can compare them with those of the network.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

INPUT, OUTPUT = "images", "outputs"
Facts = Mapping[str, str]  # what a program needs to know to use the file
Options = Mapping[str, Any]  # the group `export` of the config


@dataclass(frozen=True)
class Format:
    """A format: the name of the file, and the function that writes it and reads it back."""

    file: str
    write: Callable[[nn.Module, Tensor, Path, Facts, Options], Tensor]


def write_onnx(model: nn.Module, images: Tensor, path: Path, facts: Facts, options: Options) -> Tensor:
    """ONNX with a batch of any size. onnxruntime reads it back. The facts are in its metadata."""
    import onnx
    import onnxruntime
    import onnxscript  # noqa: F401 (torch's exporter needs it; its own message does not name the package)

    with _silence():
        torch.onnx.export(
            model,
            (images[:2],),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=options.get("opset", 18),
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    described = onnx.load(path)
    check_opset(options.get("opset", 18), [entry.version for entry in described.opset_import if not entry.domain])
    onnx.helper.set_model_props(described, dict(facts))
    onnx.save(described, path)
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])


def check_opset(asked: int, written: list[int]) -> None:
    """Raises ValueError if the exporter has written another version of ONNX's operators than was asked for."""
    if written != [asked]:
        has = ", ".join(map(str, written))
        raise ValueError(
            f"export.opset={asked} cannot be written; torch's exporter wrote {has}: use export.opset={has}"
        )


def write_torch_export(model: nn.Module, images: Tensor, path: Path, facts: Facts, options: Options) -> Tensor:
    """A `.pt2` with a batch of any size. The facts are in its extra file `litlab.json`."""
    with _silence():
        program = torch.export.export(model, (images[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program, path, extra_files={"litlab.json": json.dumps(dict(facts))})
        module = torch.export.load(path).module()
    with torch.inference_mode():
        return module(images)


def write_state_dict(model: nn.Module, images: Tensor, path: Path, facts: Facts, options: Options) -> Tensor:
    """The weights of the network, for `torch.load`."""
    torch.save(model.state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    with torch.inference_mode():
        return model(images)


def write_safetensors(model: nn.Module, images: Tensor, path: Path, facts: Facts, options: Options) -> Tensor:
    """The weights of the network, for `safetensors`. The facts are in the header."""
    from safetensors.torch import load_model, save_model

    save_model(model, str(path), metadata=dict(facts))
    load_model(model, path)
    with torch.inference_mode():
        return model(images)


FORMATS = {
    "onnx": Format("model.onnx", write_onnx),
    "torch_export": Format("model.pt2", write_torch_export),
    "state_dict": Format("weights.pt", write_state_dict),
    "safetensors": Format("weights.safetensors", write_safetensors),
}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hides what the exporters print: it is about their own code, and the file is checked afterwards."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)

"""A network for elsewhere: `python predict.py ckpt=... export=onnx`.

Whatever is written is read back and compared with the network on images before it takes its name.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import litlab
from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import console
from litlab.data import Normalize, Unreadable, fit, open_picture
from litlab.errors import ConfigError, RunFailed, one_line
from litlab.files import atomic
from litlab.prediction.evaluate import data_module
from litlab.prediction.files import find_files
from litlab.prediction.settings import output_folder

TOLERANCE = 1e-4
CHECKED_ON = 64  # images
INPUT, OUTPUT = "images", "outputs"


class Preprocessed(nn.Module):
    """A network that normalises by itself: float32 [B, C, H, W] from 0 to 255 to outputs."""

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
    """Writes the network as `export` says, checked.

    Raises:
        ConfigError: for a wrong setting, or a missing package.
        RunFailed: if what was written does not compute the same.
    """
    options, kind = run.cfg.export, run.cfg.export.format
    if kind not in WRITERS:
        raise ConfigError(f"export.format={kind}: must be one of {', '.join(WRITERS)}")
    include = bool(options.get("include_preprocess", False))
    pixels, source = example_images(trained, run)
    normalize = Normalize(trained.data.mean, trained.data.std)
    model = Preprocessed(trained.network, trained.data.mean, trained.data.std) if include else trained.network
    images = pixels.float() if include else normalize(pixels)
    with torch.inference_mode():
        expected = trained.network(normalize(pixels))
    path = output_folder(run, "export") / FILES[kind]
    try:
        with atomic(path) as temporary:
            # The exporters look at the ending of the name.
            written = temporary.with_suffix(path.suffix)
            with contextlib.ExitStack() as stack:
                stack.callback(written.unlink, missing_ok=True)
                found = WRITERS[kind](model.eval(), images, written, facts(trained, include), options)
                difference = (found - expected).abs().max().item()
                if not torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
                    raise RunFailed(
                        f"export={kind}: outputs differ by {difference:.1e} on {source}; nothing was written"
                    )
                written.replace(temporary)
    except ImportError as error:
        raise ConfigError(f"export={kind} needs {error.name}: pip install 'litlab[export]'") from error
    except RunFailed:
        raise
    except Exception as error:  # an operation that the format, or its exporter, does not know
        raise RunFailed(f"export={kind}: {one_line(error)}") from error
    console.print(f"written {path}, checked on {source}: largest difference {difference:.1e}", markup=False)
    console.print(usage(kind, trained, path, include), markup=False, soft_wrap=True)


def example_images(trained: Trained, run: Run) -> tuple[Tensor, str]:
    """Images uint8 [B, C, H, W] to check an export on, and what they are: those of `input`, or of the test set where it
    is at hand. Nothing is fetched for it; without any, random ones must do, and that is said."""
    if run.cfg.input is not None:
        images = []
        for file in find_files(run)[:CHECKED_ON]:
            try:
                images.append(fit(open_picture(file), trained.data.input_shape, trained.data.preprocess))
            except Unreadable as error:
                raise ConfigError(f"input={file}: {error}") from None
        return torch.stack(images), f"{len(images)} pictures of input"
    try:
        data, _ = data_module(trained, run)
        data.setup("test")
        tested = data.evaluation_set("test")
        count = min(CHECKED_ON, len(tested))
        pixels, _ = tested.__getitems__(list(range(count)))
        return pixels, f"{count} test images of {data.name}"
    except Exception:  # not here, or not as it was
        generator = torch.Generator().manual_seed(0)
        shape = (CHECKED_ON, *trained.data.input_shape)
        pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        return pixels, f"{CHECKED_ON} random images, as {trained.data.name} is not at hand (data.data_dir=, or input=)"


def facts(trained: Trained, include_preprocess: bool) -> dict[str, str]:
    """What a program needs to know to use the file, as texts: lists are JSON."""
    data = trained.data
    return {
        "task": trained.task,
        "class_names": json.dumps(list(data.class_names)),
        "input_shape": json.dumps(list(data.input_shape)),
        "input_range": "0 to 255" if include_preprocess else "(pixel / 255 - mean) / std",
        "mean": json.dumps(list(data.mean)),
        "std": json.dumps(list(data.std)),
        "channels": "grey" if data.input_shape[0] == 1 else "RGB",
        "network": trained.architecture.name,
        "trained_on": data.name,
        "litlab": litlab.__version__,
    }


# Each writes `model`, which takes `images` as they are, and returns what the file, read back, makes of them.


def write_onnx(
    model: nn.Module, images: Tensor, path: Path, facts: Mapping[str, str], options: Mapping[str, Any]
) -> Tensor:
    """ONNX with a dynamic batch, read back by onnxruntime."""
    import onnx
    import onnxruntime
    import onnxscript  # noqa: F401 (torch's exporter needs it, and would say so less clearly)

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
    onnx.helper.set_model_props(described, dict(facts))
    onnx.save(described, path)
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])


def write_torch_export(
    model: nn.Module, images: Tensor, path: Path, facts: Mapping[str, str], options: Mapping[str, Any]
) -> Tensor:
    """A `.pt2` with a dynamic batch; the facts are in its extra file `litlab.json`."""
    with _silence():
        program = torch.export.export(model, (images[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program, path, extra_files={"litlab.json": json.dumps(dict(facts))})
        module = torch.export.load(path).module()
    with torch.inference_mode():
        return module(images)


def write_state_dict(
    model: nn.Module, images: Tensor, path: Path, facts: Mapping[str, str], options: Mapping[str, Any]
) -> Tensor:
    """The bare network's weights, for `torch.load`."""
    torch.save(model.state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    with torch.inference_mode():
        return model(images)


def write_safetensors(
    model: nn.Module, images: Tensor, path: Path, facts: Mapping[str, str], options: Mapping[str, Any]
) -> Tensor:
    """The bare network's weights, for `safetensors`; the facts are in its header."""
    from safetensors.torch import load_model, save_model

    save_model(model, str(path), metadata=dict(facts))
    load_model(model, path)
    with torch.inference_mode():
        return model(images)


WRITERS: dict[str, Callable[..., Tensor]] = {
    "onnx": write_onnx,
    "torch_export": write_torch_export,
    "state_dict": write_state_dict,
    "safetensors": write_safetensors,
}
FILES = {
    "onnx": "model.onnx",
    "torch_export": "model.pt2",
    "state_dict": "weights.pt",
    "safetensors": "weights.safetensors",
}


def usage(kind: str, trained: Trained, path: Path, include_preprocess: bool) -> str:
    """The lines that use the file, with nothing left to fill in."""
    shape = " x ".join(map(str, trained.data.input_shape))
    values = "pixels, 0 to 255" if include_preprocess else "normalised"
    if kind == "onnx":
        return (
            f"cv2.dnn.readNetFromONNX('{path}')\n"
            f"onnxruntime.InferenceSession('{path}').run(None, {{'{INPUT}': images}})  # float32 N x {shape}, {values}"
        )
    if kind == "torch_export":
        return f"torch.export.load('{path}').module()(images)  # float32 N x {shape}, {values}"
    module, _, name = trained.architecture.name.rpartition(".")
    arguments = ", ".join(f"{key}={value!r}" for key, value in trained.architecture.args.items())
    load = f"network.load_state_dict(torch.load('{path}'))"
    if kind == "safetensors":
        load = f"safetensors.torch.load_model(network, '{path}')"
    return f"network = {module}.{name}({arguments})\n{load}"


@contextlib.contextmanager
def _silence() -> Any:
    """The exporters' remarks are on their own inside; what they made is checked afterwards."""
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

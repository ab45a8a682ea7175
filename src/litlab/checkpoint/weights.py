"""The weights in a file, by their names in the network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from litlab.checkpoint.archive import read
from litlab.checkpoint.plain import NotAllowed, excerpt
from litlab.console import listed, printable
from litlab.errors import one_line
from litlab.files import not_a_file

HOLDERS = ("state_dict", "model_state_dict", "model", "net", "model_ema")  # under which others save the weights
MOST_NAMED = 6  # keys of a file, in a message
PREFIX = "network."  # the LightningModule holds the network under this name


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights in a file, by their names in the network.

    Args:
        path: a `state_dict` (`.pt`, `.pth`, `.safetensors`), a file that holds one as `model`, `net`, `state_dict`,
            `model_state_dict` or `model_ema`, or one of litlab's checkpoints.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or holds anything else, or if the package that reads it is missing.
    """
    if Path(path).suffix == ".safetensors":
        return _read_safetensors(path)
    found = read(path)
    try:
        if not isinstance(found, Mapping):
            return _tensors(found)
        holder = next((key for key in HOLDERS if isinstance(found.get(key), Mapping)), None)
        if holder == "state_dict" and (own := weights_of(found)):
            return own
        return _tensors(found[holder] if holder else found)
    except NotAllowed as error:
        keys = [excerpt(key) for key in found if type(key) is str] if isinstance(found, Mapping) else []
        has = f"; the file has {listed(keys, MOST_NAMED)}" if keys else ""
        raise ValueError(f"{path}: {error}{has}") from None


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of the network in a checkpoint.

    Raises:
        NotAllowed: if there are none, or something else is among them.
    """
    if "state_dict" not in checkpoint:
        raise NotAllowed("it lacks state_dict, the weights")
    weights = _tensors(checkpoint["state_dict"])
    return {name.removeprefix(PREFIX): tensor for name, tensor in weights.items() if name.startswith(PREFIX)}


def thresholds_of(checkpoint: Mapping[str, Any], count: int) -> tuple[float, ...]:
    """The thresholds of the labels in a checkpoint, which `litlab.modules.Multilabel` has chosen.

    Args:
        count: the number of labels.

    Raises:
        NotAllowed: if there are none.
    """
    found = _tensors(checkpoint["state_dict"]).get("thresholds")
    if found is None or found.shape != (count,) or not ((found >= 0) & (found <= 1)).all():
        raise NotAllowed("it has not one threshold from 0 to 1 for each label")
    return tuple(found.float().tolist())


def _tensors(found: Any) -> dict[str, Tensor]:
    if not isinstance(found, Mapping):
        raise NotAllowed(f"its weights are a {type(found).__name__}, not a mapping of names to tensors")
    for name, tensor in found.items():
        if type(name) is not str:
            raise NotAllowed(f"the name of a weight is {excerpt(name)}, not a text")
        if type(tensor) not in (Tensor, nn.Parameter):
            raise NotAllowed(f"its weight {excerpt(name)} is a {type(tensor).__name__}, not a tensor")
    return dict(found)


def _read_safetensors(path: str | Path) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: {not_a_file(Path(path))}")
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise ValueError(f"{path}: needs safetensors: pip install safetensors") from None
    try:
        return load_file(path)
    except Exception as error:
        raise ValueError(f"{path}: not a whole safetensors file ({printable(one_line(error))})") from None

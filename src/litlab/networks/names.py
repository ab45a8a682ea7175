"""The names of weights in other people's files, in the form that a network has them."""

from collections.abc import Mapping

from torch import Tensor

WRAPPERS = ("_orig_mod", "module")  # of torch.compile, and of DataParallel, DDP and averaged models
COUNTERS = ("n_averaged",)  # in the file of an averaged model, beside its weights


def fitted(state_dict: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the network's names.

    Names lose what torch.compile and DataParallel have put into them, in any order and depth. If no name is one of the
    network's then, all names lose or get one common beginning, such as `model.`, if more weights fit in that way.

    Args:
        state_dict: of a file.
        own: of the network.
    """
    plain = {_unwrapped(name, own): tensor for name, tensor in state_dict.items() if name not in COUNTERS}
    if not plain or any(name in own for name in plain):
        return plain
    candidates = [plain]
    while len({name.split(".")[0] for name in candidates[-1]}) == 1 and all("." in name for name in candidates[-1]):
        candidates.append({name.partition(".")[2]: tensor for name, tensor in candidates[-1].items()})
    beginnings = {name.split(".")[0] for name in own}
    if len(beginnings) == 1:
        (first,) = beginnings
        candidates += [{f"{first}.{name}": tensor for name, tensor in shorter.items()} for shorter in candidates]
    return max(candidates, key=lambda candidate: _fitting(candidate, own))


def with_channels(state_dict: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Weights of a network for colour images, for one that takes grey ones, or the other way round.

    The first convolution then sees the same numbers as for a grey image with three equal channels: its channels are
    added, or its channel is divided by three and repeated. timm does the same.

    Args:
        state_dict: under the network's names.
        own: of the network.

    Returns:
        All weights, and what was done in words; empty if nothing was.
    """
    first = next((name for name, tensor in own.items() if tensor.ndim == 4), "")
    if first not in state_dict or state_dict[first].ndim != 4:
        return dict(state_dict), ""
    found, wanted = state_dict[first], own[first]
    channels = found.shape[1], wanted.shape[1]
    others_differ = (found.shape[0], *found.shape[2:]) != (wanted.shape[0], *wanted.shape[2:])
    if others_differ or channels not in ((3, 1), (1, 3)):
        return dict(state_dict), ""
    colour_to_grey = channels == (3, 1)
    fitted_to = found.sum(1, keepdim=True) if colour_to_grey else found.repeat(1, 3, 1, 1) / 3
    said = f"{first} of {channels[0]} channel{'s' * colour_to_grey} was made to fit {channels[1]}"
    return {**state_dict, first: fitted_to}, said


def _unwrapped(name: str, own: Mapping[str, Tensor]) -> str:
    """`module._orig_mod.fc.weight` as `fc.weight`. A name that the network has stays as it is."""
    if name in own:
        return name
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _fitting(state_dict: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> int:
    return sum(name in own and tensor.shape == own[name].shape for name, tensor in state_dict.items())

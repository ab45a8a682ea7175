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
    if len({name.split(".")[0] for name in plain}) == 1 and all("." in name for name in plain):
        candidates.append({name.partition(".")[2]: tensor for name, tensor in plain.items()})
    beginnings = {name.split(".")[0] for name in own}
    if len(beginnings) == 1:
        candidates.append({f"{next(iter(beginnings))}.{name}": tensor for name, tensor in plain.items()})
    return max(candidates, key=lambda candidate: _fitting(candidate, own))


def _unwrapped(name: str, own: Mapping[str, Tensor]) -> str:
    """`module._orig_mod.fc.weight` as `fc.weight`. A name that the network has stays as it is."""
    if name in own:
        return name
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _fitting(state_dict: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> int:
    return sum(name in own and tensor.shape == own[name].shape for name, tensor in state_dict.items())

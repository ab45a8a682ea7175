"""Refuses to measure an ensemble on pictures on which some of its networks were trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from litlab.checkpoint import Trained
from litlab.checkpoint import trust as trusted
from litlab.config import Run
from litlab.data import DataModule, DrawnSplits, ImageDataModule, PictureDataModule
from litlab.errors import ConfigError
from litlab.prediction.data import given_settings, where
from litlab.runs import SPLITS


def check_held_out_by_all(members: Sequence[Trained], run: Run) -> None:
    """Compares the validation or test pictures of the networks of an ensemble, if they are to be measured on them.

    Raises:
        ConfigError: if they are not the same. Some of the networks were trained on some of these pictures then.
    """
    first, evaluated = members[0], run.cfg.evaluate
    asked = {"calibrate=true": "val"} if run.get("calibrate") else {}
    asked |= {f"evaluate={evaluated}": evaluated} if evaluated in ("val", "test") else {}
    if not asked:
        return
    kind: Any = trusted.look_up(first.source.name, DataModule, trusted.DATA, first.trust)
    if "_target_" in given_settings(first, run):
        return  # other pictures than those of the training
    words = {"val": "validation", "test": "test"}
    instead = "write evaluate=test" if evaluated == "val" else "train them with one split, or choose one by ckpt="
    for setting, split in asked.items():
        here = decides(first, split, kind)
        if any(other.source.name != first.source.name or decides(other, split, kind) != here for other in members[1:]):
            raise ConfigError(
                f"{setting}: the networks of the ensemble held out different {words[split]} pictures, so some were "
                f"trained on them: {instead}"
            )


def decides(member: Trained, split: str, kind: type[DataModule]) -> Any:
    """What decides which pictures were in a split of a training. Where it is equal, they are the same pictures.

    Args:
        split: val or test.
        kind: the class of the data set.
    """
    args = member.source.args
    place = where(args, kind)
    if issubclass(kind, ImageDataModule) and split == "test":  # it is a part of the data set, and never drawn
        return place
    if issubclass(kind, PictureDataModule):
        drawn = DrawnSplits.read(member.path.parents[1] / SPLITS)
        if drawn is not None:
            return {name for name, its_split in drawn.items() if its_split == split} or place
        if member.data.drawn:
            return member.data.drawn
        if "resizer" in member.data.preprocess:  # litlab 0.1 did not record this, nor what it drew
            return place
    return place, _drawing(args, split)


def _drawing(args: Mapping[str, Any], split: str) -> tuple[Any, ...]:
    """The settings by which a split is drawn; empty if it is a test set that is not drawn."""
    test = (args["test_size"], args.get("stratified")) if args.get("test_size") else ()
    if split == "test":
        return (args.get("seed"), *test) if test else ()
    folds = args.get("folds")
    size = (folds, args.get("fold") or 0) if folds else (args.get("val_size"),)
    return (args.get("seed"), *size, *test, args.get("stratified"))

"""The data set on which a network is evaluated: the one that its checkpoint names, or another one that fits it."""

import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from litlab.checkpoint import Trained
from litlab.checkpoint import trust as trusted
from litlab.checkpoint.plain import NotAllowed
from litlab.config import Run, build, class_of, missing
from litlab.console import listed, printable, warn
from litlab.data import (
    ClassPictures,
    DataModule,
    DrawnSplits,
    ImageDataModule,
    Normalize,
    PictureDataModule,
    SourcesFailedError,
)
from litlab.errors import ConfigError, one_line
from litlab.prediction.evaluation_result import JSON
from litlab.prediction.settings import trust_list
from litlab.runs import SPLITS

# Arguments of the training's data module that an evaluation does not take over.
OF_TRAINING = (
    "device",
    "cache",
    "num_workers",
    "pin_memory",
    "persistent_workers",
    "prefetch_factor",
    "augment",
    "drop_last",
    "shuffle",
)

# Arguments that decide which pictures are in which split, where the run does not say so.
OF_DRAWING = ("val_size", "test_size", "stratified", "folds", "fold", "seed")

# Arguments of data modules that say where the pictures are. The first that is set decides where litlab writes.
PLACES = ("data_dir", "file", "annotations")
UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")  # in an error of Python
WHERE = (*PLACES, "name", "subset", "revision")


def data_module(trained: Trained, run: Run) -> tuple[DataModule, bool]:
    """Builds the data module that the checkpoint names, or the one that `data` chooses.

    Returns:
        The data module; whether its files may only be read. That is so if the checkpoint alone names a folder outside
        the current one: a file from somebody else must not decide where litlab writes.

    Raises:
        ConfigError: if a value is refused, or the images or classes are not those of the network.
    """
    given = given_settings(trained, run)
    settings = run.plain()["data"] if "_target_" in given else trained.source.args
    several = trained.task == "Multilabel"  # though this file may hold no row with several labels
    joined = any((settings.get("label_separator") or ";") in name for name in trained.data.class_names)
    if {"multilabel", "label_separator"} & settings.keys() and (several or joined):
        given.setdefault("multilabel", several)
    try:
        if "_target_" in given:
            data, read_only = _chosen(trained, run, given), False
        else:
            data, read_only = _recorded(trained, run, given)
    except ConfigError as error:
        said, *advice = re.split(r"; (?:data\.)?multilabel=true", str(error))
        if advice and not several:
            raise ConfigError(f"{said}; the network was trained on one label for each") from error
        raise
    if isinstance(data, PictureDataModule):
        data.index_beside = not read_only
        if isinstance(data, ClassPictures):
            data.trains = False
        if "resizer" not in given:  # litlab 0.1 resized with Pillow, and did not record it
            data.resizing["resizer"] = trained.data.preprocess.get("resizer", "pillow")
    if list(data.input_shape) != list(trained.data.input_shape):
        raise ConfigError(
            f"data={data.name} has images {list(data.input_shape)}; the network was trained on "
            f"{list(trained.data.input_shape)} ({trained.data.name})"
        )
    if data.task != trained.task.lower():
        why = " (a row has several labels)" if data.task == "multilabel" and "multilabel" not in given else ""
        raise ConfigError(
            f"data={data.name} is {data.task}{why}, and the network was trained for {trained.task.lower()}"
        )
    if list(data.class_names) != list(trained.data.class_names):
        match_classes(data, trained.data.class_names)
    if "normalize" not in given or given["normalize"] is True:
        data.normalize = Normalize(trained.data.mean, trained.data.std)  # as in training, whatever the data are
    return data, read_only


def match_classes(data: DataModule, known: Sequence[str]) -> None:
    """Gives the pictures the numbers of the classes that a network knows. A part of these classes is enough.

    Raises:
        ConfigError: naming the classes that it does not know, and those that the data do not have.
    """
    unknown = [name for name in data.class_names if name not in known]
    lacking = [name for name in known if name not in data.class_names]
    if isinstance(data, ClassPictures) and not unknown:
        data.take_classes(known)
        return
    if len(unknown) == len(data.class_names):
        there, here = (listed([printable(name) for name in names], most=5) for names in (data.class_names, known))
        raise ConfigError(f"data={data.name} has other classes ({there}) than the network knows ({here})")
    parts = {"has classes that the network does not know": unknown, "lacks classes that it knows": lacking}
    said = [f"{what}: {listed([printable(name) for name in names], most=5)}" for what, names in parts.items() if names]
    raise ConfigError(f"data={data.name} {'; it '.join(said) or 'has the classes of the network in another order'}")


def given_settings(trained: Trained, run: Run) -> dict[str, Any]:
    """The settings of `data` that are to replace those of the training.

    With `_target_` among them, another data set is chosen. Where `data=OPTION` names the pictures of the training, only
    what was typed beside it counts: another seed would draw another split, and measure what was trained on.
    """
    given = {key: value for key, value in (run.plain()["data"] or {}).items() if value is not None}
    if given.get("_target_") != trained.source.name:
        return given
    kind: Any = trusted.look_up(trained.source.name, DataModule, trusted.DATA, trained.trust)
    if where(given, kind) != where(trained.source.args, kind):
        return given
    typed = {override.lstrip("+").partition("=")[0] for override in run.overrides}
    typed = {key.split(".")[1] for key in typed if key.startswith("data.")}
    return {key: value for key, value in given.items() if key in typed}


def where(args: Mapping[str, Any], kind: type[DataModule]) -> dict[str, Any]:
    """Of the arguments of a data set, those that say which pictures there are."""
    is_cache = getattr(kind, "data_dir_is_cache", False)
    keys = [key for key in WHERE if not (key == "data_dir" and is_cache)]
    return {key: args[key] for key in keys if args.get(key) is not None}


def _chosen(trained: Trained, run: Run, given: dict[str, Any]) -> DataModule:
    """The data module that the config chooses. It resizes pictures as in training, unless the config says otherwise."""
    parameters = inspect.signature(class_of({"data": given}, "data")).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if lacking := [name for name in needed if name not in given]:
        raise ConfigError(missing(f"data.{lacking[0]}"))
    data: DataModule = build({"data": given}, "data", run.chosen)
    if list(data.input_shape) != list(trained.data.input_shape):
        resized = build({"data": given | shape_of_training(trained, run)}, "data", run.chosen)
        data = resized if list(resized.input_shape) == list(trained.data.input_shape) else data
    if isinstance(data, PictureDataModule) and "resize" not in given and given.get("center_crop", True):
        data.resizing |= trained.data.preprocess
    return data


def shape_of_training(trained: Trained, run: Run) -> dict[str, Any]:
    """The settings that bring other images to the shape of the training's. What the command line sets stays."""
    if len(trained.data.input_shape) != 3:
        return {}
    channels, height, width = trained.data.input_shape
    wanted = {"image_size": height if height == width else [height, width], "grayscale": channels == 1}
    typed = {override.lstrip("+").partition("=")[0] for override in run.overrides}
    return {key: value for key, value in wanted.items() if key in run.cfg.data and f"data.{key}" not in typed}


def _recorded(trained: Trained, run: Run, given: dict[str, Any]) -> tuple[DataModule, bool]:
    """The data module of the training, with the settings that the config gives; whether its files may only be read."""
    recorded = {key: value for key, value in trained.source.args.items() if key not in OF_TRAINING}
    settings = recorded | given
    place = next((key for key in PLACES if settings.get(key)), None)  # of this folder or file
    path = Path(str(settings[place] if place else "."))
    read_only = place not in given and (path.is_absolute() or ".." in path.parts)
    try:
        data = trusted.build(trained.source.name, settings, DataModule, trusted.DATA, trust_list(run))
    except NotAllowed as error:
        said = str(error).partition(" refuses its arguments: ")[2]
        if (unknown := UNKNOWN.search(said)) and unknown[1] in given:
            beside = " for data=csv: write data=csv beside it" if unknown[1] == "file" else " for other data"
            raise ConfigError(
                f"data.{unknown[1]}: the training was on {trained.data.name}, and this is a setting{beside}"
            ) from error
        if said.split(" ")[0].split("=")[0] in given:  # the user's own setting, and not one of the checkpoint
            raise ConfigError(f"data.{said}") from error
        if place and said.startswith(place):
            raise ConfigError(f"data.{said}; if it has moved, write data.{place}=PATH") from error
        raise
    check_held_out(data, recorded.get("val_size"), given.get("val_size"))
    return data, read_only


def check_held_out(data: DataModule, then: float | None, now: float | None) -> None:
    """Refuses a larger validation split than that of the training: its other images were trained on.

    Args:
        data: with the new size.
        then: the size in the training, as a number or a part of the images; None for the data set's usual one.
        now: the size that replaces it; None if none does.

    Raises:
        ConfigError: naming both sizes.
    """
    if then is None and isinstance(data, ImageDataModule):
        then = data.default_val_size
    if then is None or not now:
        return
    if not then or (then < 1) == (now < 1):
        if now > then:
            raise ConfigError(f"data.val_size={now}: the training held out {then}, and trained on the others")
    elif isinstance(data, ImageDataModule):  # pictures keep the split that their run has recorded
        kind = "number of images" if then >= 1 else "part of them"
        raise ConfigError(f"data.val_size={now}: the training held out {then}, so this must be a {kind} too")


def prepare_split(trained: Trained, run: Run) -> tuple[DataModule, Any]:
    """Prepares the data set that `evaluate` names a split of.

    Returns:
        A data module whose test set is that split; the images of the split.

    Raises:
        ConfigError: if the data cannot be had, or have no such split.
    """
    data, read_only = data_module(trained, run)
    given, split = given_settings(trained, run), str(run.cfg.evaluate)
    try:
        if not read_only:
            data.prepare_data()
        if isinstance(data, PictureDataModule):
            data.bad_named_in, data.measured = JSON, split
        if isinstance(data, PictureDataModule) and "_target_" not in given:
            data.known_splits = DrawnSplits.read(trained.path.parent.parent / SPLITS)
        data.setup("test")
    except SourcesFailedError as error:
        raise ConfigError(str(error)) from error
    except (ValueError, OSError) as error:
        folder = trained.source.args.get("data_dir") if read_only and isinstance(error, OSError) else None
        hint = f"; data.data_dir={folder} allows to write there" if folder else ""
        raise ConfigError(f"data={data.name}: {one_line(error)}{hint}") from error
    if isinstance(data, PictureDataModule) and "_target_" not in given:
        check_splits(trained, data, split, given)
    images = data.evaluation_set(split)
    if images is None:
        there = [name for name in ("train", "val", "test") if data.evaluation_set(name) is not None]
        raise ConfigError(f"evaluate={split}: {data.name} has no such split; there is: {', '.join(there)}")
    data.test_set = images
    return data, images


def check_splits(trained: Trained, data: PictureDataModule, split: str, given: Mapping[str, Any]) -> None:
    """Compares the pictures of a split with those of the training, of which some may be gone.

    Args:
        given: the settings that replace those of the training.

    Raises:
        ConfigError: if a setting of the split would be ignored. Or if the pictures have changed, and the run folder
            does not say which was in which split. Pictures that were trained on could then be in the split.
    """
    drawn, known, then = data.drawn_splits, data.known_splits, trained.data.drawn
    if known and any(name in drawn for name in known):
        if ignored := [f"data.{key}={given[key]}" for key in OF_DRAWING if key in given]:
            raise ConfigError(f"{ignored[0]}: the pictures keep the split of the training; leave it out")
        if gone := [name for name, of in known.items() if of == split and name not in drawn]:
            count = "1 picture" if len(gone) == 1 else f"{len(gone):,} pictures"
            warn(f"since the training, {count} of {split} went missing: {listed(gone, 3)}")
    elif (
        not set(PLACES) & given.keys()
        and then
        and drawn
        and split in ("train", "val", "test")
        and drawn.summary() != then
    ):
        raise ConfigError(
            f"evaluate={split}: the pictures have changed since the training, and {SPLITS} is not in the run folder "
            f"of {trained.path.name}. A new split could hold pictures that were trained on. Choose the pictures "
            "yourself: data=image_folder data.data_dir=DIR"
        )


def unreadable_files(data: DataModule) -> list[str]:
    """The picture files that were skipped because they cannot be read."""
    return data.check.unreadable_files if isinstance(data, PictureDataModule) and data.check else []

"""Pictures of a data set in the format of Hugging Face's `datasets`, which finds, fetches and checks it."""

from __future__ import annotations

import csv
import hashlib
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from litlab.data.sources.cache import shortened
from litlab.socket_timeout import socket_timeout

LABELS = "labels.csv"
SEPARATOR = "|"  # between the labels of a picture that has several
SPLITS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "dev": "val", "test": "test"}
SUFFIX = re.compile(r"\.\w{1,5}")


def picture_files(
    name: str,
    data_dir: Path,
    subset: str | None = None,
    revision: str | None = None,
    image: str | None = None,
    label: str | None = None,
) -> Path:
    """Writes the pictures of a data set as files, as they are stored in it, and their labels as a CSV file, once.

    Args:
        name: on the Hub, such as `ylecun/mnist`, or a folder that `datasets` wrote or can read.
        data_dir: the folder below which the files are written.
        subset: one of the configurations of the data set; None means its only one, or its default.
        revision: a branch, a tag or a commit on the Hub; None means the newest.
        image: the column of the pictures; None means the only one that there is.
        label: the column of the labels, one class or a list of them; None means the only one that there is.

    Returns:
        The CSV file, with the columns `file`, `label` and `split`.

    Raises:
        FileNotFoundError: it is not in `data_dir`, and could not be loaded.
        ValueError: the package is missing, or the data set has no such column.
    """
    place = data_dir / "huggingface" / _folder_name(name, subset, revision, image, label)
    if (place / LABELS).is_file():
        return place / LABELS
    chosen = _chosen(_load(name, subset, revision), name, image, label)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / f".{place.name}.lock"):
        if not (place / LABELS).is_file():  # another process may have written them
            unfinished = place.with_name(f".{place.name}.part")
            shutil.rmtree(unfinished, ignore_errors=True)
            _write(*chosen, unfinished)
            unfinished.rename(place)
    return place / LABELS


def _folder_name(name: str, *choices: str | None) -> str:
    """The name of the folder of a data set: readable, and another one for other choices or other content."""
    source = Path(name).expanduser()
    if not source.is_dir():
        readable, content = name.replace("/", "--"), []
    else:
        readable = source.resolve().name
        files = [(path, path.stat()) for path in sorted(source.rglob("*")) if path.is_file()]
        content = [(str(path.relative_to(source)), status.st_size, status.st_mtime_ns) for path, status in files]
    if not content and not any(choices):
        return readable
    return f"{readable}-{hashlib.sha256(repr((choices, content)).encode()).hexdigest()[:10]}"


def _load(name: str, subset: str | None, revision: str | None) -> Mapping[str, Any]:
    """The splits of a data set, by their names."""
    try:
        import datasets
    except ModuleNotFoundError:
        raise ValueError('data=huggingface needs the package datasets: pip install -e ".[huggingface]"') from None
    folder = Path(name).expanduser()
    try:
        if any((folder / file).is_file() for file in ("dataset_dict.json", "state.json")):
            found = datasets.load_from_disk(folder)
        else:
            logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # else it tells of each try again
            with socket_timeout():
                found = datasets.load_dataset(str(folder) if folder.is_dir() else name, subset, revision=revision)
    except Exception as error:  # the package has dozens of them
        raise FileNotFoundError(f"name={name}: could not be loaded: {shortened(error)}") from error
    return found if isinstance(found, Mapping) else {"train": found}


def _chosen(
    splits: Mapping[str, Any], name: str, image: str | None, label: str | None
) -> tuple[dict[str, Any], str, str]:
    """The splits that are used, by litlab's names, and the columns of pictures and labels."""
    wanted = {SPLITS[split]: dataset for split, dataset in splits.items() if split in SPLITS}
    if "train" not in wanted:
        raise ValueError(f"name={name}: has no split train; there is: {', '.join(map(str, splits))}")
    features = wanted["train"].features
    image = _column(name, "image", image, features, _is_image)
    return wanted, image, _column(name, "label", label, features, lambda feature: _names(feature) is not None)


def _write(splits: Mapping[str, Any], image: str, label: str, folder: Path) -> None:
    """Writes pictures and labels into a new folder."""
    folder.mkdir()
    with (folder / LABELS).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label", "split"])
        for split, dataset in splits.items():
            (folder / split).mkdir()
            for file_name, text in _pictures(dataset, image, label, folder / split):
                rows.writerow([f"{split}/{file_name}", text, split])


def _column(name: str, setting: str, chosen: str | None, features: Mapping[str, Any], fits: Any) -> str:
    """The column of pictures or of labels."""
    fitting = [column for column, feature in features.items() if fits(feature)]
    if chosen in fitting or (chosen is None and len(fitting) == 1):
        return chosen or fitting[0]
    there = ", ".join(fitting) or f"none among {', '.join(features)}"
    needed = "holds pictures" if setting == "image" else "has class names"
    if chosen is None:
        raise ValueError(f"{setting} must name a column of {name} that {needed}: {there}")
    raise ValueError(f"{setting}={chosen}: no column of {name} that {needed}; there is: {there}")


def _is_image(feature: Any) -> bool:
    return type(feature).__name__ == "Image"


def _names(feature: Any) -> list[str] | None:
    """The class names of a column with a class, or with a list of classes; None if it has other values."""
    feature = getattr(feature, "feature", feature)
    return list(feature.names) if type(feature).__name__ == "ClassLabel" else None


def _pictures(dataset: Any, image: str, label: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Writes the pictures of a split. Yields the name of each file, and its label or labels.

    Pictures without a label, as the test split of a competition has them, are left out.
    """
    import datasets

    names = _names(dataset.features[label]) or []
    stored = dataset.select_columns([image, label]).cast_column(image, datasets.Image(decode=False))
    for number, row in enumerate(stored):
        picture, value = row[image], row[label]
        numbers = value if isinstance(value, list) else [value]
        if picture is None or any(one is None or one < 0 for one in numbers):
            continue
        suffix = Path(picture["path"] or "").suffix.lower()
        file = folder / f"{number:08}{suffix if SUFFIX.fullmatch(suffix) else '.png'}"
        if picture["bytes"] is not None:
            file.write_bytes(picture["bytes"])
        else:
            shutil.copyfile(picture["path"], file)
        yield file.name, SEPARATOR.join(" ".join(names[one].split()).replace(SEPARATOR, "/") for one in numbers)

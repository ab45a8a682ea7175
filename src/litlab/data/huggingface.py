"""Data sets of pictures in the format of Hugging Face's `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litlab.data.arguments import folder_path
from litlab.data.label_file import LabelFile
from litlab.data.sources.huggingface import SEPARATOR, picture_files


class HuggingFace(LabelFile):
    """A data set of the Hugging Face Hub, or a folder that the package `datasets` can read.

    Its pictures are written as files below `data_dir` once. Then neither the package nor a network is needed. Splits
    that it does not have are drawn, as for `LabelFile`. If its labels are lists, the task is `multilabel`.

    Args:
        name: such as `ylecun/mnist`; or the path of a folder.
        data_dir: the folder below which the files are written.
        subset: one of its configurations, if there are several.
        revision: a branch, a tag or a commit; None means the newest when it is first used.
        image: the column of the pictures; None means the only one.
        label: the column of the classes; None means the only one.
        pictures: see `LabelFile`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
        FileNotFoundError: the data set could not be loaded.
    """

    name = "huggingface"
    data_dir_is_cache = True  # the same data wherever `data_dir` is, so it does not identify a run

    def __init__(
        self,
        name: str,
        data_dir: str | Path = "data",
        subset: str | None = None,
        revision: str | None = None,
        image: str | None = None,
        label: str | None = None,
        **pictures: Any,
    ) -> None:
        if not isinstance(name, str) or not name.strip("/ "):
            raise ValueError(f"name must be that of a data set, or a folder, not {name!r}")
        file = picture_files(name, folder_path("data_dir", data_dir), subset, revision, image, label)
        super().__init__(file, label_separator=SEPARATOR, **pictures)
        self.source, self._title = f"name {name}", name.rstrip("/").rpartition("/")[2]

    @property
    def title(self) -> str:
        return self._title

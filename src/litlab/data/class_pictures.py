"""The base class of pictures that have classes: they are checked, and those without a split get one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from litlab.console import listed
from litlab.data.drawn_splits import SPLITS
from litlab.data.file_names import FileNames
from litlab.data.listing import Listing
from litlab.data.picture_check import NAMED, FirstReading, next_readable
from litlab.data.picture_dataset import PictureDataset
from litlab.data.pictures import PictureDataModule

PARTS = (*SPLITS, "all")  # `all`: the pictures whose split is drawn


class ClassPictures(PictureDataModule):
    """Pictures with classes, of which some may have a split. The others are split by `val_size`, `test_size`, `seed`.

    A subclass sets `class_names`, `roots` and the attribute below, and lists its pictures.
    """

    source: str  # where the pictures come from, for a message: it begins with the argument's name
    trained: Tensor  # the numbers of the training pictures among all, int64, after `setup`
    trains: bool = True  # False where a network is only measured: a class or a split may have no pictures then
    needed: ClassVar[str] = "two classes or more"  # for the message if there are fewer

    def check_enough_classes(self) -> None:
        """Raises ValueError if there is nothing to learn: fewer than two classes. Pictures of one can be measured."""
        if len(self.class_names) < 2:
            raise ValueError(f"{self.source} must have {self.needed}; found: {', '.join(self.class_names) or 'none'}")

    def take_classes(self, names: Sequence[str]) -> None:
        """Gives the targets the numbers of these classes, before `setup`. Some of them may have no pictures.

        Args:
            names: those of a network, with all that the pictures have.
        """
        if unknown := set(self.class_names) - set(names):
            raise ValueError(
                f"{self.source}: classes that are not among the given ones: {listed(sorted(unknown), NAMED)}"
            )
        self.class_names = tuple(names)

    def list_pictures(self) -> tuple[Sequence[Listing], Tensor, Tensor]:
        """Finds the pictures.

        Returns:
            The files of each of `roots`, N together; the number of each file's split in `PARTS`, int64 [N]; its class,
            int64 [N], or its labels, float32 [N, num_classes].
        """
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        """List the files, check them and split them; does nothing the second time.

        Of very many pictures (`PictureCheck.is_large`) only those of validation and test are checked before. The next
        one stands in the place of a training picture that cannot be read. Where a network is measured, only the
        pictures of that split are checked, if it does not depend on the others.

        Raises:
            ValueError: too many files are unreadable, there is one class alone, or a class or a split has no pictures.
        """
        if self.sizes:
            return
        if self.trains:
            self.check_enough_classes()
        listings, split_of, targets = self.list_pictures()
        check = self.check_of(listings)
        if self.trains and not any((split_of == PARTS.index(part)).any() for part in ("train", "all")):
            raise ValueError(f"{self.source}: no picture is for training: all of them are for val or test")
        used = self.known_alone(split_of) or (("val", "test") if check.is_large else ())  # checked without the others
        if not used:
            split_of[~check.readable()] = -1
        if self.trains:
            self._check_classes(targets[(split_of == PARTS.index("train")) | (split_of == PARTS.index("all"))])
        parts = {name: (split_of == number).nonzero().flatten() for number, name in enumerate(PARTS)}
        splits = self._split(parts, targets, check.files)
        if used:
            rows = torch.cat([splits[name] for name in used])
            known = torch.from_numpy(check.look(rows, alone=self.measured in used).pixels)
            readable = known[:, 0] > 0
            splits |= {name: splits[name][readable[splits[name]]] for name in used}
        if self.trains:
            if not len(splits["val"]):
                raise ValueError(f"{self.source}: no readable pictures for val")
            self._check_classes(targets[splits["train"]], of_drawing=True)
            self._mention_unvalidated(targets[splits["val"]])
        chosen = self._limited(self._permutation(len(splits["train"])))  # a limit takes some of every class
        self.trained = splits["train"] = splits["train"][chosen.sort().values]
        for name in SPLITS:
            if len(rows := splits[name]):
                part = self.picture_set(check.files.take(rows), targets[rows], training=name == "train")
                if check.is_large and name == "train":
                    part.first_reading = FirstReading(known[rows])
                setattr(self, f"{name}_set", part)

    def known_alone(self, split_of: Tensor) -> Sequence[str]:
        """The split that is measured, if it is known without a look at the pictures of the others.

        Args:
            split_of: the number of each picture's split in `PARTS`, int64 [N].
        """
        if self.measured is None:
            return ()
        there = set(split_of.unique().tolist())
        says_itself = PARTS.index(self.measured) in there and PARTS.index("all") not in there
        if self.known_splits is not None or (says_itself and self.measured != "train"):
            return (self.measured,)
        return ()

    def evaluation_set(self, split: str) -> Any:
        dataset = super().evaluation_set(split)
        if split == "train" and self.check and self.check.is_large:
            rows = self._readable_in_training().nonzero().flatten()
            return self.picture_set(dataset.paths.take(rows), dataset.targets[rows], training=False)
        return dataset

    def check_before_caching(self) -> None:
        train = self.train_set
        if isinstance(train, PictureDataset) and train.first_reading:
            readable = self._readable_in_training()
            if not readable.any():
                raise ValueError(f"{self.source}: no readable pictures to train on")
            rows = next_readable(readable)
            self.train_set = self.picture_set(train.paths.take(rows), train.targets[rows], training=True)

    @property
    def first_reading(self) -> FirstReading | None:
        """What the training finds about pictures that were not checked before."""
        return self.train_set.first_reading if isinstance(self.train_set, PictureDataset) else None

    def _readable_in_training(self) -> Tensor:
        """Whether each training picture can be read, bool. Opens those that are new."""
        assert self.check is not None
        return self.check.readable(self.trained)[self.trained]

    def _without(self, targets: Tensor) -> list[str]:
        """The names of the classes that are not among these targets, int64 [N] or float32 [N, num_classes]."""
        there = set((targets if targets.ndim == 1 else targets.any(0).nonzero()).unique().tolist())
        return [name for number, name in enumerate(self.class_names) if number not in there]

    def _check_classes(self, trained: Tensor, of_drawing: bool = False) -> None:
        """Raises ValueError if a class has no pictures to train on.

        Args:
            trained: the targets of those to train on.
            of_drawing: whether the class has pictures, and the drawing of the validation set took them.
        """
        if missing := [repr(name) for name in self._without(trained)]:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            classes = ("class " if len(missing) == 1 else "classes ") + ", ".join(missing[:NAMED]) + more
            if of_drawing:
                left = f"the validation takes all pictures of {classes}, and none is left to train on"
                raise ValueError(f"{self.source}: {left}: each class needs two or more")
            readable = "readable " if self.check and self.check.unreadable else ""
            raise ValueError(f"{self.source}: no {readable}pictures to train on for {classes}")

    def _mention_unvalidated(self, validated: Tensor) -> None:
        """Warns of classes that have no validation pictures."""
        if missing := self._without(validated):
            warnings.warn(f"no validation pictures for {listed(missing, NAMED)}", stacklevel=3)

    def _split(self, files: dict[str, Tensor], targets: Tensor, names: FileNames) -> dict[str, Tensor]:
        """The pictures of each split, int64, after those without one were divided.

        If some pictures have the split `train` but none `val` or none `test`, some of them go into the missing split.

        Args:
            files: the pictures of each of `PARTS`, int64.
            targets: of each picture, [N, ...].
            names: of the N pictures.
        """
        without_split, train = files.pop("all"), files["train"]
        files["train"] = train[:0]
        if self.folds and len(files["val"]):
            raise ValueError(f"folds must be null: {self.source} says itself which pictures are for validation")
        needs_val, needs_test = not len(files["val"]), not len(files["test"])
        if needs_val:
            without_split, train = torch.cat((without_split, train)), train[:0]
        for pictures, held_out in ((without_split, (True, needs_test)), (train, (False, needs_test))):
            if len(pictures):
                classes = groups(targets[pictures])
                for name, indices in self.divide(names.take(pictures), self.roots, *held_out, classes=classes).items():
                    files[name] = torch.cat((files[name], pictures[indices]))
        return files


def groups(targets: Tensor) -> Tensor:
    """The group of each picture, int64 [N], for `stratified`: its class, or the rarest of its labels; -1: it has none.

    Args:
        targets: int64 [N], or float32 [N, num_classes].
    """
    if targets.ndim == 1:
        return targets
    rarity = targets / targets.sum(0).clamp(min=1)
    return rarity.argmax(1).masked_fill(~targets.any(1), -1)

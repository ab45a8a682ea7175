import pytest
import torch
from pictures import draw_folder, draw_landmarks

from litlab.data import ImageFolder, LabelFile, Landmarks, MNISTSample
from litlab.data.folds import held_out


def test_each_image_is_held_out_once_and_each_fold_has_its_share_of_every_class():
    labels = torch.tensor([0] * 50 + [1] * 25 + [2] * 10)
    order = torch.randperm(85, generator=torch.Generator().manual_seed(0))
    folds = [held_out(order, labels, 5, fold) for fold in range(5)]
    assert torch.equal(torch.cat(folds).sort().values, torch.arange(85))
    for fold in folds:
        assert torch.bincount(labels[fold]).tolist() == [10, 5, 2]


def test_a_fold_takes_the_place_of_the_validation_split():
    modules = [MNISTSample(folds=4, fold=fold) for fold in (0, 1)]
    for data in modules:
        data.setup()
        assert data.sizes == {"train": 3000, "val": 1000, "test": 1000}
    first, second = (set(data.val_set.indices.tolist()) for data in modules)
    assert not first & second
    assert not first & set(modules[0].train_set.indices.tolist())
    assert modules[0].validates


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fold": 1}, "fold=1 needs folds: write folds=5 beside it"),
        ({"fold": 0}, "fold=0 needs folds: write folds=5 beside it"),
        ({"folds": 3, "fold": 3}, "fold must be below folds, 3, not 3"),
        ({"folds": 1}, "folds must be"),
    ],
)
def test_wrong_folds_are_refused(settings, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        MNISTSample(**settings)


def folder_of(tmp_path, **settings):
    """The data set of a folder with 20 blue and 10 red pictures."""
    if not (tmp_path / "pictures").exists():
        draw_folder(tmp_path / "pictures", count=20)
        for file in sorted((tmp_path / "pictures/red").iterdir())[10:]:
            file.unlink()
    data = ImageFolder(tmp_path / "pictures", image_size=8, seed=1, **{"stratified": True} | settings)
    data.setup()
    return data


def names(dataset) -> set[str]:
    return {f"{path.parent.name}/{path.name}" for path in dataset.paths}


def test_pictures_are_held_out_once_and_the_test_pictures_never(tmp_path):
    folds = [folder_of(tmp_path, folds=4, fold=fold, test_size=6) for fold in range(4)]
    assert [data.sizes for data in folds] == [{"train": 18, "val": 6, "test": 6}] * 4
    assert set.union(*(names(data.val_set) for data in folds)) | names(folds[0].test_set) == {
        *(f"blue/{number:03}{suffix}" for number, suffix in enumerate([".jpg", ".png", ".bmp"] * 6 + [".jpg", ".png"])),
        *(f"red/{number:03}{suffix}" for number, suffix in enumerate([".jpg", ".png", ".bmp"] * 3 + [".jpg"])),
    }
    for data in folds:
        assert names(data.test_set) == names(folds[0].test_set)
        assert not names(data.val_set) & names(data.train_set)
        assert not names(data.test_set) & (names(data.val_set) | names(data.train_set))
        assert torch.bincount(data.val_set.targets).tolist() == [4, 2]


def test_a_folder_with_val_has_no_folds(tmp_path):
    for split in ("train", "val"):
        draw_folder(tmp_path / "pictures" / split, count=4)
    with pytest.raises(ValueError, match=r"^folds must be null: data_dir .*pictures says itself which pictures are"):
        folder_of(tmp_path, folds=2)


def test_more_folds_than_pictures_are_refused(tmp_path):
    with pytest.raises(ValueError, match="^folds must be at most 30, the number of pictures, not 31"):
        folder_of(tmp_path, folds=31)


def test_rows_of_a_file_and_landmarks_have_folds(tmp_path):
    folder_of(tmp_path, folds=2)
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in sorted(tmp_path.glob("pictures/*/*"))]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    labels = [LabelFile(tmp_path / "labels.csv", image_size=8, folds=3, fold=fold, val_size=0) for fold in range(3)]
    points = [Landmarks(draw_landmarks(tmp_path / "points", 9), test_size=0, folds=3, fold=fold) for fold in range(3)]
    for modules, size in ((labels, 10), (points, 3)):
        for data in modules:
            assert data.validates
            data.setup()
            assert data.sizes["val"] == size
        assert len(set.union(*(names(data.val_set) for data in modules))) == 3 * size

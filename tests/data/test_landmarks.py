"""Pictures with points from an annotations file."""

import re

import pytest
import torch
from pictures import draw_landmarks

from litlab.data import Landmarks, draw_points
from litlab.data.landmarks import read_annotations


def test_landmarks_are_parts_of_width_and_height(tmp_path):
    file = draw_landmarks(tmp_path, count=20)
    data = Landmarks(file, image_size=64, val_size=2, test_size=2)
    data.setup()
    assert data.sizes == {"train": 16, "val": 2, "test": 2}
    assert (data.num_classes, data.target_shape, data.task) == (10, (5, 2), "regression")
    images, targets = data.train_set.__getitems__(list(range(16)))
    assert (images.shape, targets.shape, targets.dtype) == ((16, 3, 64, 64), (16, 5, 2), torch.float32)
    for image, points in zip(images, targets, strict=True):  # the dots are yellow: hardly any blue, much red
        for x, y in (points * 64).long().clamp(max=63).tolist():
            assert image[0, y, x] > 150
            assert image[2, y, x] < 150
    assert data.record()["target_shape"] == [5, 2]
    assert data.record()["preprocess"]["center_crop"] is False


def test_points_are_drawn_where_they_are():
    drawn = draw_points(torch.zeros(1, 60, 120, dtype=torch.uint8), torch.tensor([[0.25, 0.5], [0.75, 0.1]]))
    assert drawn.shape == (3, 60, 120)
    assert drawn[:, 30, 30].tolist() == drawn[:, 6, 90].tolist() == [255, 0, 0]
    assert drawn[:, 50, 60].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "line",
    ["a.png\t1\t2", "a.png 1 2 3 4 5 6 7 8 9 10"]
    + [f"a.png\t1\t2\t3\t4\t5\t6\t7\t8\t9\t{value}" for value in ("x", "nan", "inf", "1e39", "1_0", "", "10\t11")],
)
def test_a_wrong_line_is_named(tmp_path, line):
    file = draw_landmarks(tmp_path, count=3)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ValueError, match=r"^annotations .*annotations\.txt, line 4: must be a path and ten numbers"):
        Landmarks(file).setup()


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("b.png\t1\t2", "but has 2 cells after the path"),
        ("b.png 1 2 3 4 5 6 7 8 9 10", "but has no tab"),
        ("b.png\t1\t2\t3\t4\t5\t6\t7\t8\t9\tx", "but 'x' is no number of pixels"),
        ("000.png" + 10 * "\t1", "000.png is in line 1 already"),
        ("./000.png" + 10 * "\t1", "./000.png is in line 1 already"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(tmp_path, line, wrong):
    file = draw_landmarks(tmp_path, count=3)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ValueError, match=rf"^annotations .*annotations\.txt, line 4: .*{re.escape(wrong)}$"):
        Landmarks(file).setup()


def test_a_folder_instead_of_the_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^annotations .*: is a folder, not a file$"):
        Landmarks(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"augment": ["random_horizontal_flip"]},
            "augment random_horizontal_flip moves the picture and not its landmarks; choose from cutout, color_jitter, "
            "random_erasing, gaussian_blur$",
        ),
        ({"random_crop": True}, "random_crop moves the picture"),
        ({"balanced": True}, "balanced must be false for landmarks"),
    ],
)
def test_augmentations_that_move_the_points_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Landmarks(draw_landmarks(tmp_path, count=3), **arguments)


def test_a_missing_picture_is_named(tmp_path):
    file = draw_landmarks(tmp_path, count=3)
    (tmp_path / "001.png").unlink()
    instead = "repair or remove them, or skip them with data.max_bad_fraction=0.34"
    with pytest.raises(ValueError, match=rf"^max_bad_fraction=0\.01: 1 of 3 .*001\.png \(not there\); {instead}$"):
        Landmarks(file).setup()


def test_pictures_of_other_splits_may_be_gone_where_one_is_measured(tmp_path):
    whole = Landmarks(draw_landmarks(tmp_path, 10), image_size=16, val_size=0.3)
    whole.setup()
    for path in whole.train_set.paths:
        path.unlink()
    again = Landmarks(whole.annotations, image_size=16, val_size=0.3)
    again.known_splits, again.measured = whole.drawn_splits, "val"
    again.setup()
    assert again.val_set.paths == whole.val_set.paths
    assert torch.equal(again.val_set.targets, whole.val_set.targets)


def test_annotations_in_another_encoding_are_refused_by_name(tmp_path):
    file = draw_landmarks(tmp_path, count=3)
    file.write_text(file.read_text(), encoding="utf-16")
    with pytest.raises(ValueError, match=r"^annotations .*annotations\.txt: must be text in UTF-8$"):
        Landmarks(file).setup()


def test_paths_may_be_in_quotes_and_numbers_in_any_form(tmp_path):
    file = draw_landmarks(tmp_path, count=3)
    plain, pixels = read_annotations(file)
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    file.write_text("\r\n".join("\t".join((f'"{name}"', *(f" {float(x):+.6e}" for x in row))) for name, *row in lines))
    quoted, same = read_annotations(file)
    assert quoted == plain
    assert torch.equal(pixels, same)


def test_points_outside_of_the_picture_are_mentioned(tmp_path):
    file = draw_landmarks(tmp_path, count=20)
    lines = file.read_text().splitlines()
    lines[7] = "\t".join((*lines[7].split("\t")[:-2], "-1", "9999"))
    file.write_text("\n".join(lines))
    with pytest.warns(UserWarning, match=r"^annotations .*: landmarks lie outside of 1 of 20 pictures: .*/007\.png$"):
        Landmarks(file).setup()

"""Pictures from files: folders of classes, and annotations with points."""

import warnings

import lightning
import pytest
import torch
from litlab.data.datasets import BadPicture
from pictures import COLOURS, draw_folder, draw_landmarks
from PIL import Image
from scripts import asked

from litlab.data import ImageFolder, Landmarks, draw_points
from litlab.data.landmarks import read_annotations
from litlab.modules import Classification
from litlab.networks import MLP
from litlab.training import assemble


def folder(*roots, **arguments):
    data = ImageFolder([str(root) for root in roots], **{"image_size": 16, "val_size": 4} | arguments)
    data.setup()
    return data


@pytest.fixture
def root(tmp_path):
    return draw_folder(tmp_path / "root", count=10)


def all_paths(data):
    return [path for split in (data.train_set, data.val_set, data.test_set) if split for path in split.paths]


def test_folders_become_classes_and_files_become_batches(root):
    data = folder(root, batch_size=8, num_workers=2)
    assert data.class_names == ("blue", "red")
    assert data.sizes == {"train": 16, "val": 4}
    batches = list(data.train_dataloader())
    images, targets = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    assert (images.shape, images.dtype, targets.dtype) == ((16, 3, 16, 16), torch.uint8, torch.int64)
    is_red = images[:, 0].float().mean((1, 2)) > images[:, 2].float().mean((1, 2))
    assert torch.equal(is_red.long(), targets)  # each picture has the label of its colour
    normal, _ = data.preprocess(*batches[0], training=False)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (data.mean, data.std))
    torch.testing.assert_close(normal, (batches[0][0] / 255 - mean) / std)
    assert data.test_dataloader() == []


def test_pictures_are_found_behind_links_and_not_where_they_are_hidden(root, tmp_path):
    hidden = root / "blue/.ipynb_checkpoints/deeper"
    hidden.mkdir(parents=True)
    (root / "blue/000.jpg").rename(hidden / "000-checkpoint.jpg")
    other = draw_folder(tmp_path / "other", 3, classes=("red",))
    (other / "red/again").symlink_to(root / "red")  # a loop
    (root / "red/more").symlink_to(other / "red")
    (root / "blue/away.png").symlink_to("nowhere.png")
    with pytest.warns(UserWarning, match=r"skipped: 1 of 23 .*away\.png \(a broken link\)"):
        data = folder(root, max_bad_fraction=0.1)
    paths = all_paths(data)
    assert len({path.resolve() for path in paths}) == len(paths) == 9 + 10 + 3
    assert not any(".ipynb_checkpoints" in path.parts for path in paths)


def test_the_split_is_by_the_seed_and_loses_nothing(root):
    one, same, other = (folder(root, seed=seed, test_size=0.2) for seed in (1, 1, 2))
    assert one.sizes == {"train": 12, "val": 4, "test": 4}
    assert len(set(all_paths(one))) == 20
    assert one.val_set.paths == same.val_set.paths != other.val_set.paths


def test_split_folders_are_taken_as_they_are(tmp_path):
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        draw_folder(tmp_path / split, count)
    data = folder(tmp_path)
    assert data.sizes == {"train": 12, "val": 6, "test": 4}
    assert all(path.is_relative_to(tmp_path / "val") for path in data.val_set.paths)


def test_a_val_folder_is_a_validation_whatever_val_size_is(tmp_path):
    for split in ("train", "val"):
        draw_folder(tmp_path / split, 3)
    arguments = [f"data.data_dir={tmp_path}", "data.image_size=8", "data.num_workers=0"]
    run = asked("data=image_folder", "data.val_size=0", *arguments, "model=mlp", "trainer=cpu")
    _, data, _ = assemble(run)  # which looks whether the objective, val/acc, will be logged
    data.setup()
    assert data.sizes == {"train": 6, "val": 6}


@pytest.mark.parametrize(
    ("other", "test_size", "sizes", "sizes_without"),
    [
        ("test", 2, {"train": 8, "val": 4, "test": 4}, {"train": 8, "val": 4, "test": 4}),
        ("val", 3, {"train": 9, "val": 4, "test": 3}, {"train": 12, "val": 4}),
    ],
)
def test_a_train_folder_gives_to_the_split_that_is_not_there(tmp_path, other, test_size, sizes, sizes_without):
    draw_folder(tmp_path / "train", 6)
    draw_folder(tmp_path / other, 2)
    data = folder(tmp_path, test_size=test_size)
    assert data.sizes == sizes
    assert all(path.is_relative_to(tmp_path / other) for path in getattr(data, f"{other}_set").paths)
    assert len(set(all_paths(data))) == 16
    assert folder(tmp_path).sizes == sizes_without


def test_a_limit_takes_of_every_class(root):
    data = folder(root, train_limit=8)
    assert data.train_set.targets.bincount(minlength=2).min() >= 2
    assert folder(root, train_limit=8).train_set.paths == data.train_set.paths


def test_alternating_flip_alternates(root):
    data = folder(root, augment=["alternating_flip"], transforms=[], shuffle=False)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, limit_val_batches=0,
    )  # fmt: skip
    seen = []

    module = Classification(MLP((3, 16, 16), 2), 2)
    module.network.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0]))
    trainer.fit(module, data)
    assert torch.equal(seen[0], seen[1].flip(-1))
    assert not torch.equal(seen[0], seen[1])


def test_several_roots_are_one_data_set(root, tmp_path):
    second = draw_folder(tmp_path / "second", 3, classes=("red", "green"))
    data = folder(root, second)
    assert data.class_names == ("blue", "green", "red")
    assert sum(data.sizes.values()) == 26
    counts = torch.cat((data.train_set.targets, data.val_set.targets)).bincount().tolist()
    assert counts == [10, 3, 13]


@pytest.mark.parametrize("arguments", [{}, {"center_crop": False}, {"random_crop": True}, {"resize": 30}])
@pytest.mark.parametrize("size", [16, (12, 20)])
def test_every_policy_makes_one_size(root, arguments, size):
    data = folder(root, image_size=size, **arguments)
    expected = (3, 16, 16) if size == 16 else (3, 12, 20)
    assert data.input_shape == expected
    for split in (data.train_set, data.val_set):
        assert {image.shape for image, _ in split} == {torch.Size(expected)}


def test_cropping_cuts_and_squeezing_does_not(tmp_path):
    half = Image.new("RGB", (120, 40), "black")
    half.paste("white", (80, 0, 120, 40))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            half.save(tmp_path / name / f"{number}.png")
    cropped, squeezed = (folder(tmp_path, val_size=2, center_crop=crop).train_set[0][0] for crop in (True, False))
    assert cropped.float().mean() < 30
    assert squeezed.float().mean() == pytest.approx(255 / 3, abs=3)


def test_grey_and_turned_pictures(tmp_path):
    for name in COLOURS:
        (tmp_path / name).mkdir()
        picture = Image.new("RGB", (30, 60), (200, 0, 0))
        exif = picture.getexif()
        exif[0x0112] = 6  # lies on its side
        for number in range(3):
            picture.save(tmp_path / name / f"{number}.jpg", exif=exif)
    data = folder(tmp_path, val_size=2, grayscale=True, center_crop=False, image_size=(20, 40))
    image, _ = data.train_set[0]
    assert image.shape == (1, 20, 40)
    assert image.float().mean() == pytest.approx(0.299 * 200, abs=3)
    assert data.record()["preprocess"] == {"resize": 20, "center_crop": False}
    assert data.record()["input_shape"] == [1, 20, 40]
    assert len(data.record()["mean"]) == 1


def test_transforms_of_torchvision_are_for_training_only(root):
    data = folder(root, transforms=[{"name": "RandomSolarize", "threshold": 0, "p": 1}, "RandomHorizontalFlip"])
    plain = folder(root)
    assert torch.equal(data.val_set[0][0], plain.val_set[0][0])
    assert (data.train_set[0][0].int() + plain.train_set[0][0].int()).float().mean() == pytest.approx(255, abs=3)


def small_among_large(root):
    for path in root.glob("*/*"):
        Image.new("RGB", (60, 60)).save(path)
    Image.new("RGB", (60, 20)).save(root / "red/small.png")
    return {"image_size": 30, "transforms": [{"name": "RandomCrop", "size": 30}], "val_size": 1}


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_picture_that_a_transform_cannot_take_is_named(root, num_workers):
    data = folder(root, **small_among_large(root), num_workers=num_workers)
    with pytest.raises(BadPicture, match=r"^transforms cannot take .*/small\.png: Required crop size .*$") as caught:
        list(data.train_dataloader())
    assert "\n" not in str(caught.value)


def test_a_run_that_meets_such_a_picture_ends_in_one_line(root, train_here):
    small_among_large(root)
    done = train_here(
        "data=image_folder", f"data.data_dir={root}", "data.image_size=30", "data.val_size=1", "model=mlp",
        "data.transforms=[{name: RandomCrop, size: 30}]", "data.num_workers=0", "trainer=cpu", "logger=none",
        "callbacks.report.enabled=false",
    )  # fmt: skip
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith(f"failed: data.transforms cannot take {root}/red/small.png: ")
    assert "Traceback" not in done.err
    assert done.result["error"].startswith("data.transforms cannot take ")


def test_a_picture_that_has_gone_is_named(root):
    data = folder(root, num_workers=1)
    data.train_set.paths[3].unlink()
    with pytest.raises(BadPicture, match=rf"^{data.train_set.paths[3]} cannot be read any more: not there$"):
        list(data.train_dataloader())


def test_what_transforms_have_cut_to_size_is_not_cut_again(root):
    crop = {"name": "RandomResizedCrop", "size": 16, "scale": [1, 1], "ratio": [1, 1]}
    stripes = torch.arange(16, dtype=torch.uint8).repeat(16, 1) * 16
    picture = Image.fromarray(stripes.numpy()).convert("RGB")
    seen = folder(root, transforms=[crop], resize=20).picture_transform(training=True)(picture)
    assert torch.equal(seen, stripes.expand(3, -1, -1))
    cut = folder(root, transforms=["RandomHorizontalFlip"], resize=20).picture_transform(training=True)(picture)
    assert cut.max() < stripes.max()  # as evaluation sees it


def gradient(width, height):
    return Image.linear_gradient("L").resize((height, width)).rotate(90, expand=True).convert("RGB")


@pytest.mark.parametrize(("resize", "cut"), [(None, 0), (15, 10), (40, 60)])
def test_random_crop_keeps_the_scale_of_evaluation(root, resize, cut):
    data = folder(root, image_size=(10, 20), resize=resize, random_crop=True)
    view, seen = data.picture_transform(training=True), gradient(80, 40)
    torch.manual_seed(0)
    middle = data.picture_transform()(seen).int()
    crops = torch.stack([view(seen) for _ in range(200)]).int()
    step = (middle[0, 0, -1] - middle[0, 0, 0]) / 19  # of brightness, from pixel to pixel
    torch.testing.assert_close((crops[:, 0, 0, -1] - crops[:, 0, 0, 0]) / 19, step.expand(200), atol=0.3, rtol=0)
    assert len(crops[:, 0, 0, 0].unique()) == pytest.approx(cut + 1, rel=0.2)  # places
    assert abs(crops.float().mean() - middle.float().mean()) < 12  # on both sides of the middle


def test_random_crop_of_a_picture_of_the_right_size_copies_pixels(root):
    data = folder(root, resize=20, random_crop=True)
    noise = torch.randint(256, (3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    crop = data.picture_transform(training=True)(Image.fromarray(noise.permute(1, 2, 0).numpy()))
    assert any(torch.equal(crop, noise[:, y : y + 16, x : x + 16]) for y in range(5) for x in range(5))


def test_random_crop_of_a_thin_picture_does_not_make_it_huge(root):
    data = folder(root, image_size=224, random_crop=True)
    assert data.picture_transform(training=True)(Image.new("RGB", (1, 500_000))).shape == (3, 224, 224)


@pytest.mark.parametrize("arguments", [{}, {"random_crop": True}])
def test_transforms_may_make_pictures_of_any_mode_and_size(root, arguments):
    resized = {"name": "Resize", "size": 12}  # 21 x 12 of the picture that is tried, and not of others
    for transforms in (["Grayscale", {"name": "Resize", "size": [12, 21]}], [resized]):
        data = folder(root, image_size=(12, 21), transforms=transforms, **arguments)
        assert data.train_set.__getitems__(list(range(16)))[0].shape == (16, 3, 12, 21)


def test_checking_files_leaves_warnings_as_they_were(root):
    """The threads that read the files once left a filter behind, in one run of some."""
    (root / "blue/empty.png").touch()
    before = list(warnings.filters)
    for _ in range(20):
        with pytest.warns(UserWarning, match="skipped: 1 of 21"):
            folder(root, max_bad_fraction=0.2)
        assert warnings.filters == before


def test_unreadable_files_are_named_counted_and_skipped(root):
    bad = root / "red/broken.jpg"
    whole = (root / "red/000.jpg").read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])  # a download that was cut off
    (root / "blue/empty.png").touch()
    (root / "blue/notes.txt").write_text("no picture, and none of our business")
    with pytest.warns(
        UserWarning, match=r"skipped: 2 of 22 files cannot be read: .*empty\.png \(.+\), .*broken\.jpg \("
    ):
        data = folder(root, max_bad_fraction=0.2)
    assert sum(data.sizes.values()) == 20
    assert bad not in all_paths(data)
    with pytest.raises(ValueError, match=r"^max_bad_fraction=0\.01: 2 of 22 files cannot be read: .*broken\.jpg"):
        folder(root)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transforms": ["ToImage"]}, "transforms ToImage must make a picture, not a Image: leave it out"),
        ({"transforms": [{"name": "RandomCrop", "size": 99}]}, "transforms RandomCrop cannot take a picture: "),
        ({"center_crop": False, "random_crop": True}, "random_crop has nothing to cut: with center_crop=false"),
        ({"transforms": ["RandomErasing"]}, r"transforms RandomErasing .*: write augment=\[cutout\]"),
        ({"transforms": ["RandomSpin"]}, "transforms: torchvision.transforms.v2 has no 'RandomSpin'"),
        ({"transforms": [{"name": "RandomRotation"}]}, "transforms RandomRotation: .*degrees"),
        ({"transforms": "RandomRotation"}, "transforms must be a list"),
        ({"resize": 10}, "resize must be at least image_size, 16, not 10"),
        ({"val_size": 0}, "val_size must be above 0: there is no val/"),
        ({"val_size": 1.5}, "val_size must be a number of pictures, or a fraction below 1"),
        ({"val_size": 20}, "val_size and test_size leave nothing to train on: 20 and 0 of 20 pictures"),
        ({"image_size": 0}, "image_size must be at least 1"),
        ({"max_bad_fraction": 2}, "max_bad_fraction must be from 0 to 1"),
        ({"balanced": True, "shuffle": False}, "balanced draws at random"),
    ],
)
def test_bad_values_are_refused_by_name(root, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        folder(root, **arguments)


def test_folders_that_are_no_data_set(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^data_dir .*none: no such folder"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(ValueError, match=r"^data_dir .* must have a folder for each of two classes.*found: none"):
        ImageFolder(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=r"^data_dir .* holds no pictures"):
        folder(tmp_path)


def test_a_class_without_pictures_to_train_on_is_named(root):
    (root / "__MACOSX/blue").mkdir(parents=True)
    (root / "__MACOSX/blue/._000.jpg").write_bytes(b"of a Mac")
    (root / "red/notes.txt").touch()
    (root / "red/LICENSE").touch()
    with pytest.warns(UserWarning, match=r"^left out, not the ending of a picture file: 2 \(none 1, \.txt 1\)$"):
        assert folder(root).class_names == ("blue", "red")
    (root / "dog").mkdir()
    (root / "dog/IMG_1.HEIC").write_bytes(b"of a phone")
    with (
        pytest.warns(UserWarning, match=r"^left out, .*: 3 \(.*\.heic 1"),
        pytest.raises(ValueError, match=r"^data_dir .*root: no readable pictures to train on for class 'dog'$"),
    ):
        folder(root)


def test_a_class_of_validation_alone_is_named(tmp_path):
    draw_folder(tmp_path / "train", 2)
    draw_folder(tmp_path / "val", 2, classes=("blue", "red", "emu"))
    with pytest.raises(ValueError, match=r"^data_dir .*: no readable pictures to train on for class 'emu'$"):
        folder(tmp_path)


@pytest.mark.parametrize(
    ("names", "odd"),
    [
        (["Train", "Test"], "Test, Train"),
        (["train", "valid", "test"], "valid"),
        (["training", "testing"], "testing, training"),
        (["train", "val", "test_set"], "test_set"),
    ],
)
def test_splits_of_other_names_are_no_classes(tmp_path, names, odd):
    for name in names:
        draw_folder(tmp_path / name, 1)
    message = rf"^data_dir .*: folders of splits must be named train, val and test, not {odd}$"
    with pytest.raises(ValueError, match=message):
        ImageFolder(tmp_path)


def test_a_class_may_be_named_like_a_split(tmp_path):
    assert folder(draw_folder(tmp_path, 4, classes=("valid", "invalid"))).class_names == ("invalid", "valid")


def test_balanced_draws_every_class_equally_often_the_same_on_all_ranks(tmp_path):
    draw_folder(tmp_path, 40, classes=("many",))
    draw_folder(tmp_path, 8, classes=("few",))
    data = folder(tmp_path, balanced=True, batch_size=10, val_size=4)
    few = data.class_names.index("few")
    sampler = data.train_dataloader().batch_sampler
    drawn = [index for epoch in range(20) for index in _epoch(sampler, epoch)]
    share = (data.train_set.targets[drawn] == few).float().mean()
    assert (data.train_set.targets == few).float().mean() < 0.2
    assert share == pytest.approx(0.5, abs=0.05)
    assert _epoch(sampler, 3) == _epoch(
        folder(tmp_path, balanced=True, batch_size=10).train_dataloader().batch_sampler, 3
    )
    assert _epoch(sampler, 3) != _epoch(sampler, 4)


def _epoch(sampler, epoch):
    sampler.set_epoch(epoch)
    return [index for batch in sampler for index in batch]


# Landmarks


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
    ("arguments", "message"),
    [
        (
            {"augment": ["random_horizontal_flip"]},
            "augment random_horizontal_flip moves the picture and not its points",
        ),
        ({"random_crop": True}, "random_crop moves the picture"),
        ({"balanced": True}, "balanced must be false for landmarks"),
    ],
)
def test_what_would_leave_the_points_behind_is_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Landmarks(draw_landmarks(tmp_path, count=3), **arguments)


def test_a_picture_that_is_not_there_is_said_to_be_so(tmp_path):
    file = draw_landmarks(tmp_path, count=3)
    (tmp_path / "001.png").unlink()
    with pytest.raises(ValueError, match=r"^max_bad_fraction=0\.01: 1 of 3 .*001\.png \(not there\)$"):
        Landmarks(file).setup()


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
    with pytest.warns(UserWarning, match=r"^annotations .*: points lie outside of 1 of 20 pictures: .*/007\.png$"):
        Landmarks(file).setup()

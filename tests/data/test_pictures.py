"""Pictures of any size become images of one size, in training and in evaluation."""

import lightning
import pytest
import torch
from pictures import COLOURS, load_folder
from PIL import Image

from litlab.data.folds import by_class
from litlab.data.resize import as_pixels
from litlab.modules import Classification
from litlab.networks import MLP


def test_alternating_flip_alternates(root):
    data = load_folder(root, augment=["alternating_flip"], transforms=[], shuffle=False)
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


@pytest.mark.parametrize("arguments", [{}, {"center_crop": False}, {"random_crop": True}, {"resize": 30}])
@pytest.mark.parametrize("size", [16, (12, 20)])
def test_every_policy_makes_one_size(root, arguments, size):
    data = load_folder(root, image_size=size, **arguments)
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
    cropped, squeezed = (load_folder(tmp_path, val_size=2, center_crop=crop).train_set[0][0] for crop in (True, False))
    assert cropped.float().mean() < 30
    assert squeezed.float().mean() == pytest.approx(255 / 3, abs=3)


def test_grey_and_turned_pictures(tmp_path):
    for name in COLOURS:
        (tmp_path / name).mkdir()
        picture = Image.new("RGB", (30, 60), (200, 0, 0))
        exif = picture.getexif()
        exif[0x0112] = 6  # stored on its side
        for number in range(3):
            picture.save(tmp_path / name / f"{number}.jpg", exif=exif)
    data = load_folder(tmp_path, val_size=2, grayscale=True, center_crop=False, image_size=(20, 40))
    image, _ = data.train_set[0]
    assert image.shape == (1, 20, 40)
    assert image.float().mean() == pytest.approx(0.299 * 200, abs=3)
    assert data.record()["preprocess"] == {"resize": 20, "center_crop": False, "resizer": "torch"}
    assert data.record()["input_shape"] == [1, 20, 40]
    assert len(data.record()["mean"]) == 1


def test_transforms_of_torchvision_are_for_training_only(root):
    data = load_folder(root, transforms=[{"name": "RandomSolarize", "threshold": 0, "p": 1}, "RandomHorizontalFlip"])
    plain = load_folder(root)
    assert torch.equal(data.val_set[0][0], plain.val_set[0][0])
    assert (data.train_set[0][0].int() + plain.train_set[0][0].int()).float().mean() == pytest.approx(255, abs=3)


def test_pictures_that_transforms_have_resized_are_not_cut_again(root):
    crop = {"name": "RandomResizedCrop", "size": 16, "scale": [1, 1], "ratio": [1, 1]}
    stripes = torch.arange(16, dtype=torch.uint8).repeat(16, 1) * 16
    picture = Image.fromarray(stripes.numpy()).convert("RGB")
    seen = load_folder(root, transforms=[crop], resize=20).picture_transform(training=True)(picture)
    assert torch.equal(seen, stripes.expand(3, -1, -1))
    cut = load_folder(root, transforms=["RandomHorizontalFlip"], resize=20).picture_transform(training=True)(picture)
    assert cut.max() < stripes.max()  # cut as in evaluation


def gradient(width, height):
    return Image.linear_gradient("L").resize((height, width)).rotate(90, expand=True).convert("RGB")


@pytest.mark.parametrize(("resize", "cut"), [(None, 0), (15, 10), (40, 60)])
def test_random_crop_keeps_the_scale_of_evaluation(root, resize, cut):
    data = load_folder(root, image_size=(10, 20), resize=resize, random_crop=True)
    view, seen = data.picture_transform(training=True), gradient(80, 40)
    torch.manual_seed(0)
    middle = data.picture_transform()(seen).int()
    crops = torch.stack([view(seen) for _ in range(200)]).int()
    step = (middle[0, 0, -1] - middle[0, 0, 0]) / 19  # of brightness, from pixel to pixel
    torch.testing.assert_close((crops[:, 0, 0, -1] - crops[:, 0, 0, 0]) / 19, step.expand(200), atol=0.3, rtol=0)
    assert len(crops[:, 0, 0, 0].unique()) == pytest.approx(cut + 1, rel=0.2)  # places
    assert abs(crops.float().mean() - middle.float().mean()) < 12  # on both sides of the middle


def test_random_crop_of_a_picture_of_the_right_size_copies_pixels(root):
    data = load_folder(root, resize=20, random_crop=True)
    noise = torch.randint(256, (3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    crop = data.picture_transform(training=True)(Image.fromarray(noise.permute(1, 2, 0).numpy()))
    assert any(torch.equal(crop, noise[:, y : y + 16, x : x + 16]) for y in range(5) for x in range(5))


def test_random_crop_of_a_thin_picture_does_not_make_it_huge(root):
    data = load_folder(root, image_size=224, random_crop=True)
    assert data.picture_transform(training=True)(Image.new("RGB", (1, 500_000))).shape == (3, 224, 224)


@pytest.mark.parametrize("arguments", [{}, {"random_crop": True}])
def test_transforms_may_make_pictures_of_any_mode_and_size(root, arguments):
    resized = {"name": "Resize", "size": 12}  # makes 21 x 12 of the picture that is tried, and other sizes of others
    for transforms in (["Grayscale", {"name": "Resize", "size": [12, 21]}], [resized]):
        data = load_folder(root, image_size=(12, 21), transforms=transforms, **arguments)
        assert data.train_set.__getitems__(list(range(16)))[0].shape == (16, 3, 12, 21)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transforms": ["ToImage"]}, "transforms ToImage must make a picture, not uint8 .*: leave it out"),
        ({"transforms": [{"name": "RandomCrop", "size": 99}]}, "transforms RandomCrop cannot take a picture: "),
        ({"center_crop": False, "random_crop": True}, "random_crop has nothing to cut: with center_crop=false"),
        ({"transforms": ["RandomErasing"]}, r"transforms RandomErasing .*: write augment=\[cutout\]"),
        (
            {"transforms": ["RandomGray"]},
            "transforms: torchvision.transforms.v2 has no 'RandomGray'; did you mean RandomGrayscale",
        ),
        ({"transforms": ["RandomSpin"]}, "transforms: torchvision.transforms.v2 has no 'RandomSpin'"),
        ({"transforms": [{"name": "RandomRotation"}]}, "transforms RandomRotation: .*degrees"),
        ({"transforms": "RandomRotation"}, "transforms must be a list"),
        ({"resize": 10}, "resize must be at least image_size, 16, not 10"),
        ({"val_size": 0}, "val_size must be above 0: there is no val/"),
        ({"val_size": 1.5}, "val_size must be a number of images, or a fraction below 1"),
        ({"val_size": 20}, "val_size and test_size leave nothing to train on: 20 and 0 of 20 pictures"),
        ({"image_size": 0}, "image_size must be at least 1"),
        ({"max_bad_fraction": 2}, "max_bad_fraction must be from 0 to 1"),
        ({"balanced": True, "shuffle": False}, "balanced draws at random"),
    ],
)
def test_bad_values_are_refused_by_name(root, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        load_folder(root, **arguments)


def test_training_decodes_large_jpegs_small_and_evaluation_decodes_them_whole(tmp_path):
    for name in COLOURS:
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.effect_noise((160, 130), 90).convert("RGB").save(tmp_path / name / f"{number}.jpg")
    fast, exact = (load_folder(tmp_path, val_size=2, resizer=resizer) for resizer in ("torch", "pillow"))
    small, whole = (as_pixels(data.train_set._read(str(data.train_set.paths[0]))[0], 3) for data in (fast, exact))
    assert (small.shape, whole.shape) == ((17, 20, 3), (130, 160, 3))
    for split in ("train", "val"):
        seen, expected = (data.evaluation_set(split)[0][0].int() for data in (fast, exact))
        assert (seen - expected)[:, 1:-1, 1:-1].abs().max() <= 1  # at the borders, Pillow looks at pixels beyond them
    assert fast.record()["preprocess"]["resizer"] == "torch"


def test_each_beginning_of_an_order_by_class_has_its_share_of_each():
    order = torch.tensor([5, 0, 3, 1, 4, 2, 6])
    classes = torch.tensor([0, 1, 0, 1, 0, 0, -1])
    # places: class 0 has 0.125, 0.375, 0.625 and 1, class 1 has 0.25 and 1, the class of a single picture has 1
    assert by_class(order, classes).tolist() == [5, 3, 0, 4, 1, 2, 6]

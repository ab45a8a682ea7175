import pytest
import torch
from scripts import QUICK

from litlab.networks import CutImages, TimmModel, refusing_cut_images


def refusal(name: str, height: int, width: int) -> str:
    """What is said of images for a network of timm; nothing if it takes them."""
    network = TimmModel((3, height, width), 2, name).eval()
    with torch.no_grad(), refusing_cut_images(network, (3, height, width)):
        try:
            network(torch.zeros(2, 3, height, width))
        except CutImages as refused:
            return str(refused)
    return ""


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("vit_tiny_patch16_224", (28, 28), "would see 16 x 16 of them; it takes 32 x 32: write data.image_size=32 or "
         "data.image_size=16"),
        ("vit_tiny_patch16_224", (32, 40), "would see 32 x 32 of them; it takes 32 x 48: write "
         "'data.image_size=[32,48]' or data.image_size=32"),
        ("eva02_tiny_patch14_224", (40, 40), "its patches of 14 x 14 pixels would see 28 x 28 of them; it takes 42 x"),
        ("pit_ti_224", (44, 44), "would see 40 x 40"),  # patches of 16 pixels, one each 8
        ("vit_tiny_patch16_224", (32, 32), ""),
        ("pit_ti_224", (40, 40), ""),
        ("swin_tiny_patch4_window7_224", (30, 30), ""),  # it loses two pixels, as convolutions with a stride of 4 do
        ("resnet18", (35, 35), ""),
    ],
)  # fmt: skip
def test_patches_that_leave_out_a_part_of_the_images_are_refused(name, size, said):
    pytest.importorskip("timm")
    found = refusal(name, *size)
    assert said in found
    assert bool(found) == bool(said)


def test_a_training_is_refused_with_the_sizes_that_fit(train_here):
    pytest.importorskip("timm")
    done = train_here(*QUICK, "model=timm", "model.name=vit_tiny_patch16_224", "data.image_size=40")
    said = "its patches of 16 x 16 pixels would see 32 x 32 of them; it takes 48 x 48: "
    assert done.err.startswith("error: data.image_size=40: model=timm cannot take images [1, 40, 40] of ")
    assert done.err.endswith(f"{said}write data.image_size=48 or data.image_size=32\n")
    assert (done.status, done.runs) == (2, [])

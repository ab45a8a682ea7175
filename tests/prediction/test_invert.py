"""`invert=auto`: photographs on the background of the training images."""

import re
from dataclasses import replace

import pytest
import torch
from PIL import Image, ImageOps
from predictions import rows

from litlab import checkpoint
from litlab.data import MNISTSample, fit, open_picture
from litlab.errors import ConfigError
from litlab.prediction.files import PictureFiles
from litlab.prediction.invert import invert_setting, on_background


def test_the_same_picture_in_any_form_is_the_same_digit(ckpt, digits, use, tmp_path, capsys):
    folder, names = digits
    name = "00_7.png"
    original = Image.open(folder / name)
    photo = ImageOps.invert(original).resize((280, 280), Image.Resampling.NEAREST)
    forms = tmp_path / "forms"
    forms.mkdir()
    photo.save(forms / "negative.png")
    photo.convert("RGB").save(forms / "photo.jpg")
    photo.convert("CMYK").save(forms / "print.tiff")
    photo.convert("P").save(forms / "palette.gif")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.rotate(90, expand=True).save(forms / "turned.jpg", exif=exif)
    ink = Image.new("RGBA", photo.size)
    ink.putalpha(ImageOps.invert(photo))
    ink.save(forms / "ink.png")
    wide = Image.new("L", (560, 280), 255)
    wide.paste(photo, (140, 0))
    wide.save(forms / "wide.webp")
    use(ckpt, f"input={forms}", "output=out")
    table = rows(tmp_path / "out")
    assert len(table) == 7
    assert {row["class"] for row in table} == {names[name]}
    assert {row["inverted"] for row in table} == {"true"}
    assert "written to out: predictions.csv, " in capsys.readouterr().out
    use(ckpt, f"input={forms}", "output=out", "invert=false")
    assert "written to out, in place of earlier files: predictions.csv, " in capsys.readouterr().out
    assert {row["inverted"] for row in rows(tmp_path / "out")} == {"false"}
    use(ckpt, f"input={folder}", "output=out", "invert=true")
    assert {row["inverted"] for row in rows(tmp_path / "out")} == {"true"}


def test_photos_of_any_ink_on_any_paper_are_recognised(quick_run):
    trained = checkpoint.load(quick_run.runs[0] / "checkpoints/best.ckpt")
    data = MNISTSample()
    data.setup()
    images, _ = data.test_set.__getitems__(list(range(100)))
    generator = torch.Generator().manual_seed(0)

    def classes(photos):
        return trained.network(data.normalize(photos)).argmax(1)

    for paper, ink, grain in ((255, 0, 0), (160, 50, 8), (120, 40, 8), (140, 90, 2), (40, 200, 8)):
        photos = paper + (ink - paper) * images.float() / 255 + grain * torch.randn(images.shape, generator=generator)
        photos[:, :, 2, 2:4] = 255 if ink < paper else 0  # glare
        read = [on_background(photo, 0) for photo in photos.round().clamp(0, 255).to(torch.uint8)]
        assert {inverted for _, inverted in read} == {ink < paper}
        assert (classes(torch.stack([photo for photo, _ in read])) == classes(images)).float().mean() >= 0.96
        on_white = [on_background(255 - photo, 255)[0] for photo in photos.round().clamp(0, 255).to(torch.uint8)]
        pairs = zip(on_white, (photo for photo, _ in read), strict=True)
        assert max((255 - white.int() - black).abs().max() for white, black in pairs) <= 8  # a median of even count


def test_an_image_with_the_background_or_one_colour_stays_as_it_is(digits, quick_run):
    trained = checkpoint.load(quick_run.runs[0] / "checkpoints/best.ckpt")
    original = fit(open_picture(digits[0] / "00_7.png"), (1, 28, 28))
    for image in (original, original.clamp(min=5), torch.full((1, 28, 28), 3, dtype=torch.uint8)):
        assert on_background(image, 0)[0] is image
    for level in (255, 130, 60):
        sheet, inverted = on_background(torch.full((1, 28, 28), level, dtype=torch.uint8), 0)
        assert (sheet.max(), inverted) == (0, level > 127), "a light sheet has become dark"
        grainy = level + torch.randint(-3, 1, (1, 28, 28), generator=torch.Generator().manual_seed(0))
        assert on_background(grainy.to(torch.uint8), 0)[0].max() < 30
    light = 255 - original
    varied = replace(trained, data=replace(trained.data, background=None))
    Image.fromarray(light[0].numpy()).save(file := digits[0].with_name("light.png"))
    assert torch.equal(PictureFiles([str(file)], varied, "auto", 0)[0].image, light)
    onto = PictureFiles([str(file)], trained, "auto", 0)[0].image
    torch.testing.assert_close(onto.float(), original.float(), rtol=0, atol=4)


@pytest.mark.parametrize(
    ("value", "meant"), [(True, True), (False, False), ("true", True), ("False", False), ("auto", "auto")]
)
def test_invert_means_one_of_three(value, meant):
    assert invert_setting(value) is meant


@pytest.mark.parametrize("value", ["nope", "", 1, 0, None, 0.5, ["auto"]])
def test_other_values_of_invert_are_refused(value):
    with pytest.raises(ConfigError, match=f"^invert={re.escape(str(value))}: must be auto, true or false$"):
        invert_setting(value)

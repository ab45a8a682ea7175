"""JPEGs decoded by simplejpeg have the pixels that Pillow gives, and what is unusual is left to Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from litlab.data import fit, jpeg, open_picture
from litlab.data.picture_files import Unreadable, read_picture

needs_simplejpeg = pytest.mark.skipif(not jpeg.available(), reason="simplejpeg is not installed")
SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)).resize((301, 200))


def both(path, monkeypatch, **arguments):
    """A file, read with simplejpeg and without."""
    fast = np.asarray(read_picture(path, **arguments)[0]).squeeze()
    with monkeypatch.context() as patch:
        patch.setattr(jpeg, "simplejpeg", None)
        return fast, np.asarray(read_picture(path, **arguments)[0])


@needs_simplejpeg
@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_both_decoders_give_the_same_pixels(tmp_path, monkeypatch, orientation, scale, mode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"subsampling": orientation % 3, "progressive": bool(orientation % 2), "exif": exif}
    SMOOTH.convert(mode).save(tmp_path / "a.jpg", **options)
    fast, slow = both(tmp_path / "a.jpg", monkeypatch, needed=lambda width, height: 1 / scale)
    assert type(read_picture(tmp_path / "a.jpg")[0]) is np.ndarray
    assert fast.shape == slow.shape
    assert (fast == slow).all()
    wide, high = (-(-side // scale) for side in SMOOTH.size)
    assert slow.shape[:2] == ((wide, high) if orientation in (5, 6, 7, 8) else (high, wide))


@needs_simplejpeg
@pytest.mark.parametrize("kind", ["CMYK", "XMP", "cut off"])
def test_unusual_files_are_left_to_pillow(tmp_path, monkeypatch, kind):
    path = tmp_path / "a.jpg"
    picture = SMOOTH.convert("CMYK") if kind == "CMYK" else SMOOTH
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    picture.save(path, **({"xmp": xmp} if kind == "XMP" else {}))
    content = path.read_bytes()
    if kind == "cut off":
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(Unreadable, match="damaged"):
            open_picture(path)
    else:
        assert isinstance(read_picture(path)[0], Image.Image)
        fast, slow = both(path, monkeypatch)
        assert (fast == slow).all()
        assert fast.shape[0] == (301 if kind == "XMP" else 200)


@needs_simplejpeg
def test_a_damaged_file_is_a_picture_for_both_or_for_none(tmp_path, monkeypatch):
    path, generator = tmp_path / "a.jpg", np.random.default_rng(0)
    SMOOTH.resize((40, 30)).save(path)
    whole = path.read_bytes()
    for position in generator.integers(2, len(whole), 150).tolist():
        changed = bytearray(whole)
        changed[position] ^= int(generator.integers(1, 256))
        path.write_bytes(changed)
        try:
            fast, slow = both(path, monkeypatch)
        except Unreadable:
            monkeypatch.setattr(jpeg, "simplejpeg", None)
            with pytest.raises(Unreadable):
                open_picture(path)
            monkeypatch.undo()
        else:
            assert (fast == slow).all(), position


def test_both_resizers_differ_by_little():
    shape, picture = (3, 96, 112), SMOOTH.resize((300, 200))
    by_torch, by_pillow = (fit(picture, shape, {"resize": 100, "resizer": name}).int() for name in ("torch", "pillow"))
    assert (by_torch - by_pillow)[:, 1:-1, 1:-1].abs().max() <= 1
    assert torch.equal(fit(picture, shape, {"resize": 100}).int(), by_pillow)  # what old checkpoints need


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (2, 3), (224, 224), (301, 200)])
@pytest.mark.parametrize("center_crop", [True, False])
def test_torch_resizes_pictures_of_every_size(width, height, center_crop):
    picture = Image.new("RGB", (width, height), (9, 90, 200))
    image = fit(picture, (3, 30, 50), {"resize": 40, "center_crop": center_crop, "resizer": "torch"})
    assert image.shape == (3, 30, 50)
    assert image.flatten(1).unique(dim=1).flatten().tolist() == [9, 90, 200]

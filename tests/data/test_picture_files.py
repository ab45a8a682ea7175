"""Files from anywhere: what every mode, format and defect becomes."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from litlab.data import Unreadable, open_picture
from litlab.data.picture_files import formats, picture_size, suffixes, why_unreadable

GREY = np.linspace(0, 255, 24 * 32).reshape(24, 32).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], 2)


def saved(path, image, **options):
    image.save(path, **options)
    return open_picture(path)


def near(image, expected, tolerance=0):
    assert np.abs(np.asarray(image).astype(int) - expected.astype(int)).max() <= tolerance


def test_plain_grey_and_colour_are_kept(tmp_path):
    for name, tolerance in (("a.png", 0), ("a.bmp", 0), ("a.tiff", 0), ("a.webp", 0), ("a.ppm", 0)):
        options = {"lossless": True} if name.endswith("webp") else {}
        image = saved(tmp_path / name, Image.fromarray(COLOUR), **options)
        assert image.mode == "RGB"
        near(image, COLOUR, tolerance)
    image = saved(tmp_path / "g.png", Image.fromarray(GREY))
    assert image.mode == "L"
    near(image, GREY)


def test_sixteen_bits_and_floats_keep_their_scale(tmp_path):
    near(saved(tmp_path / "a.png", Image.fromarray(GREY.astype(np.uint16) * 257)), GREY)
    near(saved(tmp_path / "a.pgm", Image.fromarray(GREY.astype(np.uint16) * 257)), GREY)
    near(saved(tmp_path / "a.tiff", Image.fromarray(GREY.astype(np.float32) / 255)), GREY)
    near(saved(tmp_path / "b.tiff", Image.fromarray(GREY.astype(np.float32))), GREY)


def test_palette_bilevel_cmyk_lab(tmp_path):
    picture = Image.fromarray(COLOUR)
    palette = picture.quantize(64)
    near(saved(tmp_path / "p.png", palette), np.asarray(palette.convert("RGB")))
    bilevel = Image.fromarray(GREY).convert("1")
    near(saved(tmp_path / "1.png", bilevel), np.asarray(bilevel.convert("L")))
    cmyk = picture.convert("CMYK")
    near(saved(tmp_path / "c.tiff", cmyk), np.asarray(cmyk.convert("RGB")))
    near(saved(tmp_path / "c.jpg", cmyk, quality=100), np.asarray(cmyk.convert("RGB")), 40)
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    muted = COLOUR // 4 + 96  # in the gamut of both
    near(saved(tmp_path / "l.tiff", ImageCms.applyTransform(Image.fromarray(muted), to_lab)), muted, 6)


def test_transparency_is_over_white(tmp_path):
    alpha = np.zeros((24, 32), np.uint8)
    alpha[:, 16:] = 255
    expected = np.where(alpha[..., None] > 0, COLOUR, 255)
    rgba = Image.fromarray(np.dstack((COLOUR, alpha)))
    image = saved(tmp_path / "a.png", rgba)
    assert image.mode == "RGB"
    near(image, expected)
    grey = Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(alpha)))
    image = saved(tmp_path / "la.png", grey)
    assert image.mode == "L"
    near(image, np.where(alpha > 0, GREY, 255))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    near(saved(tmp_path / "h.png", half), np.full((4, 4, 3), 127), 1)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    near(saved(tmp_path / "p.png", palette, transparency=1), np.full((4, 4, 3), 255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(COLOUR)
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # members of PIL's Transpose
    upright = stored.transpose(Image.Transpose(turn[orientation])) if orientation in turn else stored
    image = saved(tmp_path / "a.png", stored, exif=exif)
    near(image, np.asarray(upright))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ["a.jpg", "a.tiff", "a.png", "a.webp"])
def test_the_size_is_that_of_the_picture_upright(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = saved(tmp_path / name, Image.fromarray(COLOUR), exif=exif)
    assert picture_size(tmp_path / name) == image.size == ((32, 24) if orientation == 1 else (24, 32))


@pytest.mark.parametrize("behind", [False, True])
def test_a_png_is_turned_upright_wherever_its_exif_stands(tmp_path, behind):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.png"
    Image.fromarray(COLOUR).save(path, exif=exif)
    whole = path.read_bytes()
    start = whole.index(b"eXIf") - 4
    chunk = whole[start : start + 12 + int.from_bytes(whole[start : start + 4])]
    if behind:
        rest = whole.replace(chunk, b"")
        path.write_bytes(rest[:-12] + chunk + rest[-12:])  # the last chunk, IEND, has 12 bytes
    assert open_picture(path).size == picture_size(path) == (24, 32)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_file_is_opened_once(tmp_path, name, monkeypatch):
    Image.fromarray(COLOUR).save(tmp_path / name)
    opened, real = [], open
    for module in ("builtins", "io"):
        monkeypatch.setattr(
            f"{module}.open", lambda path, *rest, **more: opened.append(path) or real(path, *rest, **more)
        )
    open_picture(tmp_path / name)
    assert opened == [tmp_path / name]


UPRIGHT_BY_EXIF = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)


@pytest.mark.parametrize(
    ("exif", "size"),
    [
        (UPRIGHT_BY_EXIF + struct.pack("<HHI4s", 0x0128, 2, 2, b"2\0"), (24, 32)),  # text instead of a number
        (UPRIGHT_BY_EXIF + struct.pack("<HHIi", 0x0128, 9, 1, -3), (24, 32)),
        (struct.pack("<HHI4s", 0x0112, 2, 2, b"6\0"), (32, 24)),
        (None, (32, 24)),
    ],
)
def test_odd_exif_does_not_hide_a_good_picture(tmp_path, exif, size):
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOUR).save(path)
    header = struct.pack("<2sHIH", b"II", 42, 8, len(exif) // 12) if exif else b"no EXIF at all"
    segment = b"Exif\0\0" + header + (exif or b"") + bytes(4)
    whole = path.read_bytes()
    path.write_bytes(whole[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + whole[2:])
    assert open_picture(path).size == picture_size(path) == size
    assert why_unreadable(path) is None


def test_animations_show_their_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tiff"):
        image = saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:])
        near(image, np.asarray(frames[0]), 3)


def bomb(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.fixture
def bad(tmp_path):
    """Files that cannot be read. The name of each says why."""
    good = tmp_path / "good.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(good)
    Image.open(good).save(tmp_path / "good.jpg")
    whole, jpeg = good.read_bytes(), (tmp_path / "good.jpg").read_bytes()
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not a picture\n")
    (folder / "bomb.png").write_bytes(bomb(20_000, 20_000))
    (folder / "large.png").write_bytes(bomb(12_000, 12_000))
    (folder / "larger_bomb.png").write_bytes(bomb(2**31 - 1, 2**31 - 1))
    (folder / "folder.jpg").mkdir()
    (folder / "broken.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.png")
    with (folder / "huge.webp").open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\xffWEBPVP8 ")
        file.truncate(10 * 2**30)
    (folder / "program.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n")
    return folder


REASONS = {
    "truncated.png": "damaged: ",
    "truncated.jpg": "damaged: ",
    "empty.png": "empty",
    "text.png": "not a picture",
    "bomb.png": "more than 134 million pixels; make it smaller",
    "larger_bomb.png": "more than 134 million pixels",
    "large.png": "12,000 x 12,000: more than 134 million pixels",
    "folder.jpg": "a folder",
    "broken.png": "a broken link",
    "loop.png": "symbolic links",
    "pipe.png": "a pipe",
    "huge.webp": "10.0 GiB are too many",
    "program.eps": "an EPS file, a program that is not executed",
    "missing.png": "not there",
}


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("name", REASONS)
def test_every_defect_has_its_reason(bad, name):
    with pytest.raises(Unreadable, match=REASONS[name]) as caught:
        open_picture(bad / name)
    assert "\n" not in str(caught.value)
    assert why_unreadable(bad / name) == str(caught.value)  # the same before the training and in it


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    path.chmod(0)
    with pytest.raises(Unreadable, match="no permission"):
        open_picture(path)


def test_every_truncation_and_many_flipped_bytes_are_pictures_or_reasons(tmp_path):
    generator = np.random.default_rng(0)
    read = 0
    for kind in ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm", "tga", "ico", "pcx", "sgi", "jp2"):
        path = tmp_path / f"a.{kind}"
        Image.fromarray(COLOUR).save(path)
        whole = path.read_bytes()
        cuts = [whole[:size] for size in generator.integers(0, len(whole), 15)]
        flips = []
        for position in generator.integers(0, len(whole), 25):
            changed = bytearray(whole)
            changed[position] ^= 0xFF
            flips.append(bytes(changed))
        for content in (*cuts, *flips):
            path.write_bytes(content)
            try:
                open_picture(path)
                reason = None
                read += 1
            except Unreadable as error:
                reason = str(error)
                assert "\n" not in reason
            assert (why_unreadable(path) is None) == (reason is None), (kind, reason)
    assert read  # some of them can still be read


def test_postscript_is_never_handed_to_an_interpreter():
    assert "EPS" not in formats()
    assert not {".eps", ".ps"} & suffixes()
    assert {".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".bmp"} <= suffixes()

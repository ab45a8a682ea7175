"""Small generated pictures: folders of them, one a class, and some with five points."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from litlab.data import ImageFolder

COLOURS = {"blue": (40, 60, 200), "red": (200, 50, 40)}


def draw_folder(root: Path, count: int = 10, classes: tuple[str, ...] = ("blue", "red")) -> Path:
    """`count` pictures for each class, in different sizes and formats: noise in the colour that names the class."""
    generator = torch.Generator().manual_seed(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            height, width = torch.randint(40, 90, (2,), generator=generator).tolist()
            noise = torch.randint(-40, 40, (height, width, 3), generator=generator)
            pixels = (torch.tensor(COLOURS.get(name, (90, 90, 90))) + noise).clamp(0, 255).to(torch.uint8)
            suffix = (".jpg", ".png", ".bmp")[number % 3]
            Image.fromarray(pixels.numpy()).save(root / name / f"{number:03}{suffix}")
    return root


def draw_labels(root: Path, lines: str, name: str = "labels.csv") -> Path:
    """A CSV file with these lines, and a picture of 8 x 8 for each file that its first column names.

    The picture is noise. Channel 0 is lighter if its label has an `r`, channel 1 for a `g`, channel 2 for a `b`.
    """
    generator = torch.Generator().manual_seed(0)
    root.mkdir(parents=True, exist_ok=True)
    for line in lines.splitlines()[1:]:
        path, label = line.split(",")[:2]
        pixels = torch.randint(0, 60, (8, 8, 3), generator=generator)
        pixels += torch.tensor([160 * (letter in label) for letter in "rgb"])
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.to(torch.uint8).numpy()).save(root / path)
    (root / name).write_text(lines)
    return root / name


def draw_landmarks(root: Path, count: int = 30) -> Path:
    """The annotations of `count` pictures of a dark square with a light dot in each corner and one in its middle."""
    generator = torch.Generator().manual_seed(0)
    root.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(count):
        width, height = torch.randint(60, 120, (2,), generator=generator).tolist()
        side = int(torch.randint(20, 40, (1,), generator=generator))
        left = int(torch.randint(5, width - side - 5, (1,), generator=generator))
        top = int(torch.randint(5, height - side - 5, (1,), generator=generator))
        image = Image.new("RGB", (width, height), (200, 180, 160))
        draw = ImageDraw.Draw(image)
        draw.rectangle((left, top, left + side, top + side), fill=(60, 40, 40))
        middle = (left + side / 2, top + side / 2)
        corners = [(left, top), (left + side, top), (left, top + side), (left + side, top + side)]
        points = [*corners[:2], middle, *corners[2:]]
        for x, y in points:
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(250, 250, 90))
        image.save(root / f"{number:03}.png")
        lines.append("\t".join([f"{number:03}.png", *(str(value) for point in points for value in point)]))
    file = root / "annotations.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


def load_folder(*roots: Path, **arguments: Any) -> ImageFolder:
    """The pictures in folders as a data set, 16 pixels a side, with 4 of them held out for validation."""
    data = ImageFolder([str(root) for root in roots], **{"image_size": 16, "val_size": 4} | arguments)
    data.setup()
    return data

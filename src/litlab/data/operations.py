"""Operations of torchvision's automatic augmentations, each with its own strength for each image of a batch.

Images are uint8 [B, C, H, W] with 1 or 3 channels, strengths float [B]. The results are those of
`torchvision.transforms.v2.functional`, image by image. Nothing loops over images or waits for a GPU.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 256  # of a uint8 pixel


def where_chosen(chosen: Tensor, images: Tensor, operation: Callable[..., Tensor], *strengths: Tensor) -> Tensor:
    """Images after an operation on those that are chosen.

    A CPU computes the chosen images only. A GPU computes all, since it would have to wait for their number.

    Args:
        chosen: bool [B].
        images: uint8 [B, C, H, W].
        operation: from images and strengths to images.
        strengths: [B], or [B, ...], of the operation.
    """
    if images.device.type != "cpu":
        return torch.where(chosen[:, None, None, None], operation(images, *strengths), images)
    places = chosen.nonzero().flatten()
    if not len(places):
        return images
    return images.index_copy(0, places, operation(images[places], *(strength[places] for strength in strengths)))


def affine_matrices(
    size: tuple[int, int],
    angle: Tensor | float = 0.0,
    shift_x: Tensor | float = 0.0,
    shift_y: Tensor | float = 0.0,
    shear_x: Tensor | float = 0.0,
    shear_y: Tensor | float = 0.0,
    at_corner: Tensor | bool = False,
) -> Tensor:
    """From pixels of the result to pixels of the image, both from the centre: float32 [B, 2, 3].

    Args:
        size: (H, W).
        angle: float64 [B], in degrees, clockwise.
        shift_x: float64 [B], in pixels.
        shift_y: likewise.
        shear_x: float64 [B], in degrees.
        shear_y: likewise.
        at_corner: bool [B], to shear about the upper left corner and not about the centre.
    """
    given = [value for value in (angle, shift_x, shift_y, shear_x, shear_y) if isinstance(value, Tensor)]
    zeros = torch.zeros_like(given[0])
    turn, x, y = (torch.deg2rad(zeros + value) for value in (angle, shear_x, shear_y))
    a, b = torch.cos(turn - y) / torch.cos(y), -torch.cos(turn - y) * torch.tan(x) / torch.cos(y) - torch.sin(turn)
    c, d = torch.sin(turn - y) / torch.cos(y), -torch.sin(turn - y) * torch.tan(x) / torch.cos(y) + torch.cos(turn)
    centre_x, centre_y = (-0.5 * side * (zeros + at_corner) for side in reversed(size))
    right, down = -centre_x - shift_x, -centre_y - shift_y
    first = torch.stack((d, -b, d * right - b * down + centre_x), 1)
    second = torch.stack((-c, a, -c * right + a * down + centre_y), 1)
    return torch.stack((first, second), 1).float()


def moved(images: Tensor, matrices: Tensor, interpolation: str = "nearest") -> Tensor:
    """Images after an affine map each; what comes from outside is black.

    Args:
        images: uint8 [B, C, H, W].
        matrices: float32 [B, 2, 3], see `affine_matrices`.
        interpolation: `nearest` or `bilinear`.
    """
    B, _, H, W = images.shape
    x = torch.linspace((1 - W) * 0.5, (W - 1) * 0.5, W, device=images.device)
    y = torch.linspace((1 - H) * 0.5, (H - 1) * 0.5, H, device=images.device)
    pixels = torch.stack((x.expand(H, W), y[:, None].expand(H, W), torch.ones_like(x).expand(H, W)), -1).view(1, -1, 3)
    half_x, half_y = torch.full_like(x[:1], 0.5 * W), torch.full_like(x[:1], 0.5 * H)
    places = torch.matmul(pixels, matrices.mT / torch.cat((half_x, half_y))).view(B, H, W, 2)
    found = F.grid_sample(images.float(), places, interpolation, "zeros", align_corners=False)
    return found.round_().to(torch.uint8)


def grey(images: Tensor) -> Tensor:
    """The brightness of images [B, C, H, W], whole numbers as float32 [B, 1, H, W]."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.unbind(1)
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()[:, None]


def saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Images whose colours are `factor` [B] times as strong. Grey ones stay as they are."""
    if images.shape[1] == 1:
        return images
    factor = factor.view(-1, 1, 1, 1)
    blended = images * factor.float() + grey(images) * (1 - factor).float()
    return blended.clamp_(0, 255).to(torch.uint8)


def sharpened(images: Tensor, factor: Tensor) -> Tensor:
    """Images blended with a blurred copy: blurred at `factor` [B] 0, as they are at 1, sharper above."""
    C, H, W = images.shape[1:]
    if H <= 2 or W <= 2:
        return images
    kernel = torch.full((C, 1, 3, 3), 1 / 13, device=images.device)
    kernel[:, :, 1, 1] = 5 / 13
    output = images.float()
    blurred = F.conv2d(output, kernel, groups=C).round_()
    inner = output[..., 1:-1, 1:-1]
    inner.add_((blurred - inner) * (1 - factor).view(-1, 1, 1, 1).float())
    return output.clamp_(0, 255).to(torch.uint8)


def looked_up(images: Tensor, tables: Tensor) -> Tensor:
    """Images with each value v replaced by `tables[image, channel, v]`; tables are uint8 [B, C or 1, 256]."""
    B, C = images.shape[:2]
    return tables.expand(B, C, LEVELS).gather(2, images.flatten(2).long()).view_as(images)


def levels(device: torch.device) -> Tensor:
    """All values of a pixel, float32 [1, 1, 256]."""
    return torch.arange(LEVELS, dtype=torch.float32, device=device).view(1, 1, -1)


def brightened(images: Tensor, factor: Tensor) -> Tensor:
    """Tables [B, 1, 256] that multiply brightness by `factor` [B]."""
    return (levels(images.device) * factor.view(-1, 1, 1).float()).clamp_(0, 255).to(torch.uint8)


def contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Tables [B, 1, 256] that multiply the distance to the mean brightness by `factor` [B]."""
    mean, factor = grey(images).mean((1, 2, 3)).view(-1, 1, 1), factor.view(-1, 1, 1)
    blended = levels(images.device) * factor.float() + mean * (1 - factor).float()
    return blended.clamp_(0, 255).to(torch.uint8)


def posterized(images: Tensor, bits: Tensor) -> Tensor:
    """Tables [B, 1, 256] that keep the first `bits` [B] of 8 bits."""
    values = torch.arange(LEVELS, device=images.device).view(1, 1, -1)
    dropped = (8 - bits.long()).view(-1, 1, 1)
    return ((values >> dropped) << dropped).to(torch.uint8)


def solarized(images: Tensor, part: Tensor) -> Tensor:
    """Tables [B, 1, 256] that invert values from `part` [B] of white upwards."""
    values = levels(images.device)
    return torch.where(values >= (255 * part).view(-1, 1, 1), 255 - values, values).to(torch.uint8)


def stretched(images: Tensor, _: Tensor) -> Tensor:
    """Tables [B, C, 256] that make the darkest value of each channel 0 and the lightest 255."""
    pixels = images.flatten(2).float()
    low, high = pixels.amin(2, keepdim=True), pixels.amax(2, keepdim=True)
    same = low == high
    scale = torch.where(same, 1.0, (high - low) * (1 / 255))
    return (levels(images.device) - torch.where(same, 0.0, low)).div(scale).clamp_(0, 255).to(torch.uint8)


def equalized(images: Tensor, _: Tensor) -> Tensor:
    """Tables [B, C, 256] that make all values of each channel about equally frequent, as Pillow does."""
    pixels = images.flatten(2).long()
    counts = pixels.new_zeros((*pixels.shape[:2], LEVELS)).scatter_add_(2, pixels, torch.ones_like(pixels))
    below = counts.cumsum(2)
    most = counts.gather(2, below.argmax(2, keepdim=True))
    step = (pixels.shape[2] - most) // 255
    table = ((below - counts + step // 2) // step.clamp(min=1)).clamp_(0, 255)
    return torch.where(step == 0, levels(images.device).long(), table).to(torch.uint8)


def inverted(images: Tensor, _: Tensor) -> Tensor:
    """Tables [B, 1, 256] that swap light and dark."""
    return (255 - levels(images.device)).to(torch.uint8).expand(len(images), 1, LEVELS)


def resized_from(images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """A box of each image, resized to the size of the image, bilinear and antialiased.

    Args:
        images: uint8 [B, C, H, W].
        top, left: of the box, in pixels, [B].
        height, width: of the box, likewise.
    """
    H, W = images.shape[2:]
    rows, columns = _weights(H, top, height), _weights(W, left, width)
    found = rows[:, None] @ images.float() @ columns[:, None].mT
    return found.round_().clamp_(0, 255).to(torch.uint8)


def _weights(side: int, start: Tensor, length: Tensor) -> Tensor:
    """How much each of `side` pixels counts in each of as many pixels of the result, float32 [B, side, side]."""
    place = torch.arange(side, device=start.device, dtype=torch.float32)
    start, length = start.view(-1, 1, 1).float(), length.view(-1, 1, 1).float()
    scale = length / side
    centre = (place.view(1, -1, 1) + 0.5) * scale
    distance = (place.view(1, 1, -1) - start + 0.5 - centre) / scale.clamp(min=1)
    inside = (place >= start) & (place < start + length)
    weights = (1 - distance.abs()).clamp_(min=0) * inside
    return weights / weights.sum(2, keepdim=True)


def blurred(images: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Images after a Gaussian blur with a standard deviation of `sigma` [B] pixels."""
    half = kernel_size // 2
    place = torch.linspace(-half, half, kernel_size, device=images.device)
    kernel = torch.exp(-0.5 * (place / sigma.view(-1, 1)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True))[..., None, None, None]
    H, W = images.shape[2:]
    padded = F.pad(images.float(), (half, half, half, half), "reflect")
    rows = sum(kernel[:, k] * padded[..., k : k + H, :] for k in range(kernel_size))
    both = sum(kernel[:, k] * rows[..., k : k + W] for k in range(kernel_size))  # type: ignore[index,misc]
    assert isinstance(both, Tensor)
    return both.round_().clamp_(0, 255).to(torch.uint8)


def steps(low: float, high: float, count: int) -> Tensor:
    """Strengths from the weakest to the strongest, float64 [count]."""
    return torch.linspace(low, high, count).double() if count > 1 else torch.tensor([high], dtype=torch.float64)


def bits_kept(lost: int, count: int) -> Tensor:
    """Bits that `posterized` keeps, from 8 to 8 - `lost`, float64 [count]."""
    return (8 - torch.arange(count) / (max(count - 1, 1) / lost)).round().double()

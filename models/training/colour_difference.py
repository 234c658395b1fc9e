"""Computes the colour difference of pictures as a function that has gradients."""

import torch
from torch import Tensor

#: From linear sRGB to CIE XYZ. Source: IEC 61966-2-1.
XYZ_FROM_SRGB = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
#: Squared difference that is added before a root, so that its gradient stays finite.
FLAT = 1e-4


def linear(image: Tensor) -> Tensor:
    """Linear light of sRGB values."""
    return torch.where(image <= 0.04045, image / 12.92, ((image.clamp_min(0.0) + 0.055) / 1.055) ** 2.4)


def lab(image: Tensor) -> Tensor:
    """CIE L*a*b* (D65) of sRGB values in [0, 1]; both (N, 3, H, W)."""
    return lab_of_light(linear(image))


def lab_of_light(light: Tensor) -> Tensor:
    """CIE L*a*b* (D65) of linear light in [0, 1]; both (N, 3, H, W)."""
    weights = torch.tensor(XYZ_FROM_SRGB, dtype=light.dtype, device=light.device)
    xyz = torch.einsum("kc,nchw->nkhw", weights / weights.sum(dim=1, keepdim=True), light)
    root = torch.where(xyz > 0.008856, xyz.clamp_min(0.008856) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(dim=1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def difference(answer: Tensor, wanted: Tensor) -> Tensor:
    """Colour difference of two L*a*b* pictures by CIE94, which CIEDE2000 refines: (N, H, W)."""
    chroma_answer, chroma_wanted = (torch.sqrt(each[:, 1:].square().sum(dim=1) + FLAT) for each in (answer, wanted))
    lighter, chroma = answer[:, 0] - wanted[:, 0], chroma_answer - chroma_wanted
    hue = ((answer - wanted)[:, 1:].square().sum(dim=1) - chroma.square()).clamp_min(0)
    scaled = (chroma / (1 + 0.045 * chroma_wanted)).square() + hue / (1 + 0.015 * chroma_wanted).square()
    return torch.sqrt(lighter.square() + scaled + FLAT)

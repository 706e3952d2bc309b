"""Distorted copies of images: what the training images do not show of how people write."""
import math

import torch
from torch.nn.functional import affine_grid, grid_sample, interpolate


def distort(images, generator, *, degrees=8.0, stretch=0.08, shear=0.08, pixels=1.0,
            elastic=0.3):
    """A copy of grey ``images`` (frames, height, width) of uint8, each distorted at random.

    Every image is turned by up to ``degrees``, stretched and sheared by up to the given
    fractions and moved by up to ``pixels``, all uniform; then bent by a smooth field of
    displacements (Simard et al. 2003), normal with ``elastic`` pixels at 5 × 5 points.
    """
    frames, height, width = images.shape

    def uniform(bound):
        return (torch.rand(frames, generator=generator) * 2 - 1) * bound

    turn = uniform(math.radians(degrees))
    wide, high = uniform(stretch).exp(), uniform(stretch).exp()
    rows = [torch.stack([turn.cos() * wide, uniform(shear) - turn.sin() * high,
                         uniform(2 * pixels / width)], 1),
            torch.stack([turn.sin() * wide, turn.cos() * high, uniform(2 * pixels / height)], 1)]
    field = torch.randn(frames, 2, 5, 5, generator=generator)
    field *= elastic * torch.tensor([2 / width, 2 / height]).view(1, 2, 1, 1)
    field = interpolate(field, (height, width), mode="bicubic", align_corners=True)
    grid = affine_grid(torch.stack(rows, 1), (frames, 1, height, width), align_corners=False)
    grey = grid_sample(images[:, None].float(), grid + field.permute(0, 2, 3, 1),
                       align_corners=False)
    return grey[:, 0].round().clamp(0, 255).to(torch.uint8)

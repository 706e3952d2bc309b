"""Distorted copies of images."""
import torch

from sw import data
from sw.train.augment import distort


def test_distort_keeps_shape_and_moves_little():
    images = torch.from_numpy(data.load("mnist", "sample").images[:50])
    copy = distort(images, torch.Generator().manual_seed(0))
    assert copy.shape == images.shape and copy.dtype == torch.uint8
    assert not torch.equal(copy, images)
    still = distort(images, torch.Generator().manual_seed(0), degrees=0, stretch=0, shear=0,
                    pixels=0, elastic=0)
    assert torch.equal(still, images)

"""Layers of few levels that gradient descent can train.

Forwards they compute with small integers only, exactly as the integer network does; backwards the
quantizer is taken for a smooth function, that of weights for the identity (the straight-through
estimator of Hinton 2012 and Bengio et al. 2013, used on weights and activations by Courbariaux,
Hubara et al. 2016, Binarized Neural Networks).
"""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from sw import planes
from sw.batch_norm import BatchNorm
from sw.element import Bipolar, UInt
from sw.schemes import shift_cnn, twn


class Sign(torch.autograd.Function):
    """``x >= 0`` as −1 and +1; the gradient is that of tanh.

    Courbariaux et al. let the gradient pass where |x| <= 1. The smooth window has the same
    slope at 0 and trained a little better here.
    """
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        x, = ctx.saved_tensors
        return gradient * (1 - torch.tanh(x) ** 2)


class Round(torch.autograd.Function):
    """``x`` to the nearest of 0 … ``most``, ties to even; the gradient is that of a tanh.

    DoReFa-Net (Zhou et al. 2016) lets the gradient pass where 0 <= x <= most. The smooth window
    has the same slope in the middle and trained a little better here.
    """
    @staticmethod
    def forward(ctx, x, most):
        ctx.save_for_backward(x)
        ctx.middle = most / 2
        return x.round().clamp(0, most)

    @staticmethod
    def backward(ctx, gradient):
        x, = ctx.saved_tensors
        return gradient * (1 - torch.tanh(x / ctx.middle - 1) ** 2), None


@dataclass(frozen=True)
class Signs:
    """Activations −1 and +1, the signs of what batch norm gives."""
    element = Bipolar()
    steps = 1
    middle, spread = 0.0, 1.0               # where batch norm begins
    input_name, name = "binarize", "sign"   # of its layers in the integer network

    def __call__(self, x):
        return Sign.apply(x)

    def values(self, codes):
        """The activations whose thresholds reached are counted in ``codes``, as floats."""
        return 2.0 * codes - 1

    def codes(self, norm: BatchNorm, x: np.ndarray) -> np.ndarray:
        """How many thresholds batch norm of the integers ``x`` reaches, exactly."""
        return norm.sign(x)


@dataclass(frozen=True)
class Levels:
    """Activations of ``bits`` bits, 0 … 2^bits − 1: DoReFa's, in units of its step."""
    bits: int
    input_name, name = "grey", "levels"

    @property
    def element(self):
        return UInt(self.bits)

    @property
    def steps(self):
        return 2 ** self.bits - 1

    @property
    def middle(self):
        return self.steps / 2

    spread = middle

    def __call__(self, x):
        return Round.apply(x, self.steps)

    def values(self, codes):
        """See :meth:`Signs.values`."""
        return codes.float()

    def codes(self, norm: BatchNorm, x: np.ndarray) -> np.ndarray:
        """See :meth:`Signs.codes`. Ties go to the even level, so the first is not enough for 1."""
        return norm.codes(x, [level + 0.5 for level in range(self.steps)],
                          [level % 2 == 0 for level in range(self.steps)])


class Straight(torch.autograd.Function):
    """``function(w)``; the gradient passes unchanged to the latent weight w."""
    @staticmethod
    def forward(ctx, w, function):
        return function(w)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class QuantizedLinear(nn.Module):
    """Matrix-vector product with integers made from latent weights; no bias.

    The latent weights are kept in −1 … 1 by :meth:`clip` after each step: beyond that a binary
    weight could not change sign any more (Courbariaux et al. 2015, BinaryConnect, section 2.4).
    """
    largest = 1     # magnitude of an integer

    def __init__(self, columns: int, rows: int, *, spread: float = 0.3):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns).uniform_(-spread, spread))

    def forward(self, x):
        return nn.functional.linear(x, Straight.apply(self.weight, self.integers))

    @torch.no_grad()
    def clip(self):
        self.weight.clamp_(-1, 1)

    @property
    def latent(self) -> np.ndarray:
        """The latent weights, (rows, columns)."""
        return self.weight.detach().cpu().numpy()


class BinaryLinear(QuantizedLinear):
    """The signs of the latent weights, −1 and +1."""
    @staticmethod
    def integers(w):
        return torch.where(w >= 0, 1.0, -1.0).to(w.dtype)

    def planes(self):
        """The integers as weight planes."""
        return planes.bipolar(np.where(self.latent >= 0, 1, -1).astype(np.int8)),


class TernaryLinear(QuantizedLinear):
    """−1, 0 and +1 by the threshold 0.7 · mean |w| (Li et al. 2016, Ternary Weight Networks)."""
    @staticmethod
    def integers(w):
        threshold = 0.7 * w.double().abs().mean()
        return (w > threshold).to(w.dtype) - (w < -threshold).to(w.dtype)

    def planes(self):
        """The integers as weight planes; the scheme's scale is left to batch norm."""
        return twn.quantize(self.latent).planes


class ShiftLinear(QuantizedLinear):
    """Sums of two powers of two, of three bits each (Gudovskiy, Rigazio 2017, ShiftCNN).

    In units of the smallest power all are integers, −8 … 8: the largest weight of a layer is 8.
    """
    bits = 3
    largest = 2 ** (2 ** (bits - 1) - 1)

    @classmethod
    def integers(cls, w):
        rest = w.double() / w.double().abs().max() * cls.largest
        total = torch.zeros_like(rest)
        for lowest in (2, 1):          # the smallest power of each term
            mantissa, exponent = torch.frexp(rest)
            nearest = torch.ldexp(mantissa.sign(), exponent - (mantissa.abs() <= 0.75).int())
            word = torch.where(nearest.abs() >= lowest, nearest, 0)
            total += word
            rest -= word
        return total.to(w.dtype)

    def planes(self):
        """The integers as weight planes; the scheme's scale is left to batch norm."""
        return shift_cnn.quantize(self.latent, terms=2, bits=self.bits).planes

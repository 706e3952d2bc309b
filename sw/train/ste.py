"""Binary layers that gradient descent can train.

Forwards they compute with −1 and +1 only, exactly as the integer network does; backwards the sign
is taken for a smooth function (the straight-through estimator of Hinton 2012 and Bengio et al.
2013, used on weights and activations by Courbariaux, Hubara et al. 2016, Binarized Neural
Networks).
"""
import torch
from torch import nn


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


class SignOfWeight(torch.autograd.Function):
    """``w >= 0`` as −1 and +1; the gradient passes unchanged to the latent weight."""
    @staticmethod
    def forward(ctx, w):
        return torch.where(w >= 0, 1.0, -1.0).to(w.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class BinaryLinear(nn.Module):
    """Matrix-vector product with the signs of latent weights; no bias.

    The latent weights are kept in −1 … 1 by :meth:`clip` after each step: beyond that they could
    not change sign any more (Courbariaux et al. 2015, BinaryConnect, section 2.4).
    """
    def __init__(self, columns: int, rows: int, *, spread: float = 0.3):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns).uniform_(-spread, spread))

    def forward(self, x):
        return nn.functional.linear(x, SignOfWeight.apply(self.weight))

    @torch.no_grad()
    def clip(self):
        self.weight.clamp_(-1, 1)

    @property
    def signs(self):
        """The weights as an integer array of −1 and +1."""
        return torch.where(self.weight >= 0, 1, -1).to(torch.int8).cpu().numpy()

"""XNOR-Net activations: signs, and the mean magnitude of what they stand for.

A vector X of n activations is β · sign(X) with ``β = ‖X‖₁ / n``. In a convolution each window has
its own: ``K = A * k`` with A the mean of |x| over the channels and k the mean over the window, and
the binary convolution is multiplied by K place by place (section 3.2).

The authors' released program leaves K and β away (``off``), and so should hardware: the signs are
static thresholds, and a β that is one constant for the tensor (``beta_global`` with ``beta``)
vanishes in the thresholds that follow. A β for each sample depends on the data and multiplies the
sums before a threshold that is not 0: a layer of its own, :class:`sw.layers.XnorNetDense`, does
that in hardware. Of the map K only the golden model knows. The gradient of the sign is that of
:func:`sw.schemes.activations.sign.ste`, open.
"""
from typing import Literal

import numpy as np

from sw.alphabet import Bipolar
from sw.planes import Plane
from sw.quantized import Quantized, matrix, reals
from sw.schemes.activations import sign
from sw.schemes.activations.integer import positive

PAPER = "Rastegari, Ordonez, Redmon, Farhadi 2016, arXiv 1603.05279"


def quantize(x: np.ndarray, *, mode: Literal["beta_sample", "beta_global", "off"] = "beta_sample",
             beta: float | None = None) -> Quantized:
    """``x`` as β · sign(x), one bipolar plane; sign(0) = +1.

    β is the mean magnitude of each sample, of the whole tensor (or the calibrated constant
    ``beta``), or 1 when ``off``.

    Raises ValueError when the mode is unknown, or ``beta`` is not positive or given in vain.
    """
    if beta is not None and mode != "beta_global":
        raise ValueError(f"A constant beta is for mode 'beta_global', not {mode!r}")
    if beta is not None:
        positive("Beta", beta)
    x = reals(x, "Activations")
    rows = matrix(x)
    match mode:
        case "beta_sample":
            betas = np.abs(rows).mean(axis=1)
        case "beta_global":
            betas = np.full(len(rows), np.abs(x).mean() if beta is None else beta)
        case "off":
            betas = np.ones(len(rows))
        case _:
            raise ValueError(f"The mode is 'beta_sample', 'beta_global' or 'off', not {mode!r}")
    return Quantized((Plane(Bipolar(), sign.signs(rows), betas),), 1.0, x.shape)


def codes(x: np.ndarray) -> np.ndarray:
    """The decisions for :func:`sw.fold.thresholds`: 1 where x >= 0, else 0."""
    return sign.codes(x)


def window_scales(x: np.ndarray, window: tuple[int, int], *,
                  mode: Literal["off", "beta_global", "K_map"] = "off", stride: int = 1,
                  original: bool = False) -> np.ndarray:
    """What multiplies each place of a binary convolution, (samples, rows, columns).

    ``x`` is (samples, channels, height, width), padded already (zeros add nothing to K). ``K_map``
    is the paper's K, ``beta_global`` the mean magnitude of the tensor, ``off`` is 1. ``original``
    is the one public program that has the map: its kernel k is ones, so that K is the number of
    places in the window times too large.

    Raises ValueError when ``x`` has no four axes, the window does not fit, the stride is not
    positive, or the mode is unknown.
    """
    x = reals(x, "Activations")
    if x.ndim != 4:
        raise ValueError(f"Activations of a convolution have the axes samples, channels, height "
                         f"and width, but their shape is {x.shape}")
    if not all(1 <= w <= size for w, size in zip(window, x.shape[2:], strict=True)):
        raise ValueError(f"A window of {window} does not fit in activations of {x.shape[2:]}")
    if not stride >= 1:
        raise ValueError(f"A window moves by 1 or more, not {stride!r}")
    mean = np.abs(x).mean(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(mean, window, axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    match mode:
        case "K_map":
            return windows.sum(axis=(3, 4)) if original else windows.mean(axis=(3, 4))
        case "beta_global":
            return np.full(windows.shape[:3], np.abs(x).mean())
        case "off":
            return np.ones(windows.shape[:3])
    raise ValueError(f"The mode is 'off', 'beta_global' or 'K_map', not {mode!r}")

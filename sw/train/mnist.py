"""What the recipes for handwritten digits share: the model, its training, its integer network.

A recipe is a :class:`Recipe`, one a module: which pixels the network reads, at how many levels of
grey, its layers' sizes, weights and activations. What makes all of them accurate is distorted
copies of the training images and a high learning rate that falls to zero along a cosine.
"""
import dataclasses
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from sw import data, fold, network
from sw.batch_norm import BatchNorm
from sw.element import UInt
from sw.train.augment import distort
from sw.train.ste import Levels, QuantizedLinear, Signs

SIDE = 28                   # rows and columns of an image
BATCH = 512
WARM_UP = 200               # steps


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a network is made.

    ``indices`` are the pixels that it reads, ascending, which together are called ``crop``;
    ``grey`` are the thresholds of their grey values, ascending. ``rate`` is the learning rate of
    the latent weights; batch norm learns at 0.3 times that, in units of the factors that it begins
    with. ``copies`` of each training image are distorted once, before training.
    """
    name: str
    crop: str
    indices: np.ndarray
    grey: tuple[int, ...]
    pixels: Signs | Levels
    hidden: tuple[int, ...]
    linear: type[QuantizedLinear]
    activation: Signs | Levels
    rate: float
    epochs: int
    runs: int
    copies: int = 24

    def model(self) -> "Model":
        """A model to train, with random weights."""
        return Model([len(self.indices), *self.hidden, 10], self.linear, self.activation)

    def read(self, images: torch.Tensor) -> torch.Tensor:
        """How many of the thresholds each pixel of ``indices`` reaches, (frames, pixels)."""
        pixels = images.flatten(1)[:, self.indices]
        return sum((pixels >= level).to(torch.uint8) for level in self.grey)


def box(first: int, last: int) -> np.ndarray:
    """The pixels in rows and columns ``first`` to ``last`` − 1 of an image."""
    return np.arange(SIDE * SIDE).reshape(SIDE, SIDE)[first:last, first:last].ravel()


def checkered(first: int, last: int) -> np.ndarray:
    """Every second pixel of :func:`box`, as on a chessboard."""
    indices = box(first, last)
    return indices[(indices // SIDE + indices % SIDE) % 2 == 0]


class Model(nn.Module):
    """Layers of the given sizes, batch norm and activation between them.

    The last layer's integers, times one positive factor, are the logits, so that the largest
    integer decides and hardware needs no scale.
    """
    def __init__(self, sizes, linear, activation):
        super().__init__()
        self.activation = activation
        self.dense = nn.ModuleList(linear(m, n) for m, n in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(n) for n in sizes[1:-1])
        for norm in self.norms:
            nn.init.constant_(norm.weight, activation.spread)
            nn.init.constant_(norm.bias, activation.middle)
        self.log_scale = nn.Parameter(torch.tensor(math.log(
            2 / math.sqrt(sizes[-2]) / (linear.largest * activation.steps))))

    def forward(self, x):
        for dense, norm in zip(self.dense[:-1], self.norms, strict=True):
            x = self.activation(norm(dense(x)))
        return self.dense[-1](x) * self.log_scale.exp()


def fit(model, recipe, copies, labels, *, epochs, seed, progress=lambda epoch, loss: None):
    """Train ``model`` on ``copies`` (copies, frames, pixels), read, and ``labels`` (frames,).

    Each epoch shows every frame once, as one of its copies. Calls ``progress`` after each.
    """
    device = copies.device
    generator = torch.Generator().manual_seed(seed)
    latent = [dense.weight for dense in model.dense]
    norms = list(model.norms.parameters())
    optimizer = torch.optim.Adam([
        {"params": latent, "rate": recipe.rate},
        {"params": norms, "rate": 0.3 * recipe.rate * recipe.activation.spread},
        {"params": [model.log_scale], "rate": 0.3 * recipe.rate}])
    batches = max(1, len(labels) // BATCH)
    step = 0
    model.train()
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(labels), generator=generator)
        for frames in order.tensor_split(batches):
            falling = (1 + math.cos(math.pi * step / (epochs * batches))) / 2
            for group in optimizer.param_groups:
                group["lr"] = group["rate"] * falling * min(1, (step + 1) / WARM_UP)
            which = torch.randint(len(copies), frames.shape, generator=generator)
            frames = frames.to(device)
            x = recipe.pixels.values(copies[which.to(device), frames])
            loss = nn.functional.cross_entropy(model(x), labels[frames])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for dense in model.dense:
                dense.clip()
            total += loss.item()
            step += 1
        progress(epoch + 1, total / batches)
    return model.eval()


def export(model: Model, recipe: Recipe, *, pixels: int = SIDE * SIDE,
           provenance: dict | None = None) -> network.Network:
    """The integer network that decides as ``model`` does; it reads ``pixels`` grey values."""
    layers = []
    tensors = {"input": network.Tensor.full(UInt(8), (pixels,))}

    def add(kind, name, *rest):
        inputs = layers[-1].name if layers else "input"
        layers.append(kind(name, (inputs,), *rest))
        tensors[name] = layers[-1].infer(tensors[inputs])
        return tensors[name]

    channels = len(recipe.indices)
    add(network.Select, recipe.crop, recipe.indices)
    add(network.Threshold, recipe.pixels.input_name, np.tile(recipe.grey, (channels, 1)),
        np.zeros(channels, bool), recipe.pixels.element)
    for k, dense in enumerate(model.dense, 1):
        sums = add(network.Dense, f"dense{k}", dense.planes())
        if k <= len(model.norms):
            norm = batch_norm(model.norms[k - 1])
            thresholds, flip = fold.thresholds(
                lambda x, norm=norm: model.activation.codes(norm, x), sums.lo, sums.hi,
                model.activation.steps)
            add(network.Threshold, f"{model.activation.name}{k}", thresholds, flip,
                model.activation.element)
    add(network.ArgMax, "class")
    labels = tuple(map(str, range(model.dense[-1].weight.shape[0])))
    return network.Network(recipe.name, tensors["input"], tuple(layers), labels, provenance or {})


def batch_norm(norm: nn.BatchNorm1d) -> BatchNorm:
    """The trained batch norm as real numbers."""
    return BatchNorm(*(tensor.detach().cpu().double().numpy() for tensor in (
        norm.weight, norm.bias, norm.running_mean, norm.running_var)), norm.eps)


def accuracy(net: network.Network, split) -> float:
    """The share of a split's images that the integer network classifies right."""
    return float(np.mean(net.run(split.images)[:, 0] == split.labels))


def make(recipe: Recipe, *, folder=None, epochs: int, seed: int, runs: int, device: str,
         progress=lambda run, epoch, loss: None) -> network.Network:
    """Train ``runs`` networks from ``seed`` on; return the one that validation images prefer.

    ``folder`` holds the IDX files. The packaged sample and t10k are measured last, on the chosen
    network only. All accuracies are those of the integer network.
    """
    # Products of such small integers stay exact, and training is several times faster.
    torch.set_float32_matmul_precision("medium")
    train, validation, t10k = (data.load("mnist", split, data=folder)
                               for split in ("train", "validation", "t10k"))
    sample = data.load("mnist", "sample")
    copies = distorted(train.images, recipe, seed).to(device)
    labels = torch.from_numpy(train.labels.astype(np.int64)).to(device)
    found = []
    for run in range(runs):
        torch.manual_seed(seed + run)
        model = recipe.model().to(device)
        fit(model, recipe, copies, labels, epochs=epochs, seed=seed + run,
            progress=lambda epoch, loss, run=run: progress(run, epoch, loss))
        net = export(model, recipe, pixels=train.images[0].size)
        found.append((accuracy(net, validation), -run, net))
    _, run, net = max(found, key=lambda entry: entry[:2])
    splits = {"train": train, "validation": validation, "sample": sample, "t10k": t10k}
    return dataclasses.replace(net, provenance={
        "dataset": "mnist",
        "recipe": f"sw.train.{recipe.name.replace('-', '_')}",
        "command": f"python -m sw.train {recipe.name} --epochs {epochs} --seed {seed} "
                   f"--runs {runs} --device {device}",
        "chosen": f"seed {seed - run}, the best of {runs} on the validation images",
        "torch": torch.__version__,
        "data": {name: split.digest for name, split in splits.items()},
        "accuracy": {name: accuracy(net, split) for name, split in splits.items()},
    })


def distorted(images: np.ndarray, recipe: Recipe, seed: int) -> torch.Tensor:
    """The copies that training shows, read: (copies, frames, pixels)."""
    generator = torch.Generator().manual_seed(seed)
    copies = torch.empty(recipe.copies, len(images), len(recipe.indices), dtype=torch.uint8)
    for copy in copies:
        for frames in torch.arange(len(images)).split(512):   # small enough for the cache
            copy[frames] = recipe.read(distort(torch.from_numpy(images[frames]), generator))
    return copies

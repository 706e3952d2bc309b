"""The recipe of ``mnist-bnn``: a binary network for handwritten digits that fits a small FPGA.

The digit's 20 × 20 box, one threshold on the grey values, two hidden layers: 400-240-96-10, all
weights and activations −1 or +1, batch norm between (Courbariaux et al. 2016). Distillation from a
convolutional network (Hinton et al. 2015), thermometer codes and learned thresholds per pixel
gained nothing measurable at this size.
"""
from sw.train.mnist import Recipe, box
from sw.train.ste import BinaryLinear, Signs

RECIPE = Recipe(
    name="mnist-bnn", crop="box", indices=box(4, 24), grey=(72,), pixels=Signs(),
    hidden=(240, 96), linear=BinaryLinear, activation=Signs(), rate=0.04, epochs=110, runs=2)

"""The recipe of ``mnist-twn``: ternary weights and activations of two bits for handwritten digits.

Every second pixel of the digit's 20 × 20 box, as on a chessboard, at four levels of grey, and two
hidden layers: 200-192-64-10. Weights are −1, 0 and +1 (Li et al. 2016, Ternary Weight Networks),
activations 0 … 3 (Zhou et al. 2016, DoReFa-Net). Half the pixels and a wider first layer were as
accurate as all pixels and a narrower one with as many weights, and keep less of a frame.
"""
from sw.train.mnist import Recipe, checkered
from sw.train.ste import Levels, TernaryLinear

RECIPE = Recipe(
    name="mnist-twn", crop="checkered", indices=checkered(4, 24), grey=(64, 128, 192),
    pixels=Levels(2), hidden=(192, 64), linear=TernaryLinear, activation=Levels(2), rate=0.04,
    epochs=200, runs=2)

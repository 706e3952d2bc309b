"""The recipe of ``mnist-shiftcnn``: weights of two powers of two for handwritten digits.

Every second pixel of the digit's 20 × 20 box, as on a chessboard, at 16 levels of grey, and two
hidden layers: 200-64-48-10. Each weight is the sum of two powers of two of three bits (Gudovskiy,
Rigazio 2017, ShiftCNN), not rounded after training but trained so; activations are 0 … 15 (Zhou et
al. 2016, DoReFa-Net). Powers of four bits for a quarter fewer weights, which takes as much memory,
and every second row and column of the image instead of the chessboard gained nothing.
"""
from sw.train.mnist import Recipe, checkered
from sw.train.ste import Levels, ShiftLinear

RECIPE = Recipe(
    name="mnist-shiftcnn", crop="checkered", indices=checkered(4, 24),
    grey=tuple(range(9, 255, 17)), pixels=Levels(4), hidden=(64, 48), linear=ShiftLinear,
    activation=Levels(4), rate=0.02, epochs=200, runs=2)

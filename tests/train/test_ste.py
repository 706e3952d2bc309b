"""The straight-through estimator: integers forwards, smooth functions backwards."""
import numpy as np
import pytest
import torch

from sw.batch_norm import BatchNorm
from sw.element import Bipolar, UInt
from sw.train.ste import BinaryLinear, Levels, Round, ShiftLinear, Sign, Signs, TernaryLinear


def test_sign_forward_and_backward():
    x = torch.tensor([-2.0, -0.0, 0.0, 0.5], requires_grad=True)
    y = Sign.apply(x)
    y.backward(torch.tensor([1.0, 1.0, 2.0, 1.0]))
    assert y.tolist() == [-1, 1, 1, 1]
    torch.testing.assert_close(x.grad, torch.tensor([1.0, 1.0, 2.0, 1.0])
                               * (1 - torch.tanh(torch.tensor([-2.0, 0.0, 0.0, 0.5])) ** 2))


def test_round_forward_and_backward():
    values = [-9.0, 0.5, 0.51, 1.5, 2.5, 2.51, 9.0]
    x = torch.tensor(values, requires_grad=True)
    y = Round.apply(x, 3)
    y.backward(torch.tensor([1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]))
    assert y.tolist() == [0, 0, 1, 2, 2, 3, 3]
    torch.testing.assert_close(x.grad, torch.tensor([1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0])
                               * (1 - torch.tanh(torch.tensor(values) / 1.5 - 1) ** 2))
    assert x.grad[3] == 2


def test_activations_give_what_their_codes_stand_for():
    codes = torch.tensor([0, 1], dtype=torch.uint8)
    assert Signs().values(codes).tolist() == [-1, 1] and Signs().element == Bipolar()
    codes = torch.arange(16, dtype=torch.uint8)
    assert Levels(4).values(codes).tolist() == codes.tolist() and Levels(4).element == UInt(4)


@pytest.mark.parametrize("activation", [Signs(), Levels(1), Levels(2), Levels(4)])
def test_codes_of_batch_norm_are_the_activations_at_ties_too(activation):
    # Batch norm gives x / 2 − 1, so that half of all sums are ties.
    norm = BatchNorm(np.ones(1), np.zeros(1), np.full(1, 2.0), np.full(1, 4.0), 0.0)
    x = np.arange(-20, 60)[:, None]
    codes = torch.from_numpy(activation.codes(norm, x).astype(np.uint8))
    expected = activation(torch.from_numpy(x / 2 - 1))
    assert activation.values(codes).tolist() == expected.tolist()
    assert set(codes.unique().tolist()) == set(range(activation.steps + 1))


def test_binary_linear_forward_and_backward():
    layer = BinaryLinear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.2, -0.1, 0.0], [-1.5, 0.3, 2.0]]))
    x = torch.tensor([[1.0, -1.0, 1.0]], requires_grad=True)
    y = layer(x)
    y.backward(torch.tensor([[1.0, 10.0]]))
    assert y.tolist() == [[3, -1]]
    assert layer.weight.grad.tolist() == [[1, -1, 1], [10, -10, 10]]   # as if w, not its sign
    assert x.grad.tolist() == [[-9, 9, 11]]                            # through the signs
    layer.clip()
    assert layer.weight.min() == -1 and layer.weight.max() == 1
    assert layer.planes()[0].codes.tolist() == [[1, -1, 1], [-1, 1, 1]]


def test_ternary_linear_forward_and_backward():
    layer = TernaryLinear(4, 1)
    with torch.no_grad():        # the threshold is 0.7 · 1
        layer.weight.copy_(torch.tensor([[0.75, -2.0, 0.65, -0.6]]))
    x = torch.tensor([[1.0, 2.0, 4.0, 8.0]], requires_grad=True)
    y = layer(x)
    y.backward(torch.tensor([[1.0]]))
    assert y.tolist() == [[-1]]
    assert layer.weight.grad.tolist() == [[1, 2, 4, 8]] and x.grad.tolist() == [[1, -1, 0, 0]]


def test_shift_linear_forward_and_backward():
    layer = ShiftLinear(8, 1)
    with torch.no_grad():        # the unit is 0.25; 1.5 units of the second power become one
        layer.weight.copy_(torch.tensor([[2.0, -1.75, 1.5, 0.875, -0.75, 0.375, 0.2, 0.0]]))
    x = torch.eye(8, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.ravel().tolist() == [8, -7, 6, 4, -3, 1, 1, 0]
    assert layer.weight.grad.tolist() == [[1.0] * 8]


@pytest.mark.parametrize("linear", [BinaryLinear, TernaryLinear, ShiftLinear])
@pytest.mark.parametrize("grid", [0, 8, 16, 64])
def test_integers_are_those_of_the_scheme(linear, grid):
    torch.manual_seed(grid)
    layer = linear(37, 29, spread=1)
    with torch.no_grad():
        if grid:                 # ties
            layer.weight.mul_(grid).round_().div_(grid)
        integers = layer.integers(layer.weight)
    planes = layer.planes()
    assert sum(plane.values() for plane in planes).tolist() == integers.tolist()
    assert integers.abs().max() == linear.largest
    assert len(planes) == (2 if linear is ShiftLinear else 1)


def test_ternary_zeros_stay_zero():
    assert not TernaryLinear.integers(torch.zeros(2, 3)).any()

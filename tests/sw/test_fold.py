from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw import fold, golden


def check_on_every_value(function, lo, hi, steps):
    """Fold ``function`` and compare each channel on each value of its range; return the fold."""
    lo, hi = np.array(lo), np.array(hi)
    thresholds, flip = fold.thresholds(function, lo, hi, steps)
    assert thresholds.shape == (len(lo), steps)
    assert (np.diff(thresholds, axis=1) >= 0).all()
    assert (thresholds >= lo[:, None]).all() and (thresholds <= hi[:, None] + 1).all()
    for x in range(int(lo.min()), int(hi.max()) + 1):
        frame = np.clip(x, lo, hi)[None]
        np.testing.assert_array_equal(golden.threshold(frame, thresholds, flip), function(frame))
    return thresholds, flip


def at_least_zero(x, gamma, beta, mean, variance, epsilon):
    """Batch norm's sign for one integer: u + w·√s >= 0 ⇔ u·|u| >= −w·|w|·s, in fractions."""
    gamma, beta, mean, variance, epsilon = map(Fraction, (gamma, beta, mean, variance, epsilon))
    u, s = gamma * (x - mean), variance + epsilon
    return u * abs(u) >= -beta * abs(beta) * s


def check_batch_norm(x, norm, epsilon):
    """Compare with fractions on the integers ``x`` for the batch norms in the rows of ``norm``."""
    norm = np.array(norm, np.float64)
    gamma, beta, mean, variance = norm.T
    found = fold.batch_norm_sign(np.repeat(np.array(x)[:, None], len(norm), axis=1), gamma=gamma,
                                 beta=beta, mean=mean, variance=variance, epsilon=epsilon)
    exact = [[at_least_zero(value, *row, epsilon) for row in norm.tolist()] for value in x]
    assert found.tolist() == exact
    return found


@pytest.mark.parametrize("gamma", [1.5, 0.001, -1.5, -0.001, 0.0])
@pytest.mark.parametrize("seed", range(3))
def test_thresholds_equal_batch_norm_on_every_value(gamma, seed):
    rng = np.random.default_rng(seed)
    channels = 40
    lo = rng.integers(-60, 0, channels)
    norm = dict(gamma=np.full(channels, gamma), beta=rng.normal(size=channels),
                mean=rng.normal(0, 20, channels), variance=rng.gamma(2, 50, channels),
                epsilon=1e-5)
    if gamma == 0:
        norm["beta"][:3] = 0, 1, -1
    check_on_every_value(lambda x: fold.batch_norm_sign(x, **norm), lo,
                         lo + rng.integers(0, 99, channels), 1)


@pytest.mark.parametrize("steps", [1, 3, 7])
@pytest.mark.parametrize("rounding", [np.rint, np.floor, lambda x: np.ceil(x - 0.5)])
def test_thresholds_equal_a_quantizer_of_several_steps_on_every_value(steps, rounding):
    rng = np.random.default_rng(steps)
    slope = np.concatenate([rng.normal(0, 0.2, 20), [0.5, -0.5, 0.25, -0.25, 0, 0]])
    offset = np.concatenate([rng.normal(steps / 2, 1, 20), [0, 0, 0.5, 0.5, 1, -1]])
    lo = rng.integers(-40, 1, len(slope))

    def quantizer(x):
        return np.clip(rounding(slope * x + offset), 0, steps).astype(np.int64)

    check_on_every_value(quantizer, lo, lo + rng.integers(0, 80, len(slope)), steps)


@given(st.data())
def test_thresholds_are_found_again(data):
    lo = data.draw(st.lists(st.integers(-20, 20), min_size=1, max_size=4))
    hi = [low + data.draw(st.integers(0, 20)) for low in lo]
    steps = data.draw(st.integers(1, 4))
    thresholds = np.array([sorted(data.draw(st.lists(
        st.integers(low, high + 1), min_size=steps, max_size=steps)))
        for low, high in zip(lo, hi, strict=True)])
    flip = np.array(data.draw(st.lists(st.booleans(), min_size=len(lo), max_size=len(lo))))
    found, found_flip = check_on_every_value(
        lambda x: golden.threshold(x, thresholds, flip), lo, hi, steps)
    low, high = np.array(lo)[:, None], np.array(hi)[:, None]
    changes = ((thresholds > low) & (thresholds <= high)).any(axis=1)
    assert found_flip.tolist() == (flip & changes).tolist()      # a constant has no slope
    np.testing.assert_array_equal(found[found_flip == flip], thresholds[found_flip == flip])


def test_thresholds_asks_only_for_values_in_range():
    asked = [set(), set()]

    def function(x):
        for seen, column in zip(asked, x.T, strict=True):
            seen |= set(column.tolist())
        return x >= 0

    thresholds, flip = fold.thresholds(function, np.array([-3, 2]), np.array([1, 2]), 1)
    assert asked == [{-3, -2, -1, 0, 1}, {2}]
    assert (thresholds.tolist(), flip.tolist()) == ([[0], [2]], [False, False])


def test_thresholds_of_constants_are_the_ends():
    thresholds, flip = fold.thresholds(lambda x: np.broadcast_to([0, 1, 2], x.shape),
                                       np.array([-5, -5, -5]), np.array([5, 6, 7]), 2)
    assert (thresholds.tolist(), flip.tolist()) == ([[6, 6], [-5, 7], [-5, -5]], [False] * 3)


@pytest.mark.parametrize("table, channel", [
    ([[0, 0], [1, 1], [1, 0]], 1), ([[1, 0], [0, 1], [1, 2]], 0), ([[2, 0], [0, 2], [1, 1]], 0)])
def test_what_is_not_monotone_is_refused(table, channel):
    with pytest.raises(ValueError,
                       match=rf"^channel {channel} is not monotone in its accumulator$"):
        fold.thresholds(lambda x: np.array(table), np.array([0, 0]), np.array([2, 2]), 2)


@pytest.mark.parametrize("codes", [
    [[0, 0], [0, 3]], [[0, -1], [0, 0]], [[0, 0]], [0, 0, 0, 0]])
def test_codes_out_of_range_or_shape_are_refused(codes):
    with pytest.raises(ValueError, match=r"^a folded function must give codes 0 to 2 of shape "
                                         r"\(2, 2\)$"):
        fold.thresholds(lambda x: np.array(codes), np.array([0, 0]), np.array([1, 1]), 2)


@pytest.mark.parametrize("gamma, beta, mean, variance, epsilon, first, last", [
    (1.5, 0.75, 20, 676, 0, 7, None),       # −0.75 · 26 / 1.5 + 20 = 7, an exact tie
    (1.5, 0.75, 20, 675.75, 0.25, 7, None),
    (1.5, 0.75, 20, 676, 2.0 ** -40, 7, None),       # a hair wider: 7 is now inside
    (1.5, -0.75, 20, 676, 0, 33, None),
    (1.5, -0.75, 20, 676, 2.0 ** -40, 34, None),     # a hair wider: 33 is now outside
    (-1.5, 0.75, 20, 676, 0, None, 33),
    (-1.5, -0.75, 20, 676, 0, None, 7),
    (-1.5, -0.75, 20, 676, 2.0 ** -40, None, 6),
    (1.5, 0, 20, 676, 1e-5, 20, None),      # sign(0) = +1
    (-1.5, 0, 20, 676, 1e-5, None, 20),
    (0, 0, 20, 676, 1e-5, -99, 99),
    (0, -0.0, 20, 676, 1e-5, -99, 99),
    (0, 2.0 ** -60, 20, 676, 1e-5, -99, 99),
    (0, -2.0 ** -60, 20, 676, 1e-5, 99, -99),
    (1, -1, 0, 0, 0, 0, None),              # no variance: a step at the mean
])
def test_batch_norm_sign_at_ties(gamma, beta, mean, variance, epsilon, first, last):
    x = list(range(-99, 100))
    found = check_batch_norm(x, [[gamma, beta, mean, variance]], epsilon)[:, 0]
    first, last = (-99 if first is None else first), (99 if last is None else last)
    assert [value for value, sign in zip(x, found, strict=True) if sign] == list(
        range(first, last + 1))


@pytest.mark.parametrize("epsilon", [0, 1e-5, 1e-3])
def test_batch_norm_sign_is_exact(epsilon):
    rng = np.random.default_rng(0)
    norm = np.stack([rng.normal(size=60), rng.normal(size=60), rng.normal(0, 9, 60),
                     rng.gamma(2, 20, 60)], axis=1)
    norm = np.concatenate([norm, norm.astype(np.float32), norm.round(1)])
    check_batch_norm(range(-30, 31), norm, epsilon)


def test_batch_norm_sign_is_exact_where_floats_cannot_tell():
    """The offset is the number nearest to a tie at ``tie``: its rounding decides."""
    rng = np.random.default_rng(1)
    tie, variance = rng.integers(-40, 41, 300), rng.integers(2, 2000, 300)
    gamma = np.where(rng.random(300) < 0.5, 1.0, -1.0) * rng.gamma(1, 1, 300)
    mean = rng.normal(0, 9, 300)
    beta = -gamma * (tie - mean) / np.sqrt(variance)
    norm = np.stack([gamma, beta, mean, variance], axis=1)
    decided = [bool(check_batch_norm([value], [row], 0)[0, 0])
               for value, row in zip(tie.tolist(), norm, strict=True)]
    assert {True, False} == set(decided)


DYADIC = st.integers(-2 ** 12, 2 ** 12).map(lambda n: n / 64)


@given(st.lists(st.tuples(DYADIC, DYADIC, DYADIC, DYADIC.map(abs)), min_size=1, max_size=3),
       st.sampled_from([0, 1 / 64, 1e-5]))
def test_batch_norm_sign_equals_fractions(norm, epsilon):
    check_batch_norm([-100, -7, -1, 0, 1, 7, 100], norm, epsilon)

"""Digits of integers: how constant factors become shifts and sums."""
import numpy as np


def signed_digits(value):
    """(place, digit) of the canonical signed digits of ``value``: −1 or 1, Σ digit · 2^place.

    No other sum of powers of two and their negatives is shorter (Reitwiesner 1960).
    """
    digits = []
    place = 0
    while value:
        if value % 2:
            digit = 2 - value % 4
            digits.append((place, digit))
            value -= digit
        value //= 2
        place += 1
    return digits


def radix_4(values):
    """(place, digits) of all of ``values``, with Σ digits · 2^place = values, places even.

    The digits, arrays like ``values``, are −1, 0, 1 and 2: the remainders of a division by 4 but
    for −1, so that every integer has them, in one way.
    """
    left, place = np.array(values, object), 0
    digits = []
    while left.any():
        digit = (left + 1) % 4 - 1
        digits.append((place, digit))
        left = (left - digit) // 4
        place += 2
    return digits

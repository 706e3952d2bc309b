import numpy as np
import pytest

from boards.receiver import Completer
from sim.pysim import run


@pytest.mark.parametrize("elements", [1, 2, 5, 8])
@pytest.mark.parametrize("longest_pause", [0, 1, 4])
def test_completer_gives_whole_frames(elements, longest_pause):
    """Frames of every length up to a whole one, of random bytes."""
    rng = np.random.default_rng(elements)
    pieces, expected = [], []
    for length in rng.permutation(np.repeat(np.arange(elements + 1), 4)):
        frame = rng.integers(1, 256, length).tolist()
        pieces += [{"data": byte, "cut": 0} for byte in frame]
        if length < elements:
            pieces += [{"data": int(rng.integers(1, 256)), "cut": 1}]
        expected += frame + [0] * (elements - length)
    given = run(Completer(elements=elements), pieces, len(expected),
                pause=lambda: int(rng.integers(longest_pause + 1)))
    assert [byte[0] for byte in given] == expected

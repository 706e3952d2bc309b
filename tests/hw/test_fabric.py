import pytest

from hw.fabric import ECP5, ICE40


@pytest.mark.parametrize("fabric, bits, width", [(ICE40, 4096, 16), (ECP5, 18 * 1024, 36)])
def test_a_block_ram_has_its_bits_at_its_widest(fabric, bits, width):
    assert (fabric.block_bits, fabric.block_width) == (bits, width)
    words, width = zip(*fabric.block_shapes, strict=True)
    assert list(words) == sorted(words) and list(width) == sorted(width, reverse=True)


@pytest.mark.parametrize("fabric, depths", [
    (ICE40, {1: 16, 256: 16, 257: 8, 512: 8, 1024: 4, 1025: 2, 9000: 2}),
    (ECP5, {1: 36, 512: 36, 513: 18, 1025: 9, 2049: 4, 8192: 2, 8193: 1, 99999: 1}),
])
def test_deeper_memories_are_cut_narrower(fabric, depths):
    assert {depth: fabric.slice_bits(depth) for depth in depths} == depths


def test_a_faster_clock_leaves_time_for_fewer_adders():
    assert [ICE40.adders_per_stage(mhz) for mhz in (12, 40.5, 50, 61, 200)] == [3, 3, 2, 1, 1]
    assert [ECP5.adders_per_stage(mhz) for mhz in (80, 112, 113, 300)] == [4, 4, 2, 1]

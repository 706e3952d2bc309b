"""Payloads of streams as text: a transfer a line, in hexadecimal, element 0 in the low bits.

This is how ``player.v``, ``recorder.v`` and the cocotb benches read and write them.
"""
import numpy as np


def pack(values, bits: int) -> str:
    """The lines of integers (transfers, lanes), each of ``bits`` bits, two's complement if < 0."""
    values = np.asarray(values, np.int64)
    low, high = values.min(initial=0), values.max(initial=0)
    if low < -(1 << bits - 1) or high >= 1 << bits:
        raise ValueError(f"Elements of {bits} bits do not hold {low} … {high}")
    transfers, lanes = values.shape
    size = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    octets = values.astype(f"<i{size}").view(np.uint8).reshape(transfers, lanes, size)
    ones = np.unpackbits(octets, axis=2, count=bits, bitorder="little")
    words = np.packbits(ones.reshape(transfers, lanes * bits), axis=1, bitorder="little")
    if not words.size:
        return ""
    return words[:, ::-1].tobytes().hex("\n", words.shape[1]) + "\n"


def unpack(text: str, *, lanes: int, bits: int, signed: bool) -> np.ndarray:
    """The integers (transfers, lanes) that :func:`pack` packed."""
    octets = -(-lanes * bits // 8)
    words = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, octets)[:, ::-1]
    ones = np.unpackbits(words, axis=1, count=lanes * bits, bitorder="little")
    ones = ones.reshape(len(words), lanes, bits)
    values = np.zeros(ones.shape[:2], np.int64)
    for k in range(bits):
        values |= ones[:, :, k].astype(np.int64) << k
    if signed:
        values -= (values >> bits - 1) << bits
    return values

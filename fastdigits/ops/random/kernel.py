"""Random numbers, one at a time, with 64-bit integers and without lanes."""

from numpy import float32, uint64

LOW = uint64(0xFFFFFFFF)
SHIFT_8, SHIFT_32 = uint64(8), uint64(32)
MULTIPLY_0, MULTIPLY_2 = uint64(0xD2511F53), uint64(0xCD9E8D57)
STEP_0, STEP_1 = uint64(0x9E3779B9), uint64(0xBB67AE85)


def philox(element, step, stream, seed):
    """Return the four words of Philox4x32-10 for the counter (element, step, stream, 0)."""
    c0, c1, c2, c3 = uint64(element), uint64(step), uint64(stream), uint64(0)
    k0, k1 = seed & LOW, seed >> SHIFT_32
    for _ in range(10):
        p0, p2 = c0 * MULTIPLY_0, c2 * MULTIPLY_2
        c0, c1, c2, c3 = (p2 >> SHIFT_32) ^ c1 ^ k0, p2 & LOW, (p0 >> SHIFT_32) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + STEP_0) & LOW, (k1 + STEP_1) & LOW
    return c0, c1, c2, c3


def uniform(element, step, stream, seed):
    """Return a number in [0, 1) with 24 random bits."""
    return fraction(philox(element, step, stream, seed)[0])


def fraction(word):
    """Return the top 24 bits of a word as a number in [0, 1)."""
    return float32(word >> SHIFT_8) * float32(2**-24)


def mask_element(seed, stream, step, threshold, mask, b, k, l):
    """Fill mask[b, k, l]: 1 if the top 24 bits of its word are at least `threshold`."""
    B, K, L = mask.shape
    mask[b, k, l] = philox((b * L + l) * K + k, step, stream, seed)[0] >> SHIFT_8 >= threshold

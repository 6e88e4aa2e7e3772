"""Random numbers on the CPU, several at a time."""

from fastdigits.ops.random.kernel import fraction, mask_element, philox


def draw(values, element, step, stream, seed):
    """Fill values (n,) with numbers in [0, 1): values[e] is word e % 4 for (element, step, stream + e // 4)."""
    for start in range(0, len(values), 4):
        words = philox(element, step, stream + start // 4, seed)
        for w in range(min(4, len(values) - start)):
            values[start + w] = fraction(words[w])


def mask_row(seed, stream, step, threshold, mask, b, k):
    """Fill mask[b, k], element k of all images of block b, with threshold = ceil(rate 2^24)."""
    B, K, L = mask.shape
    for l in range(L):
        mask_element(seed, stream, step, threshold, mask, b, k, l)

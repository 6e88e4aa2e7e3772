"""Counter-based random numbers: functions of seed, stream, step and element, which are equal on every device.

random_uniform: uniform numbers from Philox    random_permutation: the order of the images in an epoch
random_mask: the elements of a batch that dropout keeps
"""

from math import ceil

OPS = ("random_uniform", "random_permutation", "random_mask")


def mask_threshold(rate: float) -> int:
    """Return the smallest n with n / 2^24 >= rate: an element is kept if its 24 random bits reach n."""
    return ceil(rate * 2**24)

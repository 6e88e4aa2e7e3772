"""One block of a batch, written once for every device."""

from fastdigits.ops.lanes import fma, gather, lane_numbers, select, splat, store


def gather_block(images, labels, order, start, count, scale, shift, x, targets, b):
    """gather_batch for block b."""
    B, K, L = x.shape
    first, last = start + b * L, start + count - 1
    for k in range(K):
        store(x, (b, k), fma(gather(images, order, first, last, k, L), splat(scale), splat(shift)))
    filled = splat(count - b * L) > lane_numbers(L)
    store(targets, (b,), select(filled, gather(labels, order, first, last, 0, L), splat(-1.0)))

"""Batches on the CPU: each core fills whole blocks of images."""

import numpy as np
from numba import prange

from fastdigits.ops.batch import KNOTS, NUMBERS, cpu_kernel, kernel
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.vector_unit import LANES

_gather_block = bind(cpu_kernel.gather_block, cpu)
_gather_labels = bind(kernel.gather_labels, cpu)
_augment_image = bind(cpu_kernel.augment_image, cpu)
_pack_images = bind(cpu_kernel.pack_images, cpu)
_fill_splines = bind(kernel.fill_splines, cpu)


@cpu.parallel
def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """See reference.gather_batch. Each core fills whole blocks."""
    for b in prange(x.shape[0]):
        _gather_block(images, labels, order, start[0], count, scale, shift, x, targets, np.int64(b), LANES)


def augment_batch(images, labels, order, start, count, scale, shift, seed, epoch, effects, x, targets):
    """See reference.augment_batch. Each core fills whole blocks, one image at a time."""
    _augment_batch(images, labels, order, start, count, scale, shift, np.uint64(seed), epoch, effects, x, targets)


@cpu.parallel
def _augment_batch(images, labels, order, start, count, scale, shift, seed, epoch, effects, x, targets):
    B, K, L = x.shape
    N, H, W = images.shape
    splines = np.empty((KNOTS, H), np.float32), np.empty((KNOTS, W), np.float32)
    _fill_splines(splines[0])
    _fill_splines(splines[1])
    for b in prange(B):
        scratch = (
            np.empty(NUMBERS),
            np.empty(256, np.float32),
            np.empty((H + 3) * (W + 3), np.float32),
            np.empty(2 * KNOTS**2, np.float32),
            np.empty(2 * KNOTS, np.float32),
            np.empty((K + 1) // 2 * 2, np.float32),
        )
        pictures = np.empty((LANES, K), np.float32)
        for l in range(LANES):
            row = order[start[0] + min(b * LANES + l, count - 1)]
            _augment_image(images, row, seed, epoch[0], effects, splines, scratch, pictures, l, LANES)
        _pack_images(pictures, scale, shift, x, np.int64(b), LANES)
        _gather_labels(labels, order, start[0], count, targets, np.int64(b))

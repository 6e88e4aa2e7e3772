"""Batches on a GPU: a warp gathers one pixel of a block of images; a block of warps augments one image."""

from functools import cache

import numpy as np
from numba import cuda, float32

from fastdigits.ops.batch import DISPLACEMENTS, KNOTS, NOISE, NUMBERS, PARAMETERS
from fastdigits.ops.batch.cuda_kernel import affine, bilinear, displacement, normal, number, random_integer, signed
from fastdigits.ops.batch.kernel import brightness, fill_splines, gather_labels, gather_pixel
from fastdigits.ops.cuda.device import on_stream
from fastdigits.ops.cuda.launch import LANES, WARPS, blocks, kernel, warp_number
from fastdigits.ops.lanes import fma, splat
from fastdigits.ops.lanes.math import exp

IMAGE_WARPS = 2 * WARPS  # warps that augment an image
THREADS = IMAGE_WARPS * LANES
BENDS = 2 * KNOTS**2  # spline coefficients of a displacement field


def _each_pixel(images, labels, order, start, count, scale, shift, x, targets):
    """Return the grid with a warp for each pixel of each block of images."""
    B, K, L = x.shape
    return blocks(K), B


@kernel(_each_pixel)
def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """See reference.gather_batch. Each warp computes a pixel of an image block."""
    k, b = warp_number(), cuda.blockIdx.y
    if k < x.shape[1]:
        gather_pixel(images, order, start[0], count, scale, shift, x, b, k)
    if k == 0:
        gather_labels(labels, order, start[0], count, targets, b)


def augment_batch(images, labels, order, start, count, scale, shift, seed, epoch, effects, x, targets):
    """See reference.augment_batch. Each block of warps computes an image, each thread every 256th pixel."""
    H, W = images.shape[1:]
    chosen = images, labels, order, start, count, scale, shift, np.uint64(seed), epoch
    _augment(*chosen, _splines(H), _splines(W), *effects, x, targets)


@cache
def _splines(size):
    """Return the table of fill_splines for `size` pixels, on the device."""
    values = np.empty((KNOTS, size), np.float32)
    fill_splines(values)
    return on_stream().asarray(values)


@kernel(lambda images, *others: (others[-1].size,), IMAGE_WARPS)
def _augment(
    images, labels, order, start, count, scale, shift, seed, epoch, row_splines, column_splines, shift_px, rotate_deg,
    rescale, shear_deg, elastic_px, contrast, gamma, noise, erase_px, x, targets,
):  # fmt: skip
    N, H, W = images.shape
    n, t = cuda.blockIdx.x, cuda.threadIdx.y * LANES + cuda.threadIdx.x
    b, l, row = n // LANES, n % LANES, order[start[0] + min(n, count - 1)]
    numbers = cuda.shared.array(NUMBERS, float32)
    bends = cuda.shared.array(BENDS, float32)
    levels = cuda.shared.array(256, float32)
    for e in range(t, NUMBERS, THREADS):
        numbers[e] = number(e, row, epoch[0], PARAMETERS, seed)
    for e in range(t, BENDS, THREADS):
        bends[e] = splat(2.0) * elastic_px * normal(e, KNOTS**2, row, epoch[0], DISPLACEMENTS, seed)
    cuda.syncthreads()
    for p in range(t, 256, THREADS):
        levels[p] = p
        if contrast > splat(0.0) or gamma > splat(0.0):
            factor = exp(contrast * signed(numbers[6]))
            offset = splat(0.5) - splat(0.5) * factor
            levels[p] = brightness(splat(p), factor * splat(1 / 255), offset, exp(gamma * signed(numbers[7])))
    cuda.syncthreads()
    u0, ui, uj, v0, vi, vj = affine(numbers, shift_px, rotate_deg, rescale, shear_deg, H, W)
    side = min(random_integer(numbers[8], erase_px + 1), H, W)
    top, left = random_integer(numbers[9], H - side + 1), random_integer(numbers[10], W - side + 1)
    for k in range(t, H * W, THREADS):
        i, j = k // W, k % W
        down, right = splat(i) - splat((H - 1) / 2), splat(j) - splat((W - 1) / 2)
        u, v = fma(right, uj, fma(down, ui, u0)), fma(right, vj, fma(down, vi, v0))
        if elastic_px > splat(0.0):
            u += displacement(bends, 0, row_splines, column_splines, i, j)
            v += displacement(bends, 1, row_splines, column_splines, i, j)
        value = bilinear(images, levels, row, u, v)
        if noise > splat(0.0):
            value = fma(normal(k, (H * W + 1) // 2, row, epoch[0], NOISE, seed), noise * splat(255.0), value)
        if top <= i < top + side and left <= j < left + side:
            value = splat(0.0)
        x[b, k, l] = fma(value, scale, shift)
    if t == 0:
        targets[b, l] = splat(labels[row, 0]) if n < count else splat(-1.0)

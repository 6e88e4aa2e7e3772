"""Which warp gathers which pixels, and which block of warps changes which image."""

from functools import cache

import numpy as np
from numba import cuda, float32

from fastdigits.ops.batch import DISPLACEMENTS, KNOTS, NOISE, NUMBERS, PARAMETERS
from fastdigits.ops.batch.kernel import fill_splines, gather_labels, gather_pixel
from fastdigits.ops.cuda.device import arrays
from fastdigits.ops.cuda.launch import LANES, WARPS, blocks, kernel, warp_number
from fastdigits.ops.lanes import floor, fma, maximum, select, splat, sqrt
from fastdigits.ops.lanes.math import exp, log, sine_of_turns
from fastdigits.ops.random.kernel import fraction, philox

IMAGE_WARPS = 2 * WARPS  # that change an image
THREADS = IMAGE_WARPS * LANES
BENDS = 2 * KNOTS**2  # numbers of a displacement


def _each_pixel(images, labels, order, start, count, scale, shift, x, targets):
    """The grid with a warp for each pixel of each block of images."""
    B, K, L = x.shape
    return blocks(K), B


@kernel(_each_pixel)
def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """See reference.gather_batch. A warp owns a pixel of an image block."""
    k, b = warp_number(), cuda.blockIdx.y
    if k < x.shape[1]:
        gather_pixel(images, order, start[0], count, scale, shift, x, b, k)
    if k == 0:
        gather_labels(labels, order, start[0], count, targets, b)


def augment_batch(images, labels, order, start, count, scale, shift, seed, epoch, effects, x, targets):
    """See reference.augment_batch. A block of warps owns an image, a thread some of its pixels."""
    H, W = images.shape[1:]
    chosen = images, labels, order, start, count, scale, shift, np.uint64(seed), epoch
    _augment(*chosen, _splines(H), _splines(W), *effects, x, targets)


@cache
def _splines(size):
    """fill_splines' table for so many pixels."""
    values = np.empty((KNOTS, size), np.float32)
    fill_splines(values)
    return arrays().asarray(values)


def number(e, row, epoch, stream, seed):
    """Number e of random.kernel.draw."""
    words = philox(row, epoch, stream + e // 4, seed)
    w = e % 4
    return fraction(words[0] if w == 0 else words[1] if w == 1 else words[2] if w == 2 else words[3])


def normal(e, half, row, epoch, stream, seed):
    """Normal number e of batch.kernel._fill_normal, of 2 half."""
    pair = e % half
    radius = sqrt(splat(-2.0) * log(splat(1.0) - number(pair, row, epoch, stream, seed)))
    turns = number(half + pair, row, epoch, stream, seed)
    return radius * sine_of_turns(turns + splat(0.25) if e < half else turns)


def signed(number):
    """A number in [0, 1) as one in [-1, 1)."""
    return splat(2.0) * number - splat(1.0)


def brightness(level, contrast, gamma):
    """The brightness, 0 .. 255, that a pixel 0 .. 255 gets by a factor and an exponent."""
    value = fma(splat(level), contrast * splat(1 / 255), splat(0.5) - splat(0.5) * contrast)
    value = select(value > splat(1.0), splat(1.0), value)
    return select(value > splat(0.0), exp(log(maximum(value, splat(1e-30))) * gamma) * splat(255.0), splat(0.0))


def bilinear(images, levels, row, u, v):
    """The brightness of an image between its pixels; around it they are like black ones."""
    N, H, W = images.shape
    u, v = maximum(splat(-1.0), u), maximum(splat(-1.0), v)
    u, v = select(u > splat(H), splat(H), u), select(v > splat(W), splat(W), v)
    i, j = int(floor(u)), int(floor(v))
    right, down = v - splat(j), u - splat(i)
    left = pixel(images, levels, row, i, j)
    upper = fma(right, pixel(images, levels, row, i, j + 1) - left, left)
    left = pixel(images, levels, row, i + 1, j)
    lower = fma(right, pixel(images, levels, row, i + 1, j + 1) - left, left)
    return fma(down, lower - upper, upper)


def pixel(images, levels, row, i, j):
    """The brightness of a pixel, which may lie outside."""
    N, H, W = images.shape
    return levels[images[row, i, j]] if 0 <= i < H and 0 <= j < W else levels[0]


def whole(number, choices):
    """floor(number * choices) for a number of 24 bits in [0, 1); float32 might round it up."""
    return int(number * splat(2.0**24)) * choices >> 24


def affine(numbers, shift_px, rotate_deg, rescale, shear_deg, H, W):
    """As batch.kernel._affine has it."""
    turns, slope = rotate_deg * signed(numbers[2]) * splat(1 / 360), shear_deg * signed(numbers[5]) * splat(1 / 360)
    cos, sin = sine_of_turns(turns + splat(0.25)), sine_of_turns(turns)
    slant = sine_of_turns(slope) / sine_of_turns(slope + splat(0.25))
    rows, columns = splat(1.0) + rescale * signed(numbers[3]), splat(1.0) + rescale * signed(numbers[4])
    u0 = splat((H - 1) / 2) - shift_px * signed(numbers[0])
    v0 = splat((W - 1) / 2) - shift_px * signed(numbers[1])
    return u0, cos / rows + sin * slant, sin / columns, v0, cos * slant - sin / rows, cos / columns


def displacement(bends, d, row_splines, column_splines, i, j):
    """How far pixel i, j is displaced down (d = 0) or right (1)."""
    total = splat(0.0)
    for a in range(KNOTS):
        of_row = splat(0.0)
        for c in range(KNOTS):
            of_row = fma(bends[(2 * a + d) * KNOTS + c], column_splines[c, j], of_row)
        total = fma(row_splines[a, i], of_row, total)
    return total


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
            levels[p] = brightness(p, exp(contrast * signed(numbers[6])), exp(gamma * signed(numbers[7])))
    cuda.syncthreads()
    u0, ui, uj, v0, vi, vj = affine(numbers, shift_px, rotate_deg, rescale, shear_deg, H, W)
    side = min(whole(numbers[8], erase_px + 1), H, W)
    top, left = whole(numbers[9], H - side + 1), whole(numbers[10], W - side + 1)
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

"""One block of a batch on the CPU.

While an image is augmented, the lanes are columns of the image. `pack_images` then puts L images side by side.
"""

import math

from fastdigits.ops.batch import DISPLACEMENTS, KNOTS, NOISE, PARAMETERS
from fastdigits.ops.batch.kernel import brightness, clamp, gather_labels, gather_pixel, interpolate, normal_radius
from fastdigits.ops.lanes import (
    broadcast,
    floor,
    fma,
    lane_numbers,
    load_row,
    load_span,
    lookup,
    select,
    splat,
    store,
    store_row,
    tile,
    transpose,
)
from fastdigits.ops.lanes.math import sine_of_turns
from fastdigits.ops.random.cpu_kernel import draw


def gather_block(images, labels, order, start, count, scale, shift, x, targets, b, L):
    """Fill block b as gather_batch does, a square of L pixels of L images at a time."""
    B, K, _ = x.shape
    square = tile(L)
    for k0 in range(0, K - L + 1, L):
        for l in range(L):
            row = order[start + min(b * L + l, count - 1)]
            square[l] = fma(load_span(images, (row, k0), L), splat(scale), splat(shift))
        transpose(square)
        for k in range(L):
            store(x, (b, k0 + k), square[k])
    for k in range(K - K % L, K):
        gather_pixel(images, order, start, count, scale, shift, x, b, k)
    gather_labels(labels, order, start, count, targets, b)


def pack_images(pictures, scale, shift, x, b, L):
    """Normalize the rows of pictures (L, K) and store them side by side in block b of x."""
    B, K, _ = x.shape
    square = tile(L)
    for k0 in range(0, K, L):
        for l in range(L):
            square[l] = load_row(pictures, (l, k0), K, L)
        transpose(square)
        for k in range(min(L, K - k0)):
            store(x, (b, k0 + k), fma(square[k], splat(scale), splat(shift)))


def augment_image(images, row, seed, epoch, effects, splines, scratch, pictures, l, L):
    """Fill pictures[l] with an augmented image, not yet normalized; `splines` has those of the rows and the columns."""
    N, H, W = images.shape
    numbers, levels, source, coefficients, bend, noise = scratch
    row_splines, column_splines = splines
    draw(numbers, row, epoch, PARAMETERS, seed)
    _fill_levels(levels, numbers, effects, L)
    _fill_source(source, images, row, levels)
    if effects.elastic_px:
        _fill_normal(coefficients, row, epoch, DISPLACEMENTS, seed, L)
    if effects.noise:
        _fill_normal(noise, row, epoch, NOISE, seed, L)

    u0, ui, uj, v0, vi, vj = _affine(numbers, effects, H, W)
    side = min(math.floor(numbers[8] * (effects.erase_px + 1)), H, W)
    top, left = math.floor(numbers[9] * (H - side + 1)), math.floor(numbers[10] * (W - side + 1))
    for i in range(H):
        if effects.elastic_px:
            _bend_row(bend, coefficients, row_splines, i, 2 * effects.elastic_px, L)
        for j0 in range(0, W, L):
            j = lane_numbers(L) + splat(j0 - (W - 1) / 2)
            u = fma(j, splat(uj), splat(u0 + ui * (i - (H - 1) / 2)))
            v = fma(j, splat(vj), splat(v0 + vi * (i - (H - 1) / 2)))
            if effects.elastic_px:
                for k in range(KNOTS):
                    spline = load_row(column_splines, (k, j0), W, L)
                    u = fma(broadcast(bend, (k,)), spline, u)
                    v = fma(broadcast(bend, (KNOTS + k,)), spline, v)
            pixels = _bilinear(source, u, v, H, W)
            if effects.noise:
                pixels = fma(load_row(noise, (i * W + j0,), H * W, L), splat(255 * effects.noise), pixels)
            if top <= i < top + side:
                column = lane_numbers(L) + splat(j0)
                pixels = select(column >= splat(left), select(splat(left + side) > column, splat(0.0), pixels), pixels)
            store_row(pictures, (l, i * W + j0), (i + 1) * W, pixels)


def _fill_levels(levels, numbers, effects, L):
    """Fill levels (256,) with the brightness of each pixel value after the change of contrast and gamma."""
    contrast = math.exp(effects.contrast * (2 * numbers[6] - 1))
    gamma = math.exp(effects.gamma * (2 * numbers[7] - 1))
    for p in range(0, 256, L):
        level = lane_numbers(L) + splat(p)
        if effects.contrast or effects.gamma:
            level = brightness(level, splat(contrast / 255), splat(0.5 - 0.5 * contrast), splat(gamma))
        store_row(levels, (p,), 256, level)


def _fill_source(source, images, row, levels):
    """Fill source ((H+3) * (W+3),) with an image and a frame of one pixel before and two after it."""
    N, H, W = images.shape
    source[:] = levels[0]
    for i in range(H):
        for j in range(W):
            source[(i + 1) * (W + 3) + j + 1] = levels[images[row, i, j]]


def _bilinear(source, u, v, H, W):
    """Interpolate the framed image at rows u and columns v; the frame holds the neighbors of rows H and columns W."""
    S = W + 3
    u, v = clamp(u, H), clamp(v, W)
    i, j = floor(u), floor(v)
    place = fma(i + splat(1.0), splat(S), j + splat(1.0))
    upper = lookup(source, place, 0), lookup(source, place, 1)
    lower = lookup(source, place, S), lookup(source, place, S + 1)
    return interpolate(upper, lower, u - i, v - j)


def _fill_normal(values, row, step, stream, seed, L):
    """Fill values, whose length is even, with normally distributed numbers."""
    draw(values, row, step, stream, seed)
    half = len(values) // 2
    for e in range(0, half, L):
        radius = normal_radius(load_row(values, (e,), half, L))
        turns = load_row(values, (half + e,), 2 * half, L)
        store_row(values, (e,), half, radius * sine_of_turns(turns + splat(0.25)))
        store_row(values, (half + e,), 2 * half, radius * sine_of_turns(turns))


def _affine(numbers, effects, H, W):
    """Return u0, ui, uj, v0, vi, vj of u = u0 + ui i + uj j, v = v0 + vi i + vj j, with i, j from the center."""
    angle = math.radians(effects.rotate_deg * (2 * numbers[2] - 1))
    cos, sin = math.cos(angle), math.sin(angle)
    rows, columns = 1 + effects.scale * (2 * numbers[3] - 1), 1 + effects.scale * (2 * numbers[4] - 1)
    slant = math.tan(math.radians(effects.shear_deg * (2 * numbers[5] - 1)))
    u0 = (H - 1) / 2 - effects.shift_px * (2 * numbers[0] - 1)
    v0 = (W - 1) / 2 - effects.shift_px * (2 * numbers[1] - 1)
    return u0, cos / rows + sin * slant, sin / columns, v0, cos * slant - sin / rows, cos / columns


def _bend_row(bend, coefficients, row_splines, i, size, L):
    """Fill bend (14,) with the spline coefficients of row i: 7 for the displacement down, then 7 to the right."""
    for e in range(0, 2 * KNOTS, L):
        total = splat(0.0)
        for k in range(KNOTS):
            part = load_row(coefficients, (k * 2 * KNOTS + e,), (k + 1) * 2 * KNOTS, L)
            total = fma(broadcast(row_splines, (k, i)), part, total)
        store_row(bend, (e,), 2 * KNOTS, total * splat(size))

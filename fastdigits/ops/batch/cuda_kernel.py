"""Augmentation on a GPU: each thread draws its random numbers and computes its pixels of an image."""

from fastdigits.ops.batch import KNOTS
from fastdigits.ops.batch.kernel import clamp, interpolate, normal_radius
from fastdigits.ops.lanes import floor, fma, splat
from fastdigits.ops.lanes.math import sine_of_turns
from fastdigits.ops.random.kernel import fraction, philox


def number(e, row, epoch, stream, seed):
    """Return number e of random.cpu_kernel.draw."""
    words = philox(row, epoch, stream + e // 4, seed)
    w = e % 4
    return fraction(words[0] if w == 0 else words[1] if w == 1 else words[2] if w == 2 else words[3])


def normal(e, half, row, epoch, stream, seed):
    """Return normal number e of the 2 * half that batch.cpu_kernel._fill_normal draws."""
    pair = e % half
    radius = normal_radius(number(pair, row, epoch, stream, seed))
    turns = number(half + pair, row, epoch, stream, seed)
    return radius * sine_of_turns(turns + splat(0.25) if e < half else turns)


def signed(number):
    """Map a number from [0, 1) to [-1, 1)."""
    return splat(2.0) * number - splat(1.0)


def bilinear(images, levels, row, u, v):
    """Interpolate the brightness of an image at u, v; pixels around the image are black."""
    N, H, W = images.shape
    u, v = clamp(u, H), clamp(v, W)
    i, j = int(floor(u)), int(floor(v))
    upper = pixel(images, levels, row, i, j), pixel(images, levels, row, i, j + 1)
    lower = pixel(images, levels, row, i + 1, j), pixel(images, levels, row, i + 1, j + 1)
    return interpolate(upper, lower, u - splat(i), v - splat(j))


def pixel(images, levels, row, i, j):
    """Return the brightness of pixel i, j; pixels outside the image are black."""
    N, H, W = images.shape
    return levels[images[row, i, j]] if 0 <= i < H and 0 <= j < W else levels[0]


def random_integer(number, choices):
    """Return floor(number * choices) for a number of 24 bits in [0, 1), in integers, because float32 could round up."""
    return int(number * splat(2.0**24)) * choices >> 24


def affine(numbers, shift_px, rotate_deg, rescale, shear_deg, H, W):
    """Return u0, ui, uj, v0, vi, vj; see batch.cpu_kernel._affine."""
    turns, slope = rotate_deg * signed(numbers[2]) * splat(1 / 360), shear_deg * signed(numbers[5]) * splat(1 / 360)
    cos, sin = sine_of_turns(turns + splat(0.25)), sine_of_turns(turns)
    slant = sine_of_turns(slope) / sine_of_turns(slope + splat(0.25))
    rows, columns = splat(1.0) + rescale * signed(numbers[3]), splat(1.0) + rescale * signed(numbers[4])
    u0 = splat((H - 1) / 2) - shift_px * signed(numbers[0])
    v0 = splat((W - 1) / 2) - shift_px * signed(numbers[1])
    return u0, cos / rows + sin * slant, sin / columns, v0, cos * slant - sin / rows, cos / columns


def displacement(bends, d, row_splines, column_splines, i, j):
    """Return the displacement of pixel i, j in pixels, down (d = 0) or to the right (d = 1)."""
    total = splat(0.0)
    for a in range(len(row_splines)):
        of_row = splat(0.0)
        for c in range(KNOTS):
            of_row = fma(bends[(2 * a + d) * KNOTS + c], column_splines[c, j], of_row)
        total = fma(row_splines[a, i], of_row, total)
    return total

"""Definitions of plain and of augmented batches."""

from math import ceil

import numpy as np

from fastdigits.ops.batch import DISPLACEMENTS, KNOTS, NOISE, NUMBERS, PARAMETERS
from fastdigits.ops.random.reference import philox


def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """Fill x with `count` normalized images and targets with their labels.

    x[b, k, l] = images[order[start[0] + b*L + l], k] * scale + shift
    targets[b, l] = labels[order[start[0] + b*L + l]]

    Lanes after the last image repeat it and get the target -1, so that they do not count in the loss.

    Parameters
    ----------
    images : uint8 (N, K)
        All images of the data set, one row of pixels each.
    labels : uint8 or uint16 (N, 1)
    order : int32 (n,)
        Row numbers in the order of the epoch.
    start : int64 (1,)
        Index in `order` of the first image; an array, so that a recorded CUDA graph can read a new value.
    count : int
        Images in this batch, at most B * L.
    scale, shift : float32
    x : float32 (B, K, L), filled
    targets : float32 (B, L), filled
    """
    lane = np.arange(targets.size).reshape(targets.shape)
    row = order[start[0] + np.minimum(lane, count - 1)]
    x[...] = np.moveaxis(images[row], -1, 1) * scale + shift
    targets[...] = labels[row, 0]
    targets[lane >= count] = -1


def augment_batch(images, labels, order, start, count, scale, shift, seed, epoch, effects, x, targets):
    """Fill x and targets as gather_batch does, but augment each image at random first.

    Pixel (i, j) of an augmented image is f of the source image at (u, v), or 0 in the erased square:

    u, v = c + R A ((i, j) - c) - (shifts) + displacement[i, j]     c = ((H-1)/2, (W-1)/2), the center
    R = [[cos a, sin a], [-sin a, cos a]]                           counterclockwise by the angle a
    A = [[1/s, 0], [tan h, 1/t]]                                    rows scaled by s, columns by t, sheared by h
    f(p) = 255 clip((p/255 - 1/2) * contrast + 1/2, 0, 1)^gamma     and then 255 * noise * normal is added

    Between pixels, f is interpolated bilinearly. Outside the image, it falls to f(0) within one pixel. The
    displacement is a cubic B-spline with normally distributed coefficients at 7 x 7 knots, a quarter of the image
    apart. The square has 0 .. erase_px pixels on a side and lies inside the image.

    Random numbers depend only on the seed, the epoch, the row number of the image and their use.

    Parameters
    ----------
    images : uint8 (N, H, W)
    labels, order, start, count, scale, shift : as for gather_batch.
    seed : int
        Below 2^64.
    epoch : int64 (1,)
        Below 2^32; an array, so that a recorded CUDA graph can read a new value.
    effects : Effects
    x : float32 (B, H*W, L), filled
    targets : float32 (B, L), filled

    References
    ----------
    Simard, Steinkraus and Platt (2003), Best practices for convolutional neural networks applied to visual document
    analysis, for elastic displacements; Zhong et al. (2017), Random erasing data augmentation;
    Box and Muller (1958), A note on the generation of random normal deviates.
    """
    (B, L), (N, H, W) = targets.shape, images.shape
    gather_batch(images.reshape(N, H * W), labels, order, start, count, scale, shift, x, targets)
    rows = order[start[0] + np.minimum(np.arange(B * L), count - 1)]
    numbers = _draw(rows, epoch[0], PARAMETERS, NUMBERS, seed)
    signed = 2 * numbers.T[..., None, None] - 1
    u, v = affine(H, W, *signed[:6], effects)
    if effects.elastic_px:
        down, right = _displacements(_draw_normal(rows, epoch[0], DISPLACEMENTS, 2 * KNOTS**2, seed), H, W)
        u, v = u + effects.elastic_px * down, v + effects.elastic_px * right
    f = np.arange(256) / 255
    if effects.contrast or effects.gamma:
        f = np.clip((f - 0.5) * np.exp(effects.contrast * signed[6, :, 0]) + 0.5, 0, 1)
        f **= np.exp(effects.gamma * signed[7, :, 0])
    f = np.broadcast_to(255 * f, (B * L, 256))
    source = np.take_along_axis(f, images[rows].reshape(B * L, -1), axis=1).reshape(-1, H, W)
    changed = bilinear(source, f[:, 0], u, v)
    if effects.noise:
        changed += 255 * effects.noise * _draw_normal(rows, epoch[0], NOISE, H * W, seed)[:, : H * W].reshape(-1, H, W)
    changed[_erased(H, W, *numbers.T[8:11], effects.erase_px)] = 0
    x[...] = np.moveaxis(changed.reshape(B, L, H * W), 1, -1) * scale + shift


def affine(H, W, down, right, turn, taller, wider, slant, effects):
    """Return source coordinates u and v (n, H, W) of all pixels, for parameters from -1 to 1 in arrays (n, 1, 1)."""
    i, j = np.mgrid[:H, :W]
    i, j = i - (H - 1) / 2, j - (W - 1) / 2
    angle = np.radians(effects.rotate_deg * turn)
    p = i / (1 + effects.scale * taller)
    q = np.tan(np.radians(effects.shear_deg * slant)) * i + j / (1 + effects.scale * wider)
    u = (H - 1) / 2 + np.cos(angle) * p + np.sin(angle) * q - effects.shift_px * down
    v = (W - 1) / 2 - np.sin(angle) * p + np.cos(angle) * q - effects.shift_px * right
    return u, v


def bilinear(source, outside, u, v):
    """Interpolate images (n, H, W) at u, v (n, H, W); pixels outside an image have the value `outside` (n,)."""
    n, H, W = source.shape
    u, v = np.clip(u, -1, H), np.clip(v, -1, W)
    i, j = np.floor(u).astype(int), np.floor(v).astype(int)
    padded = np.broadcast_to(outside[:, None, None], (n, H + 3, W + 3)).copy()
    padded[:, 1:-2, 1:-2] = source
    image = np.arange(n)[:, None, None]
    corner = [[padded[image, i + 1 + p, j + 1 + q] for q in (0, 1)] for p in (0, 1)]
    upper, lower = (left + (v - j) * (right - left) for left, right in corner)
    return upper + (u - i) * (lower - upper)


def _draw(rows, step, stream, count, seed):
    """Draw (n, count) numbers in [0, 1): number e is word e % 4 of Philox for (row, step, stream + e // 4)."""
    words = philox(rows[:, None], step, stream + np.arange(ceil(count / 4)), seed)
    numbers = (np.stack(words, axis=-1) >> np.uint64(8)).reshape(len(rows), -1) / 2**24
    return numbers[:, :count]


def _draw_normal(rows, step, stream, count, seed):
    """Draw (n, count) normal numbers, with `count` rounded up to even: sqrt(-2 log(1 - a)) times cos, sin of 2 pi b."""
    a, b = np.split(_draw(rows, step, stream, 2 * ceil(count / 2), seed), 2, axis=1)
    radius = np.sqrt(-2 * np.log1p(-a))
    return np.concatenate([radius * np.cos(2 * np.pi * b), radius * np.sin(2 * np.pi * b)], axis=1)


def _displacements(normals, H, W):
    """Return smooth random fields (n, H, W) down and right, of standard deviation about 1, from 7 x 2 x 7 numbers."""
    # Factor 2: the splines have at most half the standard deviation of their coefficients
    coefficients = 2 * normals.reshape(-1, KNOTS, 2, KNOTS)
    return np.einsum("nadb,ai,bj->dnij", coefficients, _splines(H), _splines(W))


def _splines(size):
    """Return cubic B-splines (7, size) at knots a quarter of the image apart; the second knot is the first pixel."""
    distance = np.abs(np.arange(size) * 4 / max(size - 1, 1) + 1 - np.arange(KNOTS)[:, None])
    near, far = 2 / 3 - distance**2 + distance**3 / 2, np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far)


def _erased(H, W, size, top, left, max_size):
    """Return the mask (n, H, W) of the erased squares with sides 0 .. max_size, for numbers in [0, 1) (n,)."""
    i, j = np.mgrid[:H, :W]
    side = np.minimum(np.floor(size * (max_size + 1)), min(H, W))
    top, left = (np.floor(place * (room - side + 1)) for place, room in ((top, H), (left, W)))
    side, top, left = (number[:, None, None] for number in (side, top, left))
    return (top <= i) & (i < top + side) & (left <= j) & (j < left + side)

"""The definition of a batch."""

import numpy as np


def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """Fill x with `count` normalised images and targets with their labels.

    x[b, k, l] = images[order[start[0] + b*L + l], k] * scale + shift
    targets[b, l] = labels[order[start[0] + b*L + l]]

    Lanes beyond the last image repeat it, and their target is -1: no loss counts them.

    Parameters
    ----------
    images : uint8 (N, K)
        All images of the data set, each as one row of pixels.
    labels : uint8 (N, 1)
    order : int32 (n,)
        Row numbers, in the order in which they are visited.
    start : int64 (1,)
        Where in `order` the batch begins; an array, so that it may change under a recorded CUDA graph.
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

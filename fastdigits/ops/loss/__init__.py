"""Losses with their gradients, weights of images, and running totals of losses and correct predictions.

softmax_cross_entropy: -log softmax(scores)[target]    mean_squared_error: mean over k of (scores[k] - [k = target])^2

The loss of each image is stored. The gradient is that of the mean over the `count` images of a batch. Empty lanes
have the target -1, and their loss and gradient are 0. Where images have weights, `weigh_losses` follows the loss.
"""

OPS = ("softmax", "softmax_cross_entropy", "mean_squared_error", "weigh_losses", "accumulate_metrics")

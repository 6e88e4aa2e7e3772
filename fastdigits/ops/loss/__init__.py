"""Losses with their gradients in one pass, and the running totals of losses and right answers.

softmax_cross_entropy: -log softmax(scores)[target]    mean_squared_error: mean over k of (scores[k] - [k = target])^2

A loss is written image by image; its gradient is that of the mean over the `count` images of a
batch. Empty lanes have the target -1: their loss and their gradient are 0.
"""

OPS = ("softmax", "softmax_cross_entropy", "mean_squared_error", "accumulate_metrics")

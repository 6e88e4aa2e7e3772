"""Optimiser steps over all parameters of a network at once: one flat buffer, as V vectors of L.

`rate` (the learning rate) and `step` are arrays of one element, so that they may change under a
recorded CUDA graph. Weight decay adds weight_decay * parameter to the gradient, except in AdamW.
`clip_norm` goes before a step, `average_step` after it.
"""

OPS = ("sgd_step", "momentum_step", "nesterov_step", "adam_step", "adamw_step", "clip_norm", "average_step")

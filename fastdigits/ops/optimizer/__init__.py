"""Optimizer steps on all parameters of a network at once, in one flat buffer of V vectors of L numbers.

`rate` (the learning rate) and `step` are arrays of one element, so that a recorded CUDA graph can read new values.
Weight decay adds weight_decay * parameter to the gradient, except in AdamW. Call `clip_norm` before a step and
`average_step` after it.
"""

OPS = ("sgd_step", "momentum_step", "nesterov_step", "adam_step", "adamw_step", "clip_norm", "average_step")

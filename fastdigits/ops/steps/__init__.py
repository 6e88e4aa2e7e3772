"""The numbers of training steps: the host plans many steps at once, and each step reads its numbers on the device.

next_step: take the next row of a plan
"""

OPS = ("next_step",)

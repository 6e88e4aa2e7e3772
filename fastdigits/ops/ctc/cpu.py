"""The loss of connectionist temporal classification on the CPU: cores compute blocks of images."""

import numpy as np
from numba import prange

from fastdigits.ops.ctc import kernel
from fastdigits.ops.lanes import bind, cpu

_ctc_loss_block = bind(kernel.ctc_loss_block, cpu)


@cpu.parallel
def ctc_loss(scores, labels, steps, count, reached, remaining, loss, dscores):
    """See reference.ctc_loss."""
    for b in prange(len(scores)):
        _ctc_loss_block(scores, labels, steps, 1 / count, reached, remaining, loss, dscores, np.int64(b))

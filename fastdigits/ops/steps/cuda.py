"""The numbers of a training step on a GPU, by one thread."""

from numba import cuda

from fastdigits.ops.cuda.launch import bound, kernel
from fastdigits.ops.steps import kernel as scalars

_next_step = bound(scalars.next_step)


@kernel(lambda *arguments: (1,), warps=1)
def next_step(plan, rates, taken, epoch, start, step, rate):
    """See reference.next_step."""
    if cuda.threadIdx.x == 0:
        _next_step(plan, rates, taken, epoch, start, step, rate)

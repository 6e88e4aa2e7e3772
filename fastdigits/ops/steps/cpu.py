"""The numbers of a training step on the CPU, on one core."""

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.steps import kernel

_next_step = bind(kernel.next_step, cpu)


@cpu.serial
def next_step(plan, rates, taken, epoch, start, step, rate):
    """See reference.next_step."""
    _next_step(plan, rates, taken, epoch, start, step, rate)

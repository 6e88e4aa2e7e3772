"""Run variants of a kernel, which differ in a constant, one by one and as replays; print what they add to 0.

    python variants_of_a_kernel.py 3 5

A process that compiles several variants numbers them, and so their names differ. Two processes that compile one each
give them the same number.
"""

import sys

import numpy as np

from fastdigits.ops.lanes import cpu
from fastdigits.ops.runtime.replay import record, replay_of


def variant(amount):
    def add(x):
        for i in range(len(x)):
            x[i] += amount

    return cpu.serial(add)


if __name__ == "__main__":
    kernels, x = [variant(int(word)) for word in sys.argv[1:]], np.zeros(1)
    found = []
    for kernel in kernels:  # loads or compiles them
        x[:] = 0
        kernel(x)
        found.append(int(x[0]))
    for kernel in kernels:
        replay = replay_of(record(kernel, x)[1])
        x[:] = 0
        replay()
        found.append(int(x[0]))
    print(*found)

"""The kernels that measure a GPU, in numba's simulator, which needs none and has a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from fastdigits import ops

PROGRAM = """
import warnings
warnings.simplefilter("ignore")  # numba's own CUDA is deprecated
import numpy as np
from numba import float32
from fastdigits.ops import peak_cuda
peak_cuda.THREADS = 4
work, flops = peak_cuda.multiply_adds_work(2, 20)
work()
print(flops)
y = np.zeros(8, np.float32)
peak_cuda.multiply_adds[2, 4](y, 20)
print(*y)
a, b, c = np.zeros(7, np.float32), np.arange(7, dtype=np.float32), np.ones(7, np.float32)
peak_cuda.triad[2, 4](b, c, a)
print(*a)
work, moved = peak_cuda.triad_work(7)
work()
print(moved)
"""


def test_the_kernels_that_measure_a_gpu():
    variables = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(Path(ops.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    flops, ends, sums, moved = done.stdout.splitlines()
    assert int(flops) == 2 * 8 * 20 * 16 * 8  # a product and a sum, of 8 threads, 20 times, 16 turns, 8 chains
    assert ends == " ".join(["16.0"] * 8)  # each of 8 chains goes to 2
    assert sums == "3.0 4.0 5.0 6.0 7.0 8.0 9.0"
    assert int(moved) == 3 * 4 * 7

"""Run the PTX of kernels on a CPU: every thread computes in NumPy, and every access to memory is checked.

`gpu.interpreted` stands in for CuPy and the driver, so that the package launches its kernels as on a GPU.
"""

WARP = 32  # threads that run together

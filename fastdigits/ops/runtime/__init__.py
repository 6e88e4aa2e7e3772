"""How Numba is set up, and where compiled kernels are kept."""

"""The set-up of Numba, the cache of compiled kernels, and the parts of a diagnosis."""

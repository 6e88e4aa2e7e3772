"""The set-up of Numba, its threads, the cache of compiled kernels, and the parts of a diagnosis."""

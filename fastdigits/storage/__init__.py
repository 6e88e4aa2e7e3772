"""Read and write HDF5 files: weights, training logs, run statistics."""

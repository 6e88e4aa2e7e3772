"""Read and write files: weights as HDF5, training logs, run statistics as JSON."""

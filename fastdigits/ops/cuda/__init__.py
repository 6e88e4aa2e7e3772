"""CUDA: memory, launches, graphs and PTX, and the diagnosis of the driver, the packages and the toolkit."""

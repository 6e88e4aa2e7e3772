"""The GPU: its memory, launches, graphs and PTX, and why CUDA cannot be used where it cannot."""

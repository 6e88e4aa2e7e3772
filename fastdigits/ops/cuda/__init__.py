"""The GPU: memory, launches, graphs and PTX; driver, packages and toolkit, to say why CUDA cannot be used."""

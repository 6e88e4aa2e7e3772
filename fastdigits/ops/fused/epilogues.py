"""Epilogues: the operations that a convolution applies to its sums before it stores them."""

PLAIN, RELU_ONLY, RELU_MAXPOOL, RELU_AVGPOOL = range(4)


def pool_size(EPILOGUE):
    """Return how many rows, and columns, of the convolution are pooled to one."""
    return 2 if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL) else 1

"""Epilogues: what a convolution does with its sums before it stores them."""

PLAIN, RELU_ONLY, RELU_MAXPOOL, RELU_AVGPOOL = range(4)


def pool_size(EPILOGUE):
    """Rows, and columns, of the convolution that make one of the output."""
    return 2 if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL) else 1

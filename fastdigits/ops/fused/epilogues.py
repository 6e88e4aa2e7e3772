"""What becomes of a convolution's output within the same operation, and, backwards, by what the gradient is."""

WHOLE, RECTIFIED, MAXPOOLED, AVGPOOLED = range(4)


def pooled(ENDING):
    """How many rows, and columns, of the convolution's output make one of the result."""
    return 2 if ENDING in (MAXPOOLED, AVGPOOLED) else 1

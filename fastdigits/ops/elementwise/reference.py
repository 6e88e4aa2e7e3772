"""The definition of the operations on each element by itself."""


def add(a, b, y):
    """Fill y = a + b.

    Parameters
    ----------
    a, b : float32 (V, L)
    y : float32 (V, L), filled
    """
    y[...] = a + b


def dropout(x, mask, rate, y):
    """Fill y = mask x / (1 - rate): what is left is raised, so that the mean stays what it is without dropout.

    The gradient by x is the same function of that by y.

    Parameters
    ----------
    x : float32 (V, L)
    mask : uint8 (V, L)
        1 or 0, as random_mask fills it.
    rate : float
        The share that is dropped, below 1.
    y : float32 (V, L), filled

    References
    ----------
    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, section 10 (scaling).
    """
    y[...] = mask * x * (1 / (1 - rate))

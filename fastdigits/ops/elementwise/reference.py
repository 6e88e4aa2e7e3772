"""Definitions of the element-wise operations."""


def copy(x, y):
    """Fill y = x, with the same bits.

    Parameters
    ----------
    x : float32 (V, L)
    y : float32 (V, L), filled
    """
    y[...] = x


def add(a, b, y):
    """Fill y = a + b.

    Parameters
    ----------
    a, b : float32 (V, L)
    y : float32 (V, L), filled
        May be a or b, which is then replaced by the sum.
    """
    y[...] = a + b


def dropout(x, mask, rate, y):
    """Fill y = mask x / (1 - rate), whose expected value is x.

    The gradient of x is the same function of the gradient of y.

    Parameters
    ----------
    x : float32 (V, L)
    mask : uint8 (V, L)
        1 to keep an element, 0 to drop it, as filled by random_mask.
    rate : float
        Fraction of elements that are dropped, below 1.
    y : float32 (V, L), filled

    References
    ----------
    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, section 10 (scaling).
    """
    y[...] = mask * x * (1 / (1 - rate))

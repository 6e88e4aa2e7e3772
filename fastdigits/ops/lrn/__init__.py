"""Local response normalization: divide each value by a power of the energy of adjacent channels at the same pixel.

y[b, c, s] = x[b, c, s] / base[b, c, s]^beta    base[b, c, s] = k + alpha sum over |d - c| <= size // 2 of x[b, d, s]^2
"""

OPS = ("lrn_forward", "lrn_backward")

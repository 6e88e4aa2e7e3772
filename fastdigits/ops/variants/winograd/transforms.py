"""Products with the three matrices of F(4x4, 3x3) and their transposes, in few operations on one row or column.

A evaluates polynomials with four coefficients, and G those with three, at the points 0, 1, -1, 2, -2 and infinity. B^T
maps an input to the same points.

The functions named `half` are those of F(2x2, 3x3) for the points 0, 1, -1 and infinity, scaled so that they suit the
same transformed kernels.
"""

from fastdigits.ops.lanes import fma, splat


def input_points(d0, d1, d2, d3, d4, d5):
    """Return B^T d."""
    v0, v5 = outer_input_points(d0, d1, d2, d3, d4, d5)
    v1, v2 = first_input_points(d1, d2, d3, d4)
    v3, v4 = second_input_points(d1, d2, d3, d4)
    return v0, v1, v2, v3, v4, v5


def outer_input_points(d0, d1, d2, d3, d4, d5):
    """Return B^T d at the points 0 and infinity."""
    return (
        fma(splat(4.0), d0, fma(splat(-5.0), d2, d4)),
        fma(splat(4.0), d1, fma(splat(-5.0), d3, d5)),
    )


def first_input_points(d1, d2, d3, d4):
    """Return B^T d at the points 1 and -1."""
    even, odd = fma(splat(-4.0), d2, d4), fma(splat(-4.0), d1, d3)
    return even + odd, even - odd


def second_input_points(d1, d2, d3, d4):
    """Return B^T d at the points 2 and -2."""
    even, odd = d4 - d2, d3 - d1
    return fma(splat(2.0), odd, even), fma(splat(-2.0), odd, even)


def input_of_points(v0, v1, v2, v3, v4, v5):
    """Return B v."""
    even1, odd1 = v1 + v2, v1 - v2
    even2, odd2 = v3 + v4, v3 - v4
    return (
        splat(4.0) * v0,
        fma(splat(4.0), v5 - odd1, splat(-2.0) * odd2),
        fma(splat(-5.0), v0, fma(splat(-4.0), even1, splat(0.0) - even2)),
        fma(splat(-5.0), v5, fma(splat(2.0), odd2, odd1)),
        v0 + even1 + even2,
        v5,
    )


def output_of_points(m0, m1, m2, m3, m4, m5):
    """Return A^T m."""
    even1, odd1 = m1 + m2, m1 - m2
    even2, odd2 = m3 + m4, m3 - m4
    return (
        m0 + even1 + even2,
        fma(splat(2.0), odd2, odd1),
        fma(splat(4.0), even2, even1),
        fma(splat(8.0), odd2, odd1) + m5,
    )


def output_points(y0, y1, y2, y3):
    """Return A y."""
    even1, odd1 = y0 + y2, y1 + y3
    even2, odd2 = fma(splat(4.0), y2, y0), fma(splat(4.0), y3, y1)
    return (
        y0,
        even1 + odd1,
        even1 - odd1,
        fma(splat(2.0), odd2, even2),
        fma(splat(-2.0), odd2, even2),
        y3,
    )


def half_input_points(d0, d1, d2, d3):
    """Return B^T d of two outputs."""
    return splat(4.0) * (d0 - d2), splat(-3.0) * (d1 + d2), splat(3.0) * (d1 - d2), d3 - d1


def half_input_of_points(v0, v1, v2, v5):
    """Return B v of two outputs."""
    return splat(4.0) * v0, fma(splat(3.0), v2 - v1, splat(0.0) - v5), fma(splat(-4.0), v0, splat(-3.0) * (v1 + v2)), v5


def half_output_of_points(m0, m1, m2, m5):
    """Return A^T m of two outputs."""
    return m0 + m1 + m2, m1 - m2 + m5


def half_output_points(y0, y1):
    """Return A y of two outputs."""
    return y0, y0 + y1, y0 - y1, y1


def kernel_points(g0, g1, g2):
    """Return G g."""
    even1, odd1 = splat(-1 / 6) * (g0 + g2), splat(-1 / 6) * g1
    even2, odd2 = splat(1 / 24) * fma(splat(4.0), g2, g0), splat(1 / 12) * g1
    return splat(1 / 4) * g0, even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, g2


def kernel_of_points(u0, u1, u2, u3, u4, u5):
    """Return G^T u."""
    even1, odd1 = splat(-1 / 6) * (u1 + u2), splat(-1 / 6) * (u1 - u2)
    even2, odd2 = splat(1 / 24) * (u3 + u4), splat(1 / 12) * (u3 - u4)
    return fma(splat(1 / 4), u0, even1 + even2), odd1 + odd2, fma(splat(4.0), even2, even1) + u5

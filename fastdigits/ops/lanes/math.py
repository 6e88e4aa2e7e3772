"""exp, log, tanh, sigmoid and sine of vectors, with the same formulas on every device.

Each of these reduces its argument to a short interval and evaluates a polynomial there, after Cody and Waite (1980),
Software Manual for the Elementary Functions. The coefficients are those of the Cephes library by Moshier (expf, logf,
tanhf), except for the sine, whose coefficients were fitted. Relative errors stay below 2e-7.
"""

from fastdigits.ops.lanes import exponent, fma, mantissa, maximum, power_of_two, round, select, splat


def exp(v):
    """Return e**v: 0 where v is below -87.7, and infinity where it is above 88.3."""
    v = maximum(splat(-88.0), select(v > splat(89.0), splat(89.0), v))
    n = round(v * splat(1.44269504))  # from -127, where power_of_two is 0, to 128, where it is infinity
    r = fma(n, splat(-0.693359375), v)  # v - n ln 2, with ln 2 in two parts, the first of few bits
    r = fma(n, splat(2.12194440e-4), r)
    p = splat(1.9875691500e-4)
    p = fma(p, r, splat(1.3981999507e-3))
    p = fma(p, r, splat(8.3334519073e-3))
    p = fma(p, r, splat(4.1665795894e-2))
    p = fma(p, r, splat(1.6666665459e-1))
    p = fma(p, r, splat(5.0000001201e-1))
    return fma(p * r, r, r + splat(1.0)) * power_of_two(n)


def log(v):
    """Return the natural logarithm of v, which is a positive normal number, infinity or NaN."""
    m, e = mantissa(v), exponent(v)
    low = splat(0.707106781) > m
    r = select(low, m + m, m) - splat(1.0)  # the mantissa between sqrt(1/2) and sqrt(2), less 1
    e = select(low, e - splat(1.0), e)
    p = splat(7.0376836292e-2)
    p = fma(p, r, splat(-1.1514610310e-1))
    p = fma(p, r, splat(1.1676998740e-1))
    p = fma(p, r, splat(-1.2420140846e-1))
    p = fma(p, r, splat(1.4249322787e-1))
    p = fma(p, r, splat(-1.6668057665e-1))
    p = fma(p, r, splat(2.0000714765e-1))
    p = fma(p, r, splat(-2.4999993993e-1))
    p = fma(p, r, splat(3.3333331174e-1))
    square = r * r
    tail = fma(e, splat(-2.12194440e-4), p * r * square)
    tail = fma(square, splat(-0.5), tail)
    return select(splat(3.4028235e38) >= v, fma(e, splat(0.693359375), r + tail), v)  # infinity and NaN stay


def tanh(v):
    """Return the hyperbolic tangent of v."""
    positive = v >= splat(0.0)
    size = select(positive, v, splat(0.0) - v)
    far = splat(1.0) - splat(2.0) / (exp(size + size) + splat(1.0))  # 1 for every |v| above 9
    square = v * v
    p = splat(-5.70498872745e-3)
    p = fma(p, square, splat(2.06390887954e-2))
    p = fma(p, square, splat(-5.37397155531e-2))
    p = fma(p, square, splat(1.33314422036e-1))
    p = fma(p, square, splat(-3.33332819422e-1))
    near = fma(p * square, v, v)
    return select(splat(0.625) > size, near, select(positive, far, splat(0.0) - far))


def sigmoid(v):
    """Return 1 / (1 + e**-v)."""
    positive = v >= splat(0.0)
    small = exp(select(positive, splat(0.0) - v, v))  # exp(-|v|) cannot overflow
    return select(positive, splat(1.0), small) / (splat(1.0) + small)


def sine_of_turns(v):
    """Return sin(2 pi v) with an absolute error below 2e-7."""
    halves = round(v + v)
    r = fma(halves, splat(-0.5), v)  # within a quarter of a turn
    odd = halves - splat(2.0) * round(halves * splat(0.5))  # -1, 0 or 1
    square = r * r
    p = splat(39.7100237)
    p = fma(p, square, splat(-76.5748772))
    p = fma(p, square, splat(81.6022266))
    p = fma(p, square, splat(-41.3416774))
    p = fma(p, square, splat(6.28318527))
    return p * r * fma(splat(-2.0) * odd, odd, splat(1.0))


def without_subnormal(v):
    """Return v with 0 in the place of numbers between -2^-126 and 2^-126; NaN stays."""
    return select(splat(1.1754944e-38) > maximum(v, splat(0.0) - v), splat(0.0), v)

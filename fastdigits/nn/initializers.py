"""Initial values of parameters. They depend only on the seed and the parameter's number, not on the device."""

import numpy as np

from fastdigits.nn.parameter import Parameter
from fastdigits.ops.random.reference import random_uniform


def initial_value(parameter: Parameter, seed: int, number: int) -> np.ndarray:
    """Return the initial float32 array of parameter `number` of a network.

    he: normal with standard deviation sqrt(2 / fan_in) (He et al. 2015, Delving deep into rectifiers)
    glorot: uniform within +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, Understanding the
    difficulty of training deep feedforward neural networks)
    normal, uniform: with standard deviation sqrt(1 / fan_in), uniform thus within +-sqrt(3 / fan_in) (LeCun et al.
    1998, Efficient BackProp, equation 16)
    one: 1 everywhere
    zeros, None: 0 everywhere
    """
    size = parameter.size
    match parameter.initializer:
        case "zeros" | None:
            values = np.zeros(size)
        case "one":
            values = np.ones(size)
        case "he":
            values = _normal(size, seed, number) * np.sqrt(2 / parameter.fan_in)
        case "glorot":
            values = _symmetric(size, seed, number) * np.sqrt(6 / (parameter.fan_in + parameter.fan_out))
        case "normal":
            values = _normal(size, seed, number) * np.sqrt(1 / parameter.fan_in)
        case "uniform":
            values = _symmetric(size, seed, number) * np.sqrt(3 / parameter.fan_in)
    return values.reshape(parameter.shape).astype(np.float32)


def _symmetric(size: int, seed: int, stream: int) -> np.ndarray:
    """Draw numbers uniform on [-1, 1)."""
    return 2 * _uniform(size, seed, stream, 0) - 1


def _uniform(size: int, seed: int, stream: int, step: int) -> np.ndarray:
    values = np.empty(size)
    random_uniform(seed, stream, step, values)
    return values


def _normal(size: int, seed: int, stream: int) -> np.ndarray:
    """Draw standard normal numbers by Box and Muller (1958), A note on the generation of random normal deviates."""
    radius = np.sqrt(-2 * np.log1p(-_uniform(size, seed, stream, 0)))
    return radius * np.cos(2 * np.pi * _uniform(size, seed, stream, 1))

"""Where parameters start: random, from the seed and the parameter's number alone, the same on every device."""

import numpy as np

from fastdigits.nn.parameter import Parameter
from fastdigits.ops.random.reference import random_uniform

INITIALIZERS = ("he", "glorot")


def initial_value(parameter: Parameter, seed: int, number: int) -> np.ndarray:
    """The float32 array that parameter `number` of a network starts with.

    he: normal with standard deviation sqrt(2 / fan_in) (He et al. 2015, Delving deep into rectifiers)
    glorot: uniform within +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, Understanding the
    difficulty of training deep feedforward neural networks)
    """
    if parameter.initializer is None:
        return np.zeros(parameter.shape, np.float32)
    if parameter.initializer == "he":
        values = _normal(parameter.size, seed, number) * np.sqrt(2 / parameter.fan_in)
    else:
        limit = np.sqrt(6 / (parameter.fan_in + parameter.fan_out))
        values = (2 * _uniform(parameter.size, seed, number, 0) - 1) * limit
    return values.reshape(parameter.shape).astype(np.float32)


def _uniform(size: int, seed: int, stream: int, step: int) -> np.ndarray:
    values = np.empty(size)
    random_uniform(seed, stream, step, values)
    return values


def _normal(size: int, seed: int, stream: int) -> np.ndarray:
    """Box and Muller (1958), A note on the generation of random normal deviates."""
    radius = np.sqrt(-2 * np.log1p(-_uniform(size, seed, stream, 0)))
    return radius * np.cos(2 * np.pi * _uniform(size, seed, stream, 1))

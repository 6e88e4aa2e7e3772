"""Images and weights for frameworks that keep the channels last in memory."""

from collections.abc import Iterator

import numpy as np

from fastdigits.bench.workload import Workload
from fastdigits.nn import Flatten

Shape = tuple[int, ...]


def images(workload: Workload) -> np.ndarray:
    """Return the images of the batch (N, H, W, C)."""
    return np.ascontiguousarray(workload.images.transpose(0, 2, 3, 1))


def weights(workload: Workload, outputs_last: bool = True) -> dict[str, np.ndarray]:
    """Return the weights of convolutions as (P, Q, C, O) and of dense layers as (inputs, outputs).

    Without `outputs_last` they are (O, P, Q, C) and (outputs, inputs).
    """
    found = {}
    for name, shape, axes in _axis_orders(workload, outputs_last):
        ours = workload.weights[name]
        array = ours.reshape(shape).transpose(axes)
        if ours.ndim == 2:
            array = array.reshape(-1, len(ours)) if outputs_last else array.reshape(len(ours), -1)
        found[name] = np.ascontiguousarray(array)
    return found


def in_our_order(workload: Workload, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays in the order of `weights` as ours."""
    found = {}
    for name, shape, axes in _axis_orders(workload, outputs_last=True):
        array = arrays[name].reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
        found[name] = array.reshape(workload.weights[name].shape)
    return found


def _axis_orders(workload: Workload, outputs_last: bool) -> Iterator[tuple[str, Shape, Shape]]:
    """Yield for each parameter (its name, the shape to give it before transposing, the order of its axes)."""
    flattened: Shape = ()
    for name, layer in zip(workload.network.names, workload.network.layers, strict=True):
        if isinstance(layer, Flatten) and len(layer.input_shape) == 3:
            flattened = layer.input_shape
        for parameter in layer.parameters:
            shape = parameter.shape
            if len(shape) == 2 and flattened:  # the first dense layer after a flatten: channels come last in its inputs
                shape, flattened = (shape[0], *flattened), ()
            inputs = {1: (), 2: (1,), 4: (2, 3, 1)}[len(shape)]
            yield f"{name}/{parameter.name}", shape, (*inputs, 0) if outputs_last else (0, *inputs)

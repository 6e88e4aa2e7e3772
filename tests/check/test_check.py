"""Test that the check passes on correct ops and says what is wrong with faulty ones."""

from inspect import unwrap
from math import inf

import numpy as np
import pytest

from fastdigits.check import compare, gradients, operations, steps
from fastdigits.nn import MaxPool2D, ReLU
from fastdigits.ops import LoadedOps, fused, load
from fastdigits.ops.dense import reference as dense
from fastdigits.ops.fused import reference as fused_reference
from fastdigits.ops.variants import winograd

REFERENCE = load("reference")


def with_replaced(ops, **functions):
    """Return the same ops with some functions replaced."""
    named = {name: function for name, function in vars(ops).items() if callable(function)}
    return LoadedOps(ops.device, ops.lanes, named | functions)


def results(steps):
    """Run all checks and return their results by subject."""
    return {result.subject: result for _, run in steps for result in run()}


def failures(found):
    return {subject: result.failure for subject, result in found.items() if not result.passed}


def test_the_reference_passes_in_float32():
    found = results(steps(REFERENCE, REFERENCE))
    assert failures(found) == {}
    assert {"conv2d_forward", "adamw_step", "gradients of cnn", "gradients of cnn, by differences"} < set(found)
    assert all(result.compared and 0 <= result.error_over_tolerance < 1 for result in found.values())


@pytest.mark.slow
def test_the_cpu_passes_with_both_methods():
    ops, exact = load("cpu"), load("cpu", exact=True)
    found = results(steps(ops, exact))
    assert failures(found) == {}
    replaced = {name for name in winograd.OPS if unwrap(getattr(ops, name)) is not unwrap(getattr(exact, name))}
    assert replaced == set(winograd.OPS)
    for name in winograd.OPS:
        by_method = [found[f"{name} ({method})"] for method in ("winograd", "direct", "winograd to direct")]
        assert by_method[0].compared == by_method[2].compared < by_method[1].compared
        assert by_method[2].error_over_tolerance > 0


class DeviceArray:
    """An array that NumPy cannot read, as if it were on another device."""

    def __init__(self, array):
        self._array = array

    def __getitem__(self, at):
        return DeviceArray(self._array[at])

    def __setitem__(self, at, value):
        self._array[at] = value._array if isinstance(value, DeviceArray) else value

    def __len__(self):
        return len(self._array)

    def __array__(self, *_, **__):
        raise TypeError("NumPy cannot read an array on a device")

    def reshape(self, *shape):
        return DeviceArray(self._array.reshape(*shape))

    @property
    def shape(self):
        return self._array.shape


def on_a_device(function):
    """Wrap a function so that it takes arrays of the device only."""

    def called(*arguments):
        assert not any(isinstance(argument, np.ndarray) for argument in arguments)
        function(*(argument._array if isinstance(argument, DeviceArray) else argument for argument in arguments))

    return called


def test_arrays_are_copied_to_the_device_and_back():
    functions = {name: on_a_device(function) for name, function in vars(REFERENCE).items() if callable(function)}
    transfers = {"upload": lambda a: DeviceArray(a.copy()), "download": lambda a: a._array.copy()}
    ops = with_replaced(REFERENCE, **functions | transfers)
    found = results(operations.steps(ops, ops))
    assert failures(found) == {}
    assert len(found) > 30


def _fills_nan(x, y):
    y[...] = np.nan


def _errs_by_one_unit(x, y):
    REFERENCE.relu_forward(x, y)
    y[...] = np.nextafter(y, np.inf)


def _changes_its_input(x, y):
    REFERENCE.relu_forward(x, y)
    x[0, 0] += 1


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_fills_nan, "7 vectors: a value is NaN, or differs"),
        (_errs_by_one_unit, "7 vectors: a value is NaN, or differs"),
        (_changes_its_input, "7 vectors: it changes x or memory next to it"),
    ],
)
def test_a_broken_operation_is_found(broken, message):
    broken_ops = with_replaced(REFERENCE, relu_forward=broken)
    found = failures(results(operations.steps(broken_ops, broken_ops)))
    assert set(found) == {"relu_forward"}
    assert found["relu_forward"].startswith(message)


@pytest.mark.parametrize("broken", ["winograd", "direct"])
def test_the_faulty_method_is_named(broken):
    def faulty(x, weight, bias, stride, top, left, y):
        REFERENCE.conv2d_forward(x, weight, bias, stride, top, left, y)
        y += 0.01

    other = with_replaced(REFERENCE, conv2d_forward=faulty)
    methods = (other, REFERENCE) if broken == "winograd" else (REFERENCE, other)
    found = failures(results(operations.steps(*methods)))
    assert set(found) == {f"conv2d_forward ({broken})", "conv2d_forward (winograd to direct)"}


def _doubles(**arguments):
    dense.dense_backward_weight(**arguments)
    arguments["dweight"] *= 2


def _doubles_too(**arguments):
    fused_reference.dense_backward(**arguments)
    arguments["dweight"] *= 2


DOUBLED = {"dense_backward_weight": _doubles, "dense_backward": _doubles_too}


def test_a_wrong_gradient_of_the_device_is_found():
    found = results(gradients.steps(with_replaced(REFERENCE, **DOUBLED)))
    assert set(failures(found)) == {f"gradients of {name}" for name in gradients.networks()}
    assert found["gradients of mlp"].failure.startswith("dense_")


def test_a_wrong_gradient_of_the_reference_is_found(monkeypatch):
    wrong = with_replaced(REFERENCE, **DOUBLED)
    monkeypatch.setattr(gradients.devices, "load", lambda device: wrong)
    found = failures(results(gradients.steps(wrong)))
    assert set(found) == {f"gradients of {name}, by differences" for name in gradients.networks()}


def test_the_networks_use_every_fused_op():
    called = set()

    def watched(name):
        def call(*arguments, **named):
            called.add(name)
            getattr(REFERENCE, name)(*arguments, **named)

        return call

    results(gradients.steps(with_replaced(REFERENCE, **{name: watched(name) for name in fused.OPS})))
    first_layers = {"conv2d_relu_maxpool_backward_weight", "conv2d_relu_avgpool_backward_weight"}
    assert first_layers < called
    assert called == {name for name in fused.OPS if not name.endswith("_inference")}


@pytest.mark.parametrize("name", gradients.networks())
def test_no_unit_is_near_a_kink(name):
    """Neither rounding errors, of up to 1e-5, nor the steps of differences may move a unit across its kink."""
    loss = gradients.BatchLoss(gradients.networks()[name], gradients.float64_reference(REFERENCE))
    values = loss.network.weights()
    loss.network.build(loss.ops, gradients.IMAGES, fused=False)
    loss.network.set_weights(values)
    assert min(distances_from_kinks(loss.network.layers, loss.x, loss.training)) > 2e-5


def distances_from_kinks(layers, x, training):
    """Yield the smallest distance for each layer with kinks, including nested layers."""
    for layer in layers:
        if isinstance(layer, ReLU):
            yield np.abs(x).min()
        if isinstance(layer, MaxPool2D):
            windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(2, 3))[:, :, ::2, ::2]
            second, largest = np.sort(windows.reshape(-1, 4), axis=1)[:, -2:].T
            yield (largest - second)[largest > 0].min()
        yield from distances_from_kinks(layer.children()[1], x, training)
        x = layer.forward(x, training)


@pytest.mark.parametrize(
    ("actual", "allowed", "expected"),
    [
        ([1.0, 2.0], 0.0, 0.0),
        ([1.0, 2.25], 1.0, 0.25),
        ([0.0, 2.0], 0.5, 2.0),
        ([1.0, 2.25], 0.0, inf),
        ([1.0, np.nan], 1.0, inf),
        ([-np.inf, np.inf], 1.0, inf),
    ],
)
def test_error_over_tolerance(actual, allowed, expected):
    assert compare.error_over_tolerance(np.array(actual), np.array([1.0, 2.0]), allowed) == expected


def test_error_over_tolerance_of_bytes_does_not_wrap_around():
    """0 - 1 is -1, not 255."""
    assert compare.error_over_tolerance(np.array([0], np.uint8), np.array([1], np.uint8), 4.0) == 0.25

"""Operations on one image at a time, in plain Python and compiled, against their definitions."""

import numpy as np
import pytest

from fastdigits.ops import MAX_SEQUENTIAL_IMAGES, inference_ops, load
from fastdigits.ops.variants import single_image

pytestmark = pytest.mark.slow

LANES, OPS = 1, single_image.OPS
FEW_SIZES = "conv2d_forward", "conv2d_relu_avgpool_forward"  # for the reason in test_cpu.py
CPU, REFERENCE = load("cpu"), load("reference")
SINGLE = inference_ops(CPU, 1)


def test_agrees_with_definition(checks, compiled_call):
    checks.check(getattr(SINGLE, compiled_call.op), _definition(compiled_call.op), _without_pool_mask(compiled_call))


def test_agrees_with_definition_in_plain_python(checks, plain_ops, call):
    single = plain_ops("variants.single_image")
    checks.check(getattr(single, call.op), _definition(call.op), _without_pool_mask(call))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(3, 3), (28, 28), (9, 40)])
@pytest.mark.parametrize("op", ["conv2d_relu_forward", "conv2d_relu_maxpool_forward"])
def test_any_number_of_channels_in_the_lanes(checks, op, size, channels):
    """From a single filled lane to more columns or channels than two vectors hold."""
    rng = np.random.default_rng(0)
    for outputs in (1, 6, 16, 33):
        x, weight, bias = (
            rng.normal(size=(2, channels, *size, 1)),
            rng.normal(size=(outputs, channels, 3, 3)),
            rng.normal(size=outputs),
        )
        shape = (2, outputs, *(n if op == "conv2d_relu_forward" else n // 2 for n in size), 1)
        y, exact, pool_mask = np.full(shape, np.nan, np.float32), np.empty(shape), np.zeros(shape, np.uint8)
        place, more = ((1, 1, 1), ()) if op == "conv2d_relu_forward" else ((1, 1), (pool_mask,))
        getattr(SINGLE, op)(*(a.astype(np.float32) for a in (x, weight, bias)), *place, y, *more)
        getattr(REFERENCE, op)(x, weight, bias, *place, exact, *more)
        checks.assert_close(y, exact, 9 * channels + 1, scale=8)


def test_only_few_images_on_the_cpu_are_read_one_by_one():
    assert inference_ops(CPU, MAX_SEQUENTIAL_IMAGES).lanes == 1
    assert inference_ops(CPU, MAX_SEQUENTIAL_IMAGES + 1) is CPU
    assert inference_ops(REFERENCE, 1) is REFERENCE


def _definition(op):
    """Return the definition that fills y and leaves pool_mask, which only training needs, unchanged."""
    if "pool" not in op:
        return getattr(REFERENCE, op)
    return lambda *arguments: getattr(REFERENCE, op)(*arguments[:-1], arguments[-1].copy())


def _without_pool_mask(call):
    return call._replace(outputs=tuple(name for name in call.outputs if name != "pool_mask"))

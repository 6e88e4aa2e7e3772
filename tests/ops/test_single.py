"""Operations on one image at a time, in plain Python and compiled, against their definitions."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastdigits.ops import MAX_SEQUENTIAL_IMAGES, inference_ops, load
from fastdigits.ops.runtime import replay, team
from fastdigits.ops.variants import single_image
from fastdigits.ops.variants.single_image_winograd import cpu as winograd

pytestmark = pytest.mark.slow

LANES, OPS = 1, single_image.OPS
FEW_SIZES = "conv2d_forward", "conv2d_relu_avgpool_forward"  # for the reason in test_cpu.py
CPU, REFERENCE = load("cpu"), load("reference")
SINGLE = inference_ops(CPU, 1)


def test_agrees_with_definition(checks, compiled_call):
    checks.check(getattr(SINGLE, compiled_call.op), _definition(compiled_call.op), _without_pool_mask(compiled_call))


def test_agrees_with_definition_in_plain_python(checks, plain_ops, call):
    single = plain_ops("variants.single_image", "variants.single_image_winograd")
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


class Convolution:
    """A convolution of 3 x 3 kernels by Winograd's method, with padding."""

    def __init__(self, seed=0, size=(10, 10), top=1):
        self.rng, self.top = np.random.default_rng(seed), top
        self.x = self.random(1, 17, *size, 1)
        self.weight, self.bias = self.random(20, 17, 3, 3), self.random(20)
        self.y = np.full((1, 20, 10, 10, 1), np.nan, np.float32)
        assert winograd.suits(self.weight, 1, self.y, winograd.PLAIN)

    def random(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def run(self, ops=SINGLE):
        ops.conv2d_forward(self.x, self.weight, self.bias, 1, self.top, self.top, self.y)
        return self.y

    def sums(self):
        """Return the definition in float64."""
        exact = np.empty(self.y.shape)
        arguments = (a.astype(float) for a in (self.x, self.weight, self.bias))
        REFERENCE.conv2d_forward(*arguments, 1, self.top, self.top, exact)
        return exact

    def check(self, checks):
        checks.assert_close(self.y, self.sums(), 9 * 17 + 1, scale=8)


def test_changed_weights_are_transformed_again(checks):
    convolution = Convolution()
    captured = SINGLE.captured(convolution.run)
    for call in range(replay.RECORDED_CALL + 3):
        convolution.weight[0, call % 17, call % 3] += 1
        captured()
        convolution.check(checks)
    assert captured.replays


def test_one_kernel_may_serve_images_of_several_sizes(checks):
    """Their padding differs although the outputs have the same size."""
    convolution, image = Convolution(), Convolution().x
    for _ in range(2):
        for size in (10, 12):
            convolution.top = (12 - size) // 2
            convolution.x = np.ascontiguousarray(np.resize(image, (1, 17, size, size, 1)))
            convolution.run()
            convolution.check(checks)


def test_several_threads_use_one_kernel_at_once():
    convolutions = [Convolution(seed) for seed in range(4)]
    expected = []
    for convolution in convolutions:
        convolution.weight, convolution.bias = convolutions[0].weight, convolutions[0].bias
        expected.append(convolution.run().copy())
    forwards = [SINGLE.captured(convolution.run) for convolution in convolutions]
    for forward in forwards:  # recorded in one thread, replayed in others
        for _ in range(replay.RECORDED_CALL):
            forward()

    def work(number):
        return all(np.array_equal(forwards[number](), expected[number]) for _ in range(3000))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))


def test_transformed_weights_last_as_long_as_the_weights():
    gc.collect()
    before, convolution = len(winograd._KEPT.workspaces), Convolution()
    convolution.run()
    assert len(winograd._KEPT.workspaces) == before + 1
    del convolution
    gc.collect()
    assert len(winograd._KEPT.workspaces) == before


def test_exact_operations_sum_directly():
    convolution, exact = Convolution(), inference_ops(load("cpu", exact=True), 1)
    sums = convolution.sums()
    for ops, stated in ((SINGLE, 2e-5), (exact, 2e-6)):
        assert np.abs(convolution.run(ops) - sums).max() < stated * np.abs(sums).max()


def test_a_replay_on_one_image_uses_one_core(monkeypatch):
    """A team would keep another core busy for nothing."""
    monkeypatch.setattr(team._TEAM, "run", pytest.fail)
    convolution = Convolution()
    _, calls = replay.record(convolution.run)
    replay.replay_of(calls)()


def test_only_few_images_on_the_cpu_are_read_one_by_one():
    assert inference_ops(CPU, MAX_SEQUENTIAL_IMAGES).lanes == 1
    assert inference_ops(CPU, MAX_SEQUENTIAL_IMAGES + 1) is CPU
    assert inference_ops(REFERENCE, 1) is REFERENCE


def _definition(op):
    """Return the definition that fills y and leaves pool_mask, which only training needs, unchanged."""
    if op not in ("conv2d_relu_maxpool_forward", "conv2d_relu_avgpool_forward"):
        return getattr(REFERENCE, op)
    return lambda *arguments: getattr(REFERENCE, op)(*arguments[:-1], arguments[-1].copy())


def _without_pool_mask(call):
    return call._replace(outputs=tuple(name for name in call.outputs if name != "pool_mask"))

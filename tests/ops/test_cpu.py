"""Every operation on the CPU: results, determinism, and accuracy for extreme inputs."""

import inspect
from functools import cache

import numba
import numpy as np
import pytest

from fastdigits.ops import load
from fastdigits.ops.lanes import bind, cpu, math

pytestmark = pytest.mark.slow

CPU, REFERENCE = load("cpu"), load("reference")
LANES = CPU.lanes
# The same kernels are compiled for every size as conv2d_relu_forward and with maximum pooling. In plain Python, all
# operations run with every size.
FEW_SIZES = "conv2d_forward", "conv2d_relu_avgpool_forward"
LARGEST = np.finfo(np.float32).max
DENORMAL = np.finfo(np.float32).smallest_subnormal
EXTREME = np.float32([0.0, -0.0, DENORMAL, -DENORMAL, 87.5, -87.5, 104, -104, 1e4, -1e4, LARGEST, -LARGEST])


def test_agrees_with_definition(checks, compiled_call):
    checks.check(getattr(CPU, compiled_call.op), getattr(REFERENCE, compiled_call.op), compiled_call)


@pytest.fixture
def thread_counts():
    """All threads, all threads again, then one; restores all threads after the test."""
    most = numba.get_num_threads()
    if most == 1:
        pytest.skip("one core has one thread")
    yield most, most, 1
    numba.set_num_threads(most)


def test_same_bits_again_and_at_any_thread_count(checks, thread_counts, compiled_call):
    results = []
    for threads in thread_counts:
        numba.set_num_threads(threads)
        results.append(checks.run(getattr(CPU, compiled_call.op), compiled_call))
    for name in compiled_call.outputs:
        first, again, alone = (result[name].tobytes() for result in results)
        assert first == again
        assert first == alone


def test_every_operation_is_called(calls):
    called = {call.op for call in calls(LANES)}
    not_called = {name for name in vars(REFERENCE) if callable(getattr(REFERENCE, name))} - called
    assert not_called == {"empty", "zeros", "upload", "download", "captured"}


def test_calls_give_arguments_in_order(calls):
    for call in calls(LANES):
        assert list(call.arguments) == list(inspect.signature(getattr(REFERENCE, call.op)).parameters)


@pytest.mark.parametrize(
    ("name", "function", "first", "last"),
    [("exp", np.exp, -87, 88), ("log", np.log, np.finfo(np.float32).tiny, LARGEST), ("tanh", np.tanh, -10, 10)],
)
def test_relative_error_of_math_functions(checks, name, function, first, last):
    """Relative errors are below the 2e-7 that lanes/math.py states, over the whole range."""
    x = _spread(first, last)
    y = np.full_like(x, np.nan)
    _compiled(name)(x, y)
    exact = function(x.astype(np.float64))
    x, y, exact = (a[exact != 0] for a in (x, y, exact))
    assert np.isfinite(y).all()
    assert np.abs(y / exact - 1).max() < 2e-7


def test_absolute_error_of_sine_of_turns():
    x = np.resize(np.float32(np.arange(-4096, 4097) / 1024), (600, LANES))
    y = np.full_like(x, np.nan)
    _compiled("sine_of_turns")(x, y)
    assert np.abs(y - np.sin(2 * np.pi * x.astype(float))).max() < 2e-7
    assert (y[x % 0.5 == 0] == 0).all()
    assert (np.abs(y[(x % 0.5 == 0.25)]) > 1 - 2e-7).all()


def test_exp_and_log_at_the_ends_of_their_range():
    """Beyond the normal numbers, exp gives 0 and infinity. Infinity and NaN stay."""
    expected = {0.0: 1, DENORMAL: 1, -87.7: 0, -LARGEST: 0, -np.inf: 0, 88.4: np.inf, LARGEST: np.inf, np.inf: np.inf}
    for number, result in (*expected.items(), (np.nan, np.nan)):
        x, y = np.full((1, LANES), number, np.float32), np.zeros((1, LANES), np.float32)
        _compiled("exp")(x, y)
        np.testing.assert_array_equal(y, np.full_like(x, result))
    for number in (np.inf, np.nan):
        x, y = np.full((1, LANES), number, np.float32), np.zeros((1, LANES), np.float32)
        _compiled("log")(x, y)
        np.testing.assert_array_equal(y, x)


def test_subnormal_numbers_become_0_and_all_others_stay():
    tiny = np.finfo(np.float32).tiny
    below = np.nextafter(tiny, np.float32(0))
    stay = [0.0, tiny, -tiny, 1.0, -LARGEST, np.inf, -np.inf, np.nan]
    for numbers, results in ((stay, stay), ([below, -below, DENORMAL], [0, 0, 0])):
        x = np.repeat(np.float32(numbers)[:, None], LANES, 1)
        y = np.ones_like(x)
        _compiled("without_subnormal")(x, y)
        np.testing.assert_array_equal(y, np.repeat(np.float32(results)[:, None], LANES, 1))


def test_a_mean_that_shrinks_without_gradients_becomes_0(checks):
    checks.check_shrinking_means(CPU)


def test_sigmoid_and_tanh_of_extreme_inputs(checks):
    x = np.resize(EXTREME, (len(EXTREME), LANES))
    for op in ("sigmoid_forward", "tanh_forward"):
        y, exact = np.full_like(x, np.nan), np.empty(x.shape)
        getattr(CPU, op)(x, y)
        getattr(REFERENCE, op)(x.astype(np.float64), exact)
        checks.assert_close(y, exact, terms=1)


def test_tanh_is_odd_and_the_identity_for_small_numbers():
    x = np.resize(np.float32([DENORMAL, 1e-30, 1e-4, 0.6, 0.63, 3, 20]), (7, LANES))
    y, mirrored = np.empty_like(x), np.empty_like(x)
    CPU.tanh_forward(x, y)
    CPU.tanh_forward(-x, mirrored)
    assert np.array_equal(mirrored, -y)
    assert np.array_equal(y[x <= 1e-4], x[x <= 1e-4])


@pytest.mark.parametrize("inputs", ["normal", "positive"])
def test_error_of_winograds_method_is_as_stated(inputs):
    """Its results are within 2e-5 of the largest number, and those of direct sums within 2e-6."""
    rng, (C, H) = np.random.default_rng(0), (16, 14)
    x = (rng.standard_normal if inputs == "normal" else rng.random)((2, C, H, H, LANES)).astype(np.float32)
    weight, bias = rng.standard_normal((C, C, 3, 3)).astype(np.float32), np.zeros(C, np.float32)
    y, exact = np.empty_like(x), np.empty(x.shape)
    REFERENCE.conv2d_forward(x.astype(float), weight.astype(float), bias.astype(float), 1, 1, 1, exact)
    for ops, stated in ((CPU, 2e-5), (load("cpu", exact=True), 2e-6)):
        ops.conv2d_forward(x, weight, bias, 1, 1, 1, y)
        assert np.abs(y - exact).max() < stated * np.abs(exact).max()


@pytest.mark.parametrize("size", [0, DENORMAL, 1, 88, 1e4, LARGEST / 4])
def test_losses_of_extreme_scores(checks, size):
    """Scores from equal to so far apart that all probabilities but one vanish."""
    scores = np.float32(size) * np.resize(np.float32([[1], [-1], [0.5]]), (1, 3, LANES))
    targets = (np.arange(LANES, dtype=np.float32) % 3)[None]
    shapes = {"probabilities": (1, 3, LANES), "loss": (1, LANES), "dscores": (1, 3, LANES)}
    filled, exact = ({name: np.full(shape, np.nan, t) for name, shape in shapes.items()} for t in (np.float32, float))
    for ops, result, x in ((CPU, filled, scores), (REFERENCE, exact, scores.astype(float))):
        ops.softmax(x, result["probabilities"])
        ops.softmax_cross_entropy(x, targets, LANES, 0.0, result["loss"], result["dscores"])
    checks.assert_close(filled["probabilities"], exact["probabilities"], terms=3)
    checks.assert_close(filled["loss"], exact["loss"], terms=3, scale=max(1, 2 * float(size)))
    checks.assert_close(filled["dscores"], exact["dscores"], terms=3)


@pytest.mark.parametrize(
    ("name", "options"),
    [("relu", ()), ("leaky_relu", (0.1,)), *((name, ()) for name in ("sigmoid", "tanh", "gelu", "silu"))],
)
def test_activation_keeps_nan(name, options):
    """A layer must not hide that the training has diverged."""
    x, y = np.full((1, LANES), np.nan, np.float32), np.zeros((1, LANES), np.float32)
    getattr(CPU, f"{name}_forward")(x, *options, y)
    assert np.isnan(y).all()


@pytest.mark.parametrize("nan_at", [0, 1, 2])
def test_cross_entropy_keeps_nan(nan_at):
    """One NaN score makes the loss and all gradients NaN."""
    scores, targets = np.zeros((1, 3, LANES), np.float32), np.zeros((1, LANES), np.float32)
    scores[:, nan_at] = np.nan
    loss, dscores = np.zeros_like(targets), np.zeros_like(scores)
    CPU.softmax_cross_entropy(scores, targets, LANES, 0.0, loss, dscores)
    assert np.isnan(loss).all()
    assert np.isnan(dscores).all()


def _spread(first, last):
    """Return numbers from first to last in vectors of LANES: evenly and geometrically spaced, and close to 0 and 1."""
    even = np.linspace(first, last, 20000)
    exponents = np.geomspace(1e-37, LARGEST, 20000)
    x = np.concatenate([even, exponents, -exponents, 1 + np.linspace(-1e-3, 1e-3, 2000), [first, last]])
    x = np.clip(x, first, last).astype(np.float32)
    return np.resize(x, (len(x) // LANES, LANES))


@cache
def _compiled(name):
    """Compile a function of lanes/math.py for the CPU, as f(x, y) on arrays (V, LANES)."""
    function = bind(getattr(math, name), cpu)

    @numba.njit
    def apply(x, y):
        for v in range(len(x)):
            cpu.store(y, (v,), function(cpu.load(x, (v,))))

    return apply


def test_ctc_loss_is_that_of_pytorch():
    """500 batches of random scores, among them labels that are empty, repeated, and too long for their steps."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    for _ in range(500):
        B, K, T, S = 2, int(rng.integers(2, 14)), int(rng.integers(1, 30)), int(rng.integers(1, 10))
        scores = rng.normal(size=(B, K, T, LANES)).astype(np.float32) * np.float32(rng.choice([0.3, 2, 8]))
        labels = rng.integers(0, min(K - 1, rng.choice([2, 13])), (B, S, LANES)).astype(np.float32)
        lengths, steps = rng.integers(0, S + 1, (B, LANES)), rng.integers(1, T + 1, (B, LANES)).astype(np.float32)
        labels[np.arange(S)[:, None] >= lengths[:, None]] = -1
        states = [np.empty((B, T, 2 * S + 1, LANES), np.float32) for _ in range(2)]
        loss, dscores = np.empty((B, LANES), np.float32), np.empty_like(scores)
        CPU.ctc_loss(scores, labels, steps, B * LANES, *states, loss, dscores)

        x = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
        log_p = x.permute(2, 0, 3, 1).reshape(T, B * LANES, K).log_softmax(2)
        targets = torch.tensor(labels.clip(0)).permute(0, 2, 1).reshape(B * LANES, S).long()
        counts = [torch.tensor(numbers.ravel()).long() for numbers in (steps, lengths)]
        settings = {"blank": K - 1, "reduction": "none", "zero_infinity": True}
        expected = torch.nn.functional.ctc_loss(log_p, targets, *counts, **settings)
        expected.mean().backward()
        possible = np.isfinite(loss)
        assert not expected.detach().numpy().reshape(B, LANES)[~possible].any()
        largest = T * max(1.0, float(np.abs(scores).max()))  # of the sums of log-probabilities
        allowed = 8 * largest * np.finfo(np.float32).eps
        assert np.abs(loss - expected.detach().numpy().reshape(B, LANES))[possible].max(initial=0) <= allowed * K
        assert np.abs(dscores - x.grad.numpy()).max() * B * LANES <= allowed

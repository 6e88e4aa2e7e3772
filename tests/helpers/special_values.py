"""Operations on NaN, infinity, subnormal and huge numbers, next to what PyTorch computes.

`CASES` has one function for each operation. It calls the operation with one number, or one image, in each row, and
returns the outputs as a table (rows, numbers). `in_pytorch` computes the same tables with PyTorch, and `expected` reads
what version 2.13 gave, so that PyTorch need not be installed.

Run this file with PyTorch installed to write that file again.
"""

import json
import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NAN, INF, HUGE, SUBNORMAL = math.nan, math.inf, 3e38, 1e-40
NUMBERS = (NAN, INF, -INF, HUGE, -HUGE, 1e20, -1e20, 60.0, -60.0, 1.5, -1.5, SUBNORMAL, -SUBNORMAL, 0.0, -0.0)
GRADIENTS = (1.0, NAN, INF, -INF, HUGE)
PAIRS = tuple((x, d) for x in NUMBERS for d in GRADIENTS)
SLOPE = 0.25

WINDOWS = (
    *((NAN, 1, 2, 3), (1, NAN, 2, 3), (3, 1, NAN, 2), (1, 2, 3, NAN), (-1, -2, NAN, -3)),
    *((NAN, 1, NAN, 3), (NAN, NAN, NAN, NAN), (NAN, INF, 1, 2), (INF, 1, 2, NAN), (-INF, NAN, -INF, -INF)),
    *((INF, 1, INF, 2), (1, -INF, INF, 2), (-INF, -INF, -INF, -INF), (-INF, -1, -INF, -2), (INF, -INF, 1, 2)),
    *(
        (HUGE, HUGE, 1, 2),
        (-HUGE, -HUGE, -HUGE, -HUGE),
        (SUBNORMAL, 0, -0.0, -SUBNORMAL),
        (-0.0, 0, 0, 0),
        (1, 2, 3, 4),
    ),
)

# three scores and the target
SCORES = tuple(
    (*scores, target)
    for scores in (
        *((-INF, 1, 2), (1, -INF, 2), (1, 2, -INF), (-INF, -INF, 2), (-INF, -INF, -INF)),
        *((NAN, 1, 2), (1, NAN, 2), (1, 2, NAN), (NAN, NAN, NAN), (NAN, -INF, 1)),
        *((INF, 1, 2), (1, 2, INF), (INF, INF, 1), (INF, -INF, 1), (INF, NAN, 1)),
        *((1e38, 1, 2), (1, -1e38, 2), (1e38, -1e38, 0), (1e38, 1e38, 0), (1, 100, 2), (200, 0, -200)),
        *((SUBNORMAL, 0, -0.0), (0, 0, 0), (1, 2, 3)),
    )
    for target in (0, 1, 2)
)

# five channels of a pixel, and the gradients of the outputs
CHANNELS = tuple(
    (x, *others, *gradients)
    for x in (NAN, INF, -INF, HUGE, 1e20, SUBNORMAL, -0.0, 2.0)
    for others in ((1, 2, 3, 4),)
    for gradients in ((1, 2, 1, 2, 1), (1, INF, 1, 1, 1), (NAN, 1, 1, 1, 1))
)
SIZE, ALPHA, BETA, K = 3, 0.25, 0.75, 1.5

BATCHES = (  # four pixels of one channel, and the gradients of the outputs
    *((1, 2, 3, 4, 1, 2, 1, 2), (NAN, 2, 3, 4, 1, 2, 1, 2), (INF, 2, 3, 4, 1, 2, 1, 2), (1, 2, -INF, 4, 1, 2, 1, 2)),
    *((1, 1, 1, 1, 1, 2, 1, 2), (SUBNORMAL, -0.0, 0, 0, 1, 2, 1, 2), (1, 2, 3, 4, NAN, 2, 1, 2)),
    *((1, 2, 3, 4, 1, INF, 1, 2), (HUGE, 2, 3, 4, 1, 2, 1, 2)),
)
EPSILON, MOMENTUM = 0.125, 0.25

# parameter and gradient
STEPS = tuple((p, g) for p in (1.0, NAN, INF, HUGE) for g in (NAN, INF, -INF, HUGE, 1e20, 1e-30, SUBNORMAL, 0.0, 1.0))
RATE, DECAY = 0.125, 0.25

NORMS = (  # three gradients to clip
    *((1, 2, 3), (NAN, 1, 2), (INF, 1, 2), (1, -INF, 2), (INF, NAN, 1), (HUGE, 1, 2), (1e18, 1e18, 1), (0, 0, 0)),
    *((SUBNORMAL, 0, 0), (-0.0, 1e-3, 0)),
)
LIMIT = 1.0

AVERAGED = tuple((new, old) for new in (NAN, 1e20, 1.0, SUBNORMAL) for old in (NAN, 1e20, 1.0, -0.0))

Table = np.ndarray
EXPECTED_PATH = Path(__file__).with_suffix(".json")


def _column(values, index: int | None = None) -> np.ndarray:
    return np.array([row if index is None else row[index] for row in values], np.float32)


class Arrays:
    """Device arrays whose lanes all hold the same number."""

    def __init__(self, ops: Any):
        self.ops = ops

    def up(self, values: Any, *shape: int) -> Any:
        """Upload values of a shape without lanes, repeated in all lanes."""
        values = np.asarray(values, np.float32).reshape(*shape)
        return self.ops.upload(np.repeat(values[..., None], self.ops.lanes, -1))

    def plain(self, values: Any, *shape: int) -> Any:
        """Upload values that have no lanes."""
        return self.ops.upload(np.asarray(values, np.float32).reshape(*shape))

    def new(self, *shape: int, dtype: Any = np.float32) -> Any:
        """Return an output array, filled with a number that no operation gives."""
        return self.ops.upload(np.full((*shape, self.ops.lanes), 77, dtype))

    def table(self, array: Any, rows: int) -> Table:
        """Download an array; assert that all lanes are equal, and return one as a table."""
        values = self.ops.download(array)
        lane = values[..., :1]
        assert np.array_equal(values, np.broadcast_to(lane, values.shape), equal_nan=True)
        return lane[..., 0].reshape(rows, -1)


def _activation(name: str, backward: bool, output: bool, *options: float) -> Callable[[Any], Table]:
    """Return the case of an activation. If `output` is set, its gradient takes the output y, else the input x."""

    def forward(ops: Any) -> Table:
        a = Arrays(ops)
        x, y = a.up(NUMBERS, len(NUMBERS)), a.new(len(NUMBERS))
        getattr(ops, f"{name}_forward")(x, *options, y)
        return a.table(y, len(NUMBERS))

    def gradient(ops: Any) -> Table:
        a = Arrays(ops)
        x, dy, y, dx = (
            a.up(_column(PAIRS, 0), len(PAIRS)),
            a.up(_column(PAIRS, 1), len(PAIRS)),
            *(a.new(len(PAIRS)) for _ in range(2)),
        )
        getattr(ops, f"{name}_forward")(x, *options, y)
        getattr(ops, f"{name}_backward")(y if output else x, dy, *options, dx)
        return a.table(dx, len(PAIRS))

    return gradient if backward else forward


def _pool(name: str) -> Callable[[Any], Table]:
    def case(ops: Any) -> Table:
        a, N = Arrays(ops), len(WINDOWS)
        x, y = a.up(WINDOWS, N, 1, 2, 2), a.new(N, 1, 1, 1)
        dy, dx = a.up(np.full(N, 2.0), N, 1, 1, 1), a.new(N, 1, 2, 2)
        getattr(ops, f"{name}pool2d_forward")(x, (2, 2), 2, y)
        inputs = (x, dy) if name == "max" else (dy,)
        getattr(ops, f"{name}pool2d_backward")(*inputs, (2, 2), 2, dx)
        return np.hstack([a.table(y, N), a.table(dx, N)])

    return case


def _fused_pool(name: str, backward: bool, relu_input: bool = False) -> Callable[[Any], Table]:
    """Pool the ReLU of a 1 x 1 convolution that changes nothing."""

    def case(ops: Any) -> Table:
        a, N = Arrays(ops), len(WINDOWS)
        x, y, mask = a.up(WINDOWS, N, 1, 2, 2), a.new(N, 1, 1, 1), a.new(N, 1, 1, 1, dtype=np.uint8)
        weight, bias = a.plain([1], 1, 1, 1, 1), a.plain([0], 1)
        getattr(ops, f"conv2d_relu_{name}pool_forward")(x, weight, bias, 0, 0, y, mask)
        if not backward:
            return a.table(y, N)
        dy, dx, dweight, dbias = (
            a.up(np.full(N, 2.0), N, 1, 1, 1),
            a.new(N, 1, 2, 2),
            a.plain([0], 1, 1, 1, 1),
            a.plain([0], 1),
        )
        backward_op = getattr(ops, f"conv2d_relu_{name}pool_backward")
        backward_op(x, dy, mask, weight, 0, 0, relu_input, dx, dweight, dbias)
        return a.table(dx, N)

    return case


def _conv2d(relu: bool) -> Callable[[Any], Table]:
    def case(ops: Any) -> Table:
        a, N = Arrays(ops), len(NUMBERS)
        x, y = a.up(NUMBERS, N, 1, 1, 1), a.new(N, 1, 1, 1)
        weight, bias = a.plain([1], 1, 1, 1, 1), a.plain([0], 1)
        getattr(ops, "conv2d_relu_forward" if relu else "conv2d_forward")(x, weight, bias, 1, 0, 0, y)
        return a.table(y, N)

    return case


def _conv2d_backward(ops: Any) -> Table:
    """The gradient of the input of a ReLU before a convolution that changes nothing."""
    a, N = Arrays(ops), len(PAIRS)
    x, dy, dx = a.up(_column(PAIRS, 0), N, 1, 1, 1), a.up(_column(PAIRS, 1), N, 1, 1, 1), a.new(N, 1, 1, 1)
    dweight, dbias = a.plain([0], 1, 1, 1, 1), a.plain([0], 1)
    ops.conv2d_backward(x, dy, a.plain([1], 1, 1, 1, 1), 1, 0, 0, True, dx, dweight, dbias)
    return a.table(dx, N)


def _dense(relu: bool) -> Callable[[Any], Table]:
    def case(ops: Any) -> Table:
        a, N = Arrays(ops), len(NUMBERS)
        x, y = a.up(NUMBERS, N, 1), a.new(N, 1)
        getattr(ops, "dense_relu_forward" if relu else "dense_forward")(x, a.plain([1], 1, 1), a.plain([0], 1), y)
        return a.table(y, N)

    return case


def _dense_backward(ops: Any) -> Table:
    a, N = Arrays(ops), len(PAIRS)
    x, dy, dx = a.up(_column(PAIRS, 0), N, 1), a.up(_column(PAIRS, 1), N, 1), a.new(N, 1)
    ops.dense_backward(x, dy, a.plain([1], 1, 1), True, dx, a.plain([0], 1, 1), a.plain([0], 1))
    return a.table(dx, N)


def _add_relu(ops: Any) -> Table:
    a, N = Arrays(ops), len(PAIRS)
    y = a.new(N)
    ops.add_relu(a.up(_column(PAIRS, 0), N), a.up(_column(PAIRS, 1), N), y)
    return a.table(y, N)


def _dropout(ops: Any) -> Table:
    a, N = Arrays(ops), len(NUMBERS)
    tables = []
    for keep in (0, 1):
        y = a.new(N)
        mask = ops.upload(np.full((N, ops.lanes), keep, np.uint8))
        ops.dropout(a.up(NUMBERS, N), mask, 0.25, y)
        tables.append(a.table(y, N))
    return np.hstack(tables)


def _lrn(ops: Any) -> Table:
    a, N = Arrays(ops), len(CHANNELS)
    x, dy = a.up(np.array(CHANNELS)[:, :5], N, 5, 1), a.up(np.array(CHANNELS)[:, 5:], N, 5, 1)
    base, y, dx = (a.new(N, 5, 1) for _ in range(3))
    ops.lrn_forward(x, SIZE, ALPHA, BETA, K, base, y)
    ops.lrn_backward(x, y, dy, base, SIZE, ALPHA, BETA, dx)
    return np.hstack([a.table(y, N), a.table(dx, N)])


def _batchnorm(relu: str) -> Callable[[Any], Table]:
    """Normalize one image of four pixels for each row, and take the gradient."""

    def case(ops: Any) -> Table:
        a, rows = Arrays(ops), []
        ones, zeros = np.ones(1), np.zeros(1)
        for batch in BATCHES:
            x, dy = a.up(batch[:4], 1, 1, 4), a.up(batch[4:], 1, 1, 4)
            gamma, beta, running_mean, running_var = (a.plain(v, 1) for v in (2 * ones, ones, zeros, ones))
            mean, var, dgamma, dbeta = (a.plain(zeros, 1) for _ in range(4))
            y, dx = a.new(1, 1, 4), a.new(1, 1, 4)
            settings = (gamma, beta, 1, EPSILON, MOMENTUM, running_mean, running_var, mean, var)
            getattr(ops, f"batchnorm_{relu}forward")(x, *settings, y)
            passed = (x, y, dy) if relu else (x, dy)
            getattr(ops, f"batchnorm_{relu}backward")(*passed, gamma, mean, var, 1, EPSILON, dgamma, dbeta, dx)
            numbers = [ops.download(v) for v in (running_mean, running_var, dgamma, dbeta)]
            first = [ops.download(v)[..., 0].ravel() for v in (y, dx)]  # the other lanes hold no image
            rows.append(np.concatenate([*first, *numbers]))
        return np.array(rows)

    return case


def _batchnorm_inference(relu: str) -> Callable[[Any], Table]:
    def case(ops: Any) -> Table:
        a, N = Arrays(ops), len(NUMBERS)
        y = a.new(N, 1, 1)
        numbers = (a.plain([v], 1) for v in (2, 1, 0.5, 3))
        getattr(ops, f"batchnorm_{relu}inference")(a.up(NUMBERS, N, 1, 1), *numbers, 1.0, y)
        return a.table(y, N)

    return case


def _softmax(ops: Any) -> Table:
    a, N = Arrays(ops), len(SCORES)
    probabilities = a.new(N, 3)
    ops.softmax(a.up(np.array(SCORES)[:, :3], N, 3), probabilities)
    return a.table(probabilities, N)


def _loss(name: str, smoothing: float) -> Callable[[Any], Table]:
    def case(ops: Any) -> Table:
        a, N = Arrays(ops), len(SCORES)
        scores, targets = a.up(np.array(SCORES)[:, :3], N, 3), a.up(_column(SCORES, 3), N)
        loss, dscores = a.new(N), a.new(N, 3)
        getattr(ops, name)(scores, targets, 1, smoothing, loss, dscores)
        return np.hstack([a.table(loss, N), a.table(dscores, N)])

    return case


def _hits(ops: Any) -> Table:
    a, N = Arrays(ops), len(SCORES)
    hits, totals = a.new(N), ops.zeros((2,), np.float64)
    ops.accumulate_metrics(
        a.up(np.array(SCORES)[:, :3], N, 3), a.up(_column(SCORES, 3), N), a.up(np.zeros(N), N), hits, totals
    )
    return a.table(hits, N)


def _step(name: str) -> Callable[[Any], Table]:
    """Two steps with the same gradient."""

    def case(ops: Any) -> Table:
        a, N = Arrays(ops), len(STEPS)
        parameter, gradient, first, second = (
            a.up(v, N) for v in (_column(STEPS, 0), _column(STEPS, 1), [0] * N, [0] * N)
        )
        rate = a.plain([RATE], 1)
        for number in (1, 2):
            step = ops.upload(np.array([number]))
            match name:
                case "sgd":
                    ops.sgd_step(parameter, gradient, rate, DECAY)
                case "momentum" | "nesterov":
                    getattr(ops, f"{name}_step")(parameter, gradient, first, rate, 0.5, DECAY)
                case _:
                    update = getattr(ops, f"{name}_step")
                    update(parameter, gradient, first, second, rate, step, 0.5, 0.75, 0.125, DECAY)
        return a.table(parameter, N)

    return case


def _clip(ops: Any) -> Table:
    rows = []
    for gradients in NORMS:
        padded = np.zeros((3, ops.lanes), np.float32)
        padded[:, 0] = gradients
        gradient, sums, factor = ops.upload(padded), ops.zeros((2,)), ops.zeros((1,))
        ops.clip_norm(gradient, LIMIT, sums, factor)
        rows.append(ops.download(gradient)[:, 0])
    return np.array(rows)


def _accumulate(ops: Any) -> Table:
    rows = []
    for values in NORMS:
        total = ops.zeros((1,), np.float64)
        ops.accumulate(ops.upload(np.array(values, np.float32)), total)
        rows.append(ops.download(total))
    return np.array(rows)


def _average(ops: Any) -> Table:
    """The second of two steps of the moving average; PyTorch's `lerp` is the same."""
    a, N = Arrays(ops), len(AVERAGED)
    average = a.up(_column(AVERAGED, 1), N)
    ops.average_step(a.up(_column(AVERAGED, 0), N), ops.upload(np.array([2])), 0.5, average)
    return a.table(average, N)


INFERENCE = {  # those that the CPU also has for single images
    "conv2d": _conv2d(relu=False),
    "conv2d_relu": _conv2d(relu=True),
    "conv2d_relu_maxpool": _fused_pool("max", backward=False),
    "conv2d_relu_avgpool": _fused_pool("avg", backward=False),
    "dense": _dense(relu=False),
    "dense_relu": _dense(relu=True),
    "softmax": _softmax,
}
CASES: dict[str, Callable[[Any], Table]] = {
    **INFERENCE,
    **{
        f"{name} {'backward' if backward else 'forward'}": _activation(name, backward, output, *options)
        for name, output, options in (
            ("relu", True, ()),
            ("leaky_relu", True, (SLOPE,)),
            ("sigmoid", True, ()),
            ("tanh", True, ()),
            ("gelu", False, ()),
            ("silu", False, ()),
        )
        for backward in (False, True)
    },
    "maxpool2d": _pool("max"),
    "avgpool2d": _pool("avg"),
    "conv2d_relu_maxpool backward": _fused_pool("max", backward=True),
    "conv2d_relu_avgpool backward": _fused_pool("avg", backward=True),
    "conv2d_relu_maxpool backward, ReLU before": _fused_pool("max", backward=True, relu_input=True),
    "conv2d_backward": _conv2d_backward,
    "dense_backward": _dense_backward,
    "add_relu": _add_relu,
    "dropout": _dropout,
    "lrn": _lrn,
    "batchnorm": _batchnorm(""),
    "batchnorm_relu": _batchnorm("relu_"),
    "batchnorm_inference": _batchnorm_inference(""),
    "batchnorm_relu_inference": _batchnorm_inference("relu_"),
    "cross-entropy": _loss("softmax_cross_entropy", 0.0),
    "cross-entropy, smoothed": _loss("softmax_cross_entropy", 0.25),
    "squared error": _loss("mean_squared_error", 0.0),
    "squared error, smoothed": _loss("mean_squared_error", 0.25),
    "hits": _hits,
    **{f"{name} steps": _step(name) for name in ("sgd", "momentum", "nesterov", "adam", "adamw")},
    "clip_norm": _clip,
    "accumulate": _accumulate,
    "average_step": _average,
}


def in_pytorch() -> dict[str, Table]:
    """Return the tables of all cases as PyTorch computes them."""
    import torch
    from torch.nn import functional as F

    def tensor(values, *shape):
        return torch.tensor(np.array(values, np.float32).reshape(shape) if shape else np.array(values, np.float32))

    def table(value, rows):
        return value.detach().numpy().astype(np.float32).reshape(rows, -1)

    def gradient(function, x, dy):
        x = x.clone().requires_grad_()
        function(x).backward(dy)
        return x.grad

    numbers, pairs = tensor(NUMBERS), (tensor(_column(PAIRS, 0)), tensor(_column(PAIRS, 1)))
    activations = {
        "relu": torch.relu,
        "leaky_relu": lambda x: F.leaky_relu(x, SLOPE),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
    }
    tables = {}
    for name, function in activations.items():
        tables[f"{name} forward"] = table(function(numbers), len(NUMBERS))
        tables[f"{name} backward"] = table(gradient(function, *pairs), len(PAIRS))
    N = len(NUMBERS)
    tables |= {name: table(numbers, N) for name in ("conv2d", "dense")}
    tables |= {name: table(torch.relu(numbers), N) for name in ("conv2d_relu", "dense_relu")}
    passed = gradient(torch.relu, *pairs)
    tables |= {name: table(passed, len(PAIRS)) for name in ("conv2d_backward", "dense_backward")}
    tables["add_relu"] = table(torch.relu(pairs[0] + pairs[1]), len(PAIRS))
    scale = torch.tensor(1 / (1 - 0.25))
    tables["dropout"] = np.hstack([table(numbers * (keep * scale), N) for keep in (0.0, 1.0)])

    windows, twos = tensor(WINDOWS, len(WINDOWS), 1, 2, 2), torch.full((len(WINDOWS), 1, 1, 1), 2.0)
    for name, pool in (("max", F.max_pool2d), ("avg", F.avg_pool2d)):
        plain, fused = (lambda x, pool=pool: pool(x, 2)), (lambda x, pool=pool: pool(torch.relu(x), 2))
        rows = len(WINDOWS)
        tables[f"{name}pool2d"] = np.hstack([table(plain(windows), rows), table(gradient(plain, windows, twos), rows)])
        tables[f"conv2d_relu_{name}pool"] = table(fused(windows), rows)
        tables[f"conv2d_relu_{name}pool backward"] = table(gradient(fused, windows, twos), rows)
    # x is the output of a ReLU, and the gradient passes both
    before = gradient(lambda x: F.max_pool2d(torch.relu(x), 2), windows, twos)
    tables["conv2d_relu_maxpool backward, ReLU before"] = table(gradient(torch.relu, windows, before), len(WINDOWS))

    x, dy = (tensor(np.array(CHANNELS)[:, part], len(CHANNELS), 5, 1, 1) for part in (slice(5), slice(5, None)))
    normalise = lambda x: F.local_response_norm(x, SIZE, ALPHA * SIZE, BETA, K)  # noqa: E731
    tables["lrn"] = np.hstack([table(v, len(CHANNELS)) for v in (normalise(x), gradient(normalise, x, dy))])

    for relu in ("", "_relu"):
        rows = []
        for batch in BATCHES:
            layer = torch.nn.BatchNorm1d(1, EPSILON, MOMENTUM)
            layer.weight.data.fill_(2.0)
            layer.bias.data.fill_(1.0)
            x = tensor(batch[:4], 1, 1, 4).requires_grad_()
            y = layer(x) if not relu else torch.relu(layer(x))
            y.backward(tensor(batch[4:], 1, 1, 4))
            values = (y, x.grad, layer.running_mean, layer.running_var, layer.weight.grad, layer.bias.grad)
            rows.append(np.concatenate([v.detach().numpy().ravel() for v in values]))
        tables[f"batchnorm{relu}"] = np.array(rows)
    mean, var, weight, bias = (tensor([v]) for v in (0.5, 3, 2, 1))
    y = F.batch_norm(numbers.reshape(N, 1), mean, var, weight, bias, eps=1.0)
    tables["batchnorm_inference"], tables["batchnorm_relu_inference"] = table(y, N), table(torch.relu(y), N)

    rows, targets = len(SCORES), torch.tensor(np.array(SCORES)[:, 3].astype(int))
    scores = tensor(np.array(SCORES)[:, :3])
    tables["softmax"] = table(torch.softmax(scores, 1), rows)
    tables["hits"] = table((scores.argmax(1) == targets).float(), rows)
    goal = F.one_hot(targets, 3).float()
    losses = {
        "cross-entropy": lambda x: F.cross_entropy(x, targets, reduction="none"),
        "cross-entropy, smoothed": lambda x: F.cross_entropy(x, targets, reduction="none", label_smoothing=0.25),
        "squared error": lambda x: ((x - goal) ** 2).mean(1),
        "squared error, smoothed": lambda x: ((x - (0.75 * goal + 0.25 / 3)) ** 2).mean(1),
    }
    for name, loss in losses.items():
        tables[name] = np.hstack([table(v, rows) for v in (loss(scores), gradient(loss, scores, torch.ones(rows)))])

    optimizers = {
        "sgd": lambda p: torch.optim.SGD([p], RATE, weight_decay=DECAY),
        "momentum": lambda p: torch.optim.SGD([p], RATE, 0.5, weight_decay=DECAY),
        "nesterov": lambda p: torch.optim.SGD([p], RATE, 0.5, weight_decay=DECAY, nesterov=True),
        "adam": lambda p: torch.optim.Adam([p], RATE, (0.5, 0.75), 0.125, DECAY),
        "adamw": lambda p: torch.optim.AdamW([p], RATE, (0.5, 0.75), 0.125, DECAY),
    }
    for name, make in optimizers.items():
        parameter = torch.nn.Parameter(tensor(_column(STEPS, 0)))
        optimizer = make(parameter)
        for _ in range(2):
            parameter.grad = tensor(_column(STEPS, 1))
            optimizer.step()
        tables[f"{name} steps"] = table(parameter, len(STEPS))

    clipped = []
    for gradients in NORMS:
        parameter = torch.nn.Parameter(torch.zeros(3))
        parameter.grad = tensor(gradients)
        torch.nn.utils.clip_grad_norm_([parameter], LIMIT)
        clipped.append(parameter.grad.numpy())
    tables["clip_norm"] = np.array(clipped)
    tables["accumulate"] = table(tensor(NORMS).double().sum(1), len(NORMS))
    new, old = (tensor(_column(AVERAGED, k)) for k in (0, 1))
    tables["average_step"] = table(torch.lerp(old, new, (1 - 0.5) / (1 - 0.5**2)), len(AVERAGED))
    return tables


def expected() -> dict[str, Table]:
    """Return the tables of all cases as PyTorch 2.13 computed them."""
    return {name: np.array(rows, np.float32) for name, rows in json.loads(EXPECTED_PATH.read_text()).items()}


def assert_equal(actual: Table, table: Table) -> None:
    """Assert that numbers agree within rounding, and NaN and infinity exactly.

    Numbers below the smallest normal float32 count as 0, because processors and libraries may flush them.
    """
    np.testing.assert_allclose(actual.astype(np.float64), table.astype(np.float64), rtol=1e-5, atol=2e-38)


def write_expected() -> None:
    """Write EXPECTED_PATH."""
    tables = []
    for name, table in in_pytorch().items():
        rows = [[float(str(number)) for number in row] for row in table]
        tables.append(f"{json.dumps(name)}:\n{textwrap.fill(json.dumps(rows), 120)}")
    EXPECTED_PATH.write_text("{\n" + ",\n".join(tables) + "\n}\n")


if __name__ == "__main__":
    write_expected()

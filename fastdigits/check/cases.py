"""Calls of every op on sizes that are not multiples of a tile, with uninitialized outputs.

All inputs lie between -1 and 1, and so do their products, which are the terms that `compare.tolerance` counts.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastdigits.ops.array import blocks
from fastdigits.ops.batch import Effects

Size = tuple[int, int]


class Call(NamedTuple):
    """One call of an op."""

    op: str
    case: str
    arguments: dict[str, Any]  # in the order of the parameters
    outputs: tuple[str, ...]  # names of the arguments that the op writes to
    terms: int  # number of rounded terms in an element of an output; 0 if nothing is rounded

    def __str__(self) -> str:
        return f"{self.op}: {self.case}"


def calls(lanes: int, few: bool = False) -> Iterator[Call]:
    """Yield calls of every op on arrays with the given number of lanes.

    With `few`, skip cases that only add more tile sizes, each of which must be compiled.
    """
    for convolution in (*CONVOLUTIONS[:2], CONVOLUTIONS[-1]) if few else CONVOLUTIONS:
        yield from _conv2d(lanes, *convolution)
    for dense in DENSE[: 1 if few else None]:
        yield from _dense(lanes, *dense)
    for convolution in (*CONVOLUTIONS[:2], CONVOLUTIONS[-1]) if few else CONVOLUTIONS:
        yield from _fused_conv2d(lanes, *convolution)
    for pooled in (POOLED_CONVOLUTIONS[0], POOLED_CONVOLUTIONS[-1]) if few else POOLED_CONVOLUTIONS:
        yield from _pooled_conv2d(lanes, *pooled)
    if lanes >= 32 and not few:
        yield from _conv2d(lanes, *LARGE_CONVOLUTION)
        yield from _fused_conv2d(lanes, *LARGE_CONVOLUTION)
        yield from _pooled_conv2d(lanes, *LARGE_CONVOLUTION[:5], *LARGE_CONVOLUTION[6:])
    for dense in DENSE[: 1 if few else None]:
        yield from _fused_dense(lanes, *dense)
    for pooling in POOLINGS:
        yield from _pool2d(lanes, *pooling)
    for images, pixels in NORMALISED:
        yield from _batchnorm(lanes, images, pixels)
    yield from _batchnorm_fold()
    for channels, size in ((1, 5), (7, 3), (11, 5)):
        yield from _lrn(lanes, channels, size)
    for images in LOSS_BATCHES:
        yield from _losses(lanes, images)
    for images, steps, symbols in SEQUENCES:
        yield from _sequences(lanes, images, steps, symbols)
    for images in GATHERED:
        yield from _batches(lanes, images)
    for effects in EFFECTS[-1 if few else 0 :]:
        for images, image_size in AUGMENTED:
            yield from _augmented_batches(lanes, images, image_size, effects)
    yield from _activations(lanes)
    yield from _elementwise(lanes)
    yield from _optimizers(lanes)
    yield from _random_numbers()
    for images in LOSS_BATCHES:
        yield from _random_masks(lanes, images)
    yield from _arrays(lanes)
    yield from _steps()


# blocks, channels, outputs, (rows, columns), kernel, stride, padding (top, left), padding (bottom, right).
# With 16 lanes, 13 outputs and 11 channels take tiles of 7 and 6, and sizes that share a tile are compiled once.
CONVOLUTIONS = (
    (2, 11, 13, (5, 7), (3, 3), 1, (1, 1), (1, 1)),
    (2, 11, 13, (6, 15), (3, 3), 2, (1, 0), (0, 1)),
    (1, 11, 13, (2, 4), (5, 5), 1, (4, 4), (4, 4)),
    (1, 11, 13, (1, 4), (5, 5), 1, (2, 2), (2, 2)),  # a kernel larger than the image
    (2, 11, 13, (3, 7), (1, 1), 1, (0, 0), (0, 0)),
    (1, 11, 13, (5, 8), (3, 2), 1, (2, 0), (0, 1)),
    (1, 2, 3, (8, 10), (2, 1), 3, (1, 2), (1, 0)),  # the stride skips some pixels
    (1, 1, 6, (28, 28), (5, 5), 1, (0, 0), (0, 0)),
    (1, 2, 3, (9, 8), (3, 3), 1, (-2, -2), (-1, -1)),  # a cropped image
    (2, 11, 13, (7, 8), (3, 3), 1, (1, 1), (1, 1)),  # enough channels and pixels for Winograd's method
    (1, 17, 20, (10, 11), (3, 3), 1, (-1, -2), (-1, 0)),
    (2, 20, 17, (10, 10), (3, 3), 1, (0, 2), (1, 0)),
)

LARGE_CONVOLUTION = (4, 32, 32, (15, 16), (3, 3), 1, (1, 1), (1, 1))  # enough tiles for Winograd's method on a GPU

# blocks, channels, outputs, (rows, columns), kernel, padding (top, left), padding (bottom, right); the convolution's
# rows and columns are odd in some cases and even in others
POOLED_CONVOLUTIONS = (
    (2, 3, 5, (7, 9), (3, 3), (1, 1), (1, 1)),
    (1, 1, 6, (14, 13), (5, 5), (2, 2), (2, 2)),
    (1, 2, 5, (4, 5), (5, 5), (4, 4), (4, 4)),
    (1, 1, 5, (9, 12), (5, 5), (0, 0), (0, 0)),
    (1, 3, 2, (6, 6), (3, 2), (0, 1), (1, 0)),
    (2, 2, 5, (3, 4), (1, 1), (0, 0), (0, 0)),
    (1, 1, 6, (9, 10), (3, 3), (-1, -2), (-1, -1)),
    (2, 11, 13, (7, 8), (3, 3), (1, 1), (1, 1)),  # enough channels and pixels for Winograd's method
    (2, 11, 13, (10, 12), (3, 3), (0, 0), (0, 0)),
)

# images, features, outputs; 80 images are more than the weight gradient transposes at a time
DENSE = ((150, 17, 3), (1, 1, 1), (33, 100, 13), (7, 784, 10))

# images to augment, (rows, columns)
AUGMENTED = (1, (9, 13)), (7, (1, 3))

# each augmentation alone, and all at once
EFFECTS = (
    Effects(),
    Effects(shift_px=3.0),
    Effects(rotate_deg=180.0),
    Effects(scale=0.5),
    Effects(shear_deg=30.0),
    Effects(elastic_px=1.0),
    Effects(contrast=1.0),
    Effects(gamma=0.5),
    Effects(noise=0.1),
    Effects(erase_px=5),
    Effects(2.0, 30.0, 0.2, 20.0, 0.8, 0.3, 0.3, 0.1, 4),
)

# images, (rows, columns), window, stride
POOLINGS = (
    (33, (7, 9), (2, 2), 2),
    (1, (5, 4), (3, 2), 1),  # windows overlap
    (1, (8, 9), (2, 3), 4),  # gaps between the windows
)

# images, pixels in a channel: some multiples of four, some not, and so many that a GPU computes parts of a channel
NORMALISED = ((33, 8), (5, 15), (80, 1), (1, 1), (7, 530))

# images of a batch for the losses, and for gathering from a slightly larger data set
LOSS_BATCHES, GATHERED = (1, 33), (1, 7, 33, 80)

# images, time steps, symbols of the longest sequence
SEQUENCES = (33, 9, 4), (1, 1, 1), (5, 6, 3)

DRAWN = 1, 1000  # numbers of random values

VECTORS = 7  # in the arrays of elementwise ops and optimizers

SEED = 0


def _conv2d(
    lanes: int,
    blocks: int,
    channels: int,
    outputs: int,
    size: Size,
    kernel: Size,
    stride: int,
    before: Size,
    after: Size,
) -> Iterator[Call]:
    B, C, O, (H, W), (P, Q), (top, left) = blocks, channels, outputs, size, kernel, before
    I, J = (H + top + after[0] - P) // stride + 1, (W + left + after[1] - Q) // stride + 1
    draw = _uniform()
    x, weight, bias, dy = draw(B, C, H, W, lanes), draw(O, C, P, Q), draw(O), draw(B, O, I, J, lanes)
    geometry = {"stride": stride, "top": top, "left": left}
    case = f"{B} blocks, {C} to {O}, {H}x{W}, kernel {P}x{Q}, stride {stride}"
    arguments = {"x": x, "weight": weight, "bias": bias, **geometry, "y": _unfilled(*dy.shape)}
    growth = _growth(C, O, kernel, stride)
    yield Call("conv2d_forward", case, arguments, ("y",), growth * (C * P * Q + 1))
    arguments = {"dy": dy, "weight": weight, **geometry, "dx": _unfilled(*x.shape)}
    yield Call("conv2d_backward_input", case, arguments, ("dx",), growth * O * P * Q)
    filled = {"dweight": _unfilled(*weight.shape), "dbias": _unfilled(O)}
    arguments = {"x": x, "dy": dy, **geometry, **filled}
    yield Call("conv2d_backward_weight", case, arguments, tuple(filled), growth * B * I * J * lanes)


def _fused_conv2d(
    lanes: int,
    blocks: int,
    channels: int,
    outputs: int,
    size: Size,
    kernel: Size,
    stride: int,
    before: Size,
    after: Size,
) -> Iterator[Call]:
    B, C, O, (H, W), (P, Q), (top, left) = blocks, channels, outputs, size, kernel, before
    I, J = (H + top + after[0] - P) // stride + 1, (W + left + after[1] - Q) // stride + 1
    draw = _uniform()
    x, weight, bias, dy = draw(B, C, H, W, lanes), draw(O, C, P, Q), draw(O), draw(B, O, I, J, lanes)
    x = np.maximum(x, 0)  # the output of a ReLU
    geometry = {"stride": stride, "top": top, "left": left}
    case = f"{B} blocks, {C} to {O}, {H}x{W}, kernel {P}x{Q}, stride {stride}"
    arguments = {"x": x, "weight": weight, "bias": bias, **geometry, "y": _unfilled(*dy.shape)}
    growth = _growth(C, O, kernel, stride)
    yield Call("conv2d_relu_forward", case, arguments, ("y",), growth * (C * P * Q + 1))
    filled = {"dx": _unfilled(*x.shape), "dweight": _unfilled(*weight.shape), "dbias": _unfilled(O)}
    terms = growth * max(B * I * J * lanes, O * P * Q)
    for relu_input in (False, True):
        arguments = {"x": x, "dy": dy, "weight": weight, **geometry, "relu_input": relu_input, **filled}
        yield Call("conv2d_backward", f"{case}, {relu_input}", arguments, tuple(filled), terms)


def _pooled_conv2d(
    lanes: int, blocks: int, channels: int, outputs: int, size: Size, kernel: Size, before: Size, after: Size
) -> Iterator[Call]:
    B, C, O, (H, W), (P, Q), (top, left) = blocks, channels, outputs, size, kernel, before
    rows, columns = H + top + after[0] - P + 1, W + left + after[1] - Q + 1
    I, J = rows // 2, columns // 2
    draw = _uniform()
    x, weight, bias, dy = draw(B, C, H, W, lanes), draw(O, C, P, Q), draw(O), draw(B, O, I, J, lanes)
    geometry = {"top": top, "left": left}
    case = f"{B} blocks, {C} to {O}, {H}x{W}, kernel {P}x{Q}"
    numbers = np.random.default_rng(SEED + 1).integers(0, 16, dy.shape).astype(np.uint8)
    growth = _growth(C, O, kernel, 1)
    for pool, pool_mask in (("max", np.array([0, 1, 2, 4, 8], np.uint8)[numbers % 5]), ("avg", numbers)):
        arguments = {"x": x, "weight": weight, "bias": bias, **geometry}
        filled = {"y": _unfilled(*dy.shape), "pool_mask": np.full(dy.shape, 99, np.uint8)}
        terms = growth * (C * P * Q + 5)
        yield Call(f"conv2d_relu_{pool}pool_forward", case, {**arguments, **filled}, tuple(filled), terms)
        gradients = {"dweight": _unfilled(*weight.shape), "dbias": _unfilled(O)}
        terms = growth * max(5 * B * I * J * lanes, O * P * Q)
        for relu_input in (False, True):
            filled = {"dx": _unfilled(*x.shape), **gradients}
            arguments = {"x": np.maximum(x, 0) if relu_input else x, "dy": dy, "pool_mask": pool_mask, "weight": weight}
            arguments |= {**geometry, "relu_input": relu_input, **filled}
            yield Call(f"conv2d_relu_{pool}pool_backward", f"{case}, {relu_input}", arguments, tuple(filled), terms)
        arguments = {"x": x, "dy": dy, "pool_mask": pool_mask, **geometry, **gradients}
        yield Call(f"conv2d_relu_{pool}pool_backward_weight", case, arguments, tuple(gradients), 5 * B * I * J * lanes)


def _growth(channels: int, outputs: int, kernel: Size, stride: int) -> int:
    """Return the factor on the tolerance of a convolution: 8 if Winograd's method may compute it, whose transforms
    multiply by up to 8, else 1.
    """
    return 8 if (kernel, stride) == ((3, 3), 1) and min(channels, outputs) > 10 else 1


def _fused_dense(lanes: int, images: int, features: int, outputs: int) -> Iterator[Call]:
    B, K, O = blocks(images, lanes), features, outputs
    draw = _uniform()
    x, weight, bias, dy = np.maximum(draw(B, K, lanes), 0), draw(O, K), draw(O), draw(B, O, lanes)
    case = f"batch of {images}, {K} to {O}"
    arguments = {"x": x, "weight": weight, "bias": bias, "y": _unfilled(*dy.shape)}
    yield Call("dense_relu_forward", case, arguments, ("y",), K + 1)
    for relu_input in (True, False):
        filled = {"dx": _unfilled(*x.shape), "dweight": _unfilled(O, K), "dbias": _unfilled(O)}
        arguments = {"x": x, "dy": dy, "weight": weight, "relu_input": relu_input, **filled}
        yield Call("dense_backward", f"{case}, {relu_input}", arguments, tuple(filled), max(O, B * lanes))


def _dense(lanes: int, images: int, features: int, outputs: int) -> Iterator[Call]:
    B, K, O = blocks(images, lanes), features, outputs
    draw = _uniform()
    x, weight, bias, dy = draw(B, K, lanes), draw(O, K), draw(O), draw(B, O, lanes)
    case = f"batch of {images}, {K} to {O}"
    arguments = {"x": x, "weight": weight, "bias": bias, "y": _unfilled(*dy.shape)}
    yield Call("dense_forward", case, arguments, ("y",), K + 1)
    arguments = {"dy": dy, "weight": weight, "dx": _unfilled(*x.shape)}
    yield Call("dense_backward_input", case, arguments, ("dx",), O)
    filled = {"dweight": _unfilled(O, K), "dbias": _unfilled(O)}
    yield Call("dense_backward_weight", case, {"x": x, "dy": dy, **filled}, tuple(filled), B * lanes)


def _pool2d(lanes: int, images: int, size: Size, window: Size, stride: int) -> Iterator[Call]:
    B, C, (H, W), (P, Q) = blocks(images, lanes), 3, size, window
    I, J = (H - P) // stride + 1, (W - Q) // stride + 1
    draw = _uniform()
    x, dy = np.round(draw(B, C, H, W, lanes), 1), draw(B, C, I, J, lanes)  # rounded so that some maxima are ties
    geometry = {"window": window, "stride": stride}
    case = f"batch of {images}, {H}x{W}, window {P}x{Q}, stride {stride}"
    yield Call("maxpool2d_forward", case, {"x": x, **geometry, "y": _unfilled(*dy.shape)}, ("y",), 0)
    yield Call("maxpool2d_backward", case, {"x": x, "dy": dy, **geometry, "dx": _unfilled(*x.shape)}, ("dx",), P * Q)
    yield Call("avgpool2d_forward", case, {"x": x, **geometry, "y": _unfilled(*dy.shape)}, ("y",), P * Q)
    yield Call("avgpool2d_backward", case, {"dy": dy, **geometry, "dx": _unfilled(*x.shape)}, ("dx",), P * Q)


def _batchnorm(lanes: int, images: int, pixels: int) -> Iterator[Call]:
    B, C, S = blocks(images, lanes) + 1, 5, pixels  # the last block is empty
    draw = _uniform()
    x, dy, y = draw(B, C, S, lanes), draw(B, C, S, lanes), np.maximum(draw(B, C, S, lanes), 0)
    gamma, beta, mean, var = draw(C), draw(C), draw(C), 1.5 + draw(C)
    case, terms = f"batch of {images}, {pixels} pixels", images * pixels + 16
    settings, given = {"count": images, "epsilon": 0.125}, {"x": x, "gamma": gamma, "beta": beta}
    running = {"momentum": 0.25, "running_mean": draw(C), "running_var": 1.5 + draw(C)}
    filled = {"mean": _unfilled(C), "var": _unfilled(C), "y": _unfilled(*x.shape)}
    changed = ("running_mean", "running_var", *filled)
    for relu in ("", "relu_"):
        yield Call(f"batchnorm_{relu}forward", case, {**given, **settings, **running, **filled}, changed, terms)
        arguments = {**given, "mean": mean, "var": var, "epsilon": 0.125, "y": _unfilled(*x.shape)}
        yield Call(f"batchnorm_{relu}inference", case, arguments, ("y",), 16)
        outputs = {"dgamma": _unfilled(C), "dbeta": _unfilled(C), "dx": _unfilled(*x.shape)}
        arguments = {"x": x, **({"y": y} if relu else {}), "dy": dy, "gamma": gamma, "mean": mean, "var": var}
        yield Call(f"batchnorm_{relu}backward", case, {**arguments, **settings, **outputs}, tuple(outputs), 4 * terms)


def _batchnorm_fold() -> Iterator[Call]:
    O, K = 5, 27
    draw = _uniform()
    arguments: dict[str, Any] = {
        "weight": draw(O, K),
        "bias": draw(O),
        "gamma": draw(O),
        "beta": draw(O),
        "mean": draw(O),
    }
    arguments |= {"var": 1.5 + draw(O), "epsilon": 0.125}
    outputs = {"folded_weight": _unfilled(O, K), "folded_bias": _unfilled(O)}
    yield Call("batchnorm_fold", f"{K} to {O}", arguments | outputs, tuple(outputs), 8)


def _lrn(lanes: int, channels: int, size: int) -> Iterator[Call]:
    shape = (2, channels, 3, lanes)
    draw = _uniform()
    x, y, dy, base = draw(*shape), draw(*shape), draw(*shape), 2 + draw(*shape)
    case, settings = f"{channels} channels, {size} neighbours", {"size": size, "alpha": 0.25, "beta": 0.75}
    filled = {"base": _unfilled(*shape), "y": _unfilled(*shape)}
    yield Call("lrn_forward", case, {"x": x, **settings, "k": 1.5, **filled}, tuple(filled), size + 4)
    arguments = {"x": x, "y": y, "dy": dy, "base": base, **settings, "dx": _unfilled(*shape)}
    yield Call("lrn_backward", case, arguments, ("dx",), size + 8)


def _elementwise(lanes: int) -> Iterator[Call]:
    draw = _uniform()
    a, b, mask = draw(VECTORS, lanes), draw(VECTORS, lanes), (draw(VECTORS, lanes) > 0).astype(np.uint8)
    yield Call("copy", f"{VECTORS} vectors", {"x": a, "y": _unfilled(VECTORS, lanes)}, ("y",), 1)
    for op in ("add", "add_relu"):
        yield Call(op, f"{VECTORS} vectors", {"a": a, "b": b, "y": _unfilled(VECTORS, lanes)}, ("y",), 2)
    arguments = {"x": a, "mask": mask, "rate": 0.25, "y": _unfilled(VECTORS, lanes)}
    yield Call("dropout", f"{VECTORS} vectors", arguments, ("y",), 2)


def _losses(lanes: int, images: int) -> Iterator[Call]:
    B, K = blocks(images, lanes) + 1, 7  # the last block is empty
    draw = _uniform()
    scores, flat = draw(B, K, lanes), np.full(B * lanes, -1, np.float32)
    flat[:images] = np.arange(images) % K
    targets = flat.reshape(B, lanes)
    case = f"batch of {images}"
    yield Call("softmax", case, {"scores": scores, "probabilities": _unfilled(B, K, lanes)}, ("probabilities",), K)
    for op in ("softmax_cross_entropy", "mean_squared_error"):
        for smoothing in (0.0, 0.1):
            filled = {"loss": _unfilled(B, lanes), "dscores": _unfilled(B, K, lanes)}
            arguments = {"scores": scores, "targets": targets, "count": images, "smoothing": smoothing, **filled}
            yield Call(op, f"{case}, smoothing {smoothing}", arguments, tuple(filled), K)
    filled = {"loss": draw(B, lanes), "dscores": draw(B, K, lanes)}
    given = {"weights": draw(images + 5), "start": np.array([2]), "offset": 3}
    yield Call("weigh_losses", case, {**given, **filled}, tuple(filled), 1)
    ties = {"scores": np.round(scores, 1), "targets": targets}
    filled = {"loss": draw(B, lanes), "hits": _unfilled(B, lanes), "totals": np.array([2.5, 7])}
    yield Call("accumulate_metrics", case, {**ties, **filled}, ("hits", "totals"), B * lanes)


def _sequences(lanes: int, images: int, steps: int, symbols: int) -> Iterator[Call]:
    B, K, T, M = blocks(images, lanes) + 1, 4, steps, 2 * symbols + 1  # the last block is empty
    draw, rng = _uniform(), np.random.default_rng(SEED)
    lengths = np.zeros(B * lanes, np.float32)
    lengths[:images] = T - np.arange(images) % 2 * (T // 4)
    labels = rng.integers(0, K - 1, (B, symbols, lanes)).astype(np.float32)
    ends = np.arange(B * lanes).reshape(B, 1, lanes) % (symbols + 1)
    labels[np.arange(symbols)[:, None] >= ends] = -1
    arguments = {"scores": draw(B, K, T, lanes), "labels": labels, "steps": lengths.reshape(B, lanes), "count": images}
    states = {"reached": _unfilled(B, T, M, lanes), "remaining": _unfilled(B, T, M, lanes)}
    filled = states | {"loss": _unfilled(B, lanes), "dscores": _unfilled(B, K, T, lanes)}
    yield Call("ctc_loss", f"{images} of {T} steps", arguments | filled, tuple(filled), 8 * T * (K + M))


def _batches(lanes: int, images: int) -> Iterator[Call]:
    B, N, K = blocks(images, lanes) + 1, images + 17, 37  # the last block is empty
    rng = np.random.default_rng(SEED)
    arguments = {
        "images": rng.integers(0, 256, (N, K), np.uint8),
        "labels": rng.integers(0, 10, (N, 1), np.uint8),
        "order": rng.permutation(N).astype(np.int32),
        "start": np.array([5]),
        "count": images,
        "scale": np.float32(1 / 255),
        "shift": np.float32(-0.5),
    }
    filled = {"x": _unfilled(B, K, lanes), "targets": _unfilled(B, lanes)}
    yield Call("gather_batch", f"batch of {images}", arguments | filled, tuple(filled), 2)


def _augmented_batches(lanes: int, images: int, size: Size, effects: Effects) -> Iterator[Call]:
    B, N, (H, W) = blocks(images, lanes) + 1, 30, size
    rng = np.random.default_rng(SEED)
    arguments = {
        "images": rng.integers(0, 256, (N, H, W), np.uint8),
        "labels": rng.integers(0, 10, (N, 1), np.uint8),
        "order": rng.permutation(N).astype(np.int32),
        "start": np.array([5]),
        "count": images,
        "scale": np.float32(1 / 255),
        "shift": np.float32(-0.5),
        "seed": 2**63 + 12345,
        "epoch": np.array([3]),
        "effects": effects,
    }
    filled = {"x": _unfilled(B, H * W, lanes), "targets": _unfilled(B, lanes)}
    case = f"batch of {images}, {H}x{W}, {', '.join(name for name, limit in effects._asdict().items() if limit)}"
    terms = 8 + 2 * (H + W)  # coordinates of up to H and W are rounded, and neighbouring pixels differ by up to 1
    yield Call("augment_batch", case, arguments | filled, tuple(filled), terms)


def _activations(lanes: int) -> Iterator[Call]:
    draw = _uniform()
    x, dy = 4 * draw(VECTORS, lanes), draw(VECTORS, lanes)
    x[3, 0], x[4, 0] = 0.0, -0.0
    slope = {"slope": 0.25}
    for op, options, terms in (("relu", {}, 0), ("leaky_relu", slope, 0), ("sigmoid", {}, 4), ("tanh", {}, 4)):
        arguments = {"x": x, **options, "y": _unfilled(VECTORS, lanes)}
        yield Call(f"{op}_forward", f"{VECTORS} vectors", arguments, ("y",), terms)
        arguments = {"y": x / 4, "dy": dy, **options, "dx": _unfilled(VECTORS, lanes)}
        yield Call(f"{op}_backward", f"{VECTORS} vectors", arguments, ("dx",), terms)
    for op in ("gelu", "silu"):
        yield Call(f"{op}_forward", f"{VECTORS} vectors", {"x": x, "y": _unfilled(VECTORS, lanes)}, ("y",), 16)
        arguments = {"x": x, "dy": dy, "dx": _unfilled(VECTORS, lanes)}
        yield Call(f"{op}_backward", f"{VECTORS} vectors", arguments, ("dx",), 16)


def _optimizers(lanes: int) -> Iterator[Call]:
    draw = _uniform()
    parameter, gradient, velocity, mean = (draw(VECTORS, lanes) for _ in range(4))
    square = 0.5 + draw(VECTORS, lanes) / 4
    rate, step, decay = np.array([0.125], np.float32), np.array([3]), {"weight_decay": 0.01}
    common = {"parameter": parameter, "gradient": gradient}
    yield Call("sgd_step", f"{VECTORS} vectors", {**common, "rate": rate, **decay}, ("parameter",), 3)
    for op in ("momentum_step", "nesterov_step"):
        arguments = {**common, "velocity": velocity, "rate": rate, "momentum": 0.9, **decay}
        yield Call(op, f"{VECTORS} vectors", arguments, ("parameter", "velocity"), 6)
    rates = {"rate": rate, "step": step, "beta1": 0.9, "beta2": 0.999, "epsilon": 0.125}
    for op in ("adam_step", "adamw_step"):
        arguments = {**common, "mean": mean, "square": square, **rates, **decay}
        yield Call(op, f"{VECTORS} vectors", arguments, ("parameter", "mean", "square"), 8)
    for limit in (0.5, 1e9):
        filled = {"sums": _unfilled(3), "factor": _unfilled(1)}
        arguments = {"gradient": gradient, "limit": limit, **filled}
        case, changed = f"{VECTORS} vectors to {limit}", ("gradient", "sums", "factor")
        yield Call("clip_norm", case, arguments, changed, -(-VECTORS // 3) * lanes)
    arguments = {"parameter": parameter, "step": step, "decay": 0.75, "average": mean}
    yield Call("average_step", f"{VECTORS} vectors", arguments, ("average",), 3)


def _random_numbers() -> Iterator[Call]:
    seed = 2**63 + 12345
    for n in DRAWN:
        arguments = {"seed": seed, "stream": 2, "step": 3, "values": _unfilled(n)}
        yield Call("random_uniform", f"{n} numbers", arguments, ("values",), 0)
        arguments = {"seed": seed, "step": 3, "order": np.full(n, -1, np.int32)}
        yield Call("random_permutation", f"{n} numbers", arguments, ("order",), 0)


def _random_masks(lanes: int, images: int) -> Iterator[Call]:
    shape = (blocks(images, lanes), 7, lanes)
    arguments = {"seed": 2**63 + 12345, "stream": 2**31, "step": np.array([3]), "rate": 0.25}
    arguments["mask"] = np.full(shape, 99, np.uint8)
    yield Call("random_mask", f"batch of {images}", arguments, ("mask",), 0)


def _arrays(lanes: int) -> Iterator[Call]:
    images = 5
    draw, B = _uniform(), blocks(images, lanes)
    arguments: dict[str, Any] = {"images": draw(images, 2, 3), "x": _unfilled(B, 2, 3, lanes)}
    yield Call("pack", f"batch of {images}", arguments, ("x",), 0)
    arguments = {"x": draw(B, 2, 3, lanes), "images": _unfilled(images, 2, 3)}
    yield Call("unpack", f"batch of {images}", arguments, ("images",), 0)
    arguments = {"values": draw(B, 3, lanes), "total": np.array([2.5])}
    yield Call("accumulate", f"batch of {images}", arguments, ("total",), B * 3 * lanes)


def _steps() -> Iterator[Call]:
    draw = _uniform()
    for steps, taken in ((1, 0), (3, 0), (7, 5), (7, 7)):
        arguments: dict[str, Any] = {"plan": 2**31 + np.arange(3 * steps).reshape(steps, 3), "rates": draw(steps)}
        arguments |= {"taken": np.array([taken])} | {name: np.array([-1]) for name in ("epoch", "start", "step")}
        arguments["rate"] = _unfilled(1)
        yield Call("next_step", f"after {taken} of {steps}", arguments, ("taken", "epoch", "start", "step", "rate"), 0)


def _uniform() -> Callable[..., np.ndarray]:
    """Return a function that draws float32 arrays between -1 and 1 from a fixed seed."""
    rng = np.random.default_rng(SEED)
    return lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)


def _unfilled(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, np.float32)

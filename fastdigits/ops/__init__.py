"""Load the operations of a device.

`load("cpu")` returns an `Ops`: an object with the same functions on every device, under the names in the families'
OPS. No other module chooses code by a device's name.
"""

import functools
import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import cast

from fastdigits.errors import UserError, setting
from fastdigits.ops import array
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import numba_setup, pool, replay

DEVICES = ("cpu", "cuda", "reference")
MAX_SEQUENTIAL_IMAGES = 3  # up to here a CPU is faster on one image after another than on all lanes at once
FAMILIES = (
    "activation",
    "array",
    "batch",
    "batchnorm",
    "conv2d",
    "ctc",
    "dense",
    "elementwise",
    "fused",
    "loss",
    "lrn",
    "optimizer",
    "pool2d",
    "random",
    "steps",
)


class LoadedOps:
    """An `Ops` whose operations are functions given by name. Its attributes cannot be set."""

    device: str
    lanes: int
    threads: int
    exact: bool

    def __init__(
        self,
        device: str,
        lanes: int,
        functions: dict[str, Callable],
        prefers_micro_batches: bool = True,
        threads: int = 1,
        exact: bool = False,
    ):
        settings = {
            "device": device,
            "lanes": lanes,
            "prefers_micro_batches": prefers_micro_batches,
            "threads": threads,
            "exact": exact,
        }
        self.__dict__.update(functions, **settings)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Ops are fixed once loaded: {name} cannot be set.")

    def __repr__(self) -> str:
        return f"<Ops of {self.device}, {self.lanes} lanes>"


def load(device: str, threads: int | None = None, exact: bool = False) -> Ops:
    """Load the operations of a device.

    Parameters
    ----------
    device : str
        "cpu", "cuda" or "reference" (plain NumPy, the definition of every operation).
    threads : int, optional
        Number of processor cores that the CPU kernels use. The default is all.
    exact : bool
        Whether to compute convolutions by direct summation. If False, Winograd's method is used where it is
        faster. It needs a quarter of the multiplications; its results are within 2e-5 of the largest, instead of 2e-6.

    Raises
    ------
    UserError
        If the device is unknown or cannot be used on this machine.
    """
    check_device(device)
    try:
        return _load(device, threads, exact)
    except ImportError as error:
        if (error.name or "").startswith("fastdigits"):
            raise  # a bug in this package, not a missing dependency
        raise UserError(
            f"The device '{device}' cannot be used ({error}); run 'fastdigits doctor' to see how to fix it."
        ) from None


def inference_ops(ops: Ops, images: int) -> Ops:
    """Return the operations of the same device that are fastest for inference on a given number of images.

    Up to MAX_SEQUENTIAL_IMAGES, the CPU runs one image at a time, with L = 1. These operations cannot train.
    """
    if ops.device != "cpu" or ops.lanes == 1 or images > MAX_SEQUENTIAL_IMAGES:
        return ops
    functions = {name: replay.unrecorded(function) for name, function in _functions("reference", FAMILIES).items()}
    variants = ("variants.single_image",) if ops.exact else ("variants.single_image", "variants.single_image_winograd")
    functions |= {"captured": replay.Captured} | _functions("cpu", variants)
    return cast(Ops, LoadedOps("cpu", 1, functions, threads=ops.threads, exact=ops.exact))


def check_device(device: str) -> None:
    """Raise UserError if a device is unknown or cannot be used on this machine."""
    if device not in DEVICES:
        raise UserError(f"There is no device '{device}'; choose one of {', '.join(DEVICES)}.")
    if reason := why_unavailable(device):
        raise UserError(
            f"The device '{device}' cannot be used: {reason}; use {setting('device', 'cpu')}, or "
            "see 'fastdigits doctor'."
        )


def why_unavailable(device: str) -> str | None:
    """Return why a device cannot be used on this machine; None if it can, or if Numba simulates CUDA."""
    if device != "cuda" or numba_setup.simulates_cuda():
        return None
    return pool.why_gpu_lost() or _why_no_cuda()


def choose_device() -> tuple[str, str]:
    """Return the device that "auto" stands for on this machine, and the reason in one sentence."""
    reason = "it is only simulated" if numba_setup.simulates_cuda() else why_unavailable("cuda")
    return ("cpu", f"cpu, because cuda cannot be used: {reason}") if reason else ("cuda", "cuda, since it works here")


def run_test_kernel(device: str) -> None:
    """Compute a small ReLU on a device and check the result.

    Raises
    ------
    ArithmeticError
        If the result is wrong. Other errors of the device are not caught.
    """
    import numpy as np

    ops = _load(device)
    x = np.linspace(-1, 1, 3 * ops.lanes, dtype=np.float32).reshape(3, -1)
    y = ops.empty(x.shape)
    ops.relu_forward(ops.upload(x), y)
    if not np.array_equal(ops.download(y), np.maximum(x, 0)):
        raise ArithmeticError("relu_forward gives wrong numbers")


def why_incomplete(device: str) -> str | None:
    """Return a reason if this version lacks kernels for a device, else None."""
    complete = all(find_spec(f"fastdigits.ops.{family}.{device}") for family in FAMILIES)
    return None if complete else f"this version has no {device.upper()} kernels yet"


@functools.cache
def _why_no_cuda() -> str | None:
    from fastdigits.ops.cuda import availability

    return why_incomplete("cuda") or availability.why_no_cuda(lambda: run_test_kernel("cuda"))


def _load(device: str, threads: int | None = None, exact: bool = False) -> Ops:
    if device == "reference":
        functions = _functions(device, FAMILIES)
        return cast(Ops, LoadedOps(device, 1, functions, exact=True))  # (N, C, H, W) with a last axis of one
    threads = numba_setup.prepare_numba(threads)
    functions = _functions(device, FAMILIES if exact else (*FAMILIES, "variants.winograd"))
    if device == "cuda":
        functions = {name: pool.in_one_process(function) for name, function in functions.items()}
        return cast(Ops, LoadedOps(device, _lanes("cuda.launch"), functions, prefers_micro_batches=False, exact=exact))
    in_numpy = {*array.OPS, "random_permutation"} - {"captured"}
    guarded = {name: pool.guarded(functions[name], threads) for name in functions.keys() - set(array.OPS)}
    unrecorded = {name: replay.unrecorded(functions[name]) for name in in_numpy}
    captured = {"captured": _captured(functions["captured"], threads)}
    functions = guarded | unrecorded | captured
    return cast(Ops, LoadedOps(device, _lanes("lanes.vector_unit"), functions, threads=threads, exact=exact))


def _captured(captured: Callable, threads: int) -> Callable:
    """Return `captured` of the CPU for a number of threads."""

    @functools.wraps(captured)
    def on_threads(function: Callable) -> Callable:
        return pool.guarded(replay.Captured(function, threads), threads)

    return on_threads


def _lanes(module: str) -> int:
    return importlib.import_module(f"fastdigits.ops.{module}").LANES


def _functions(device: str, families: tuple[str, ...]) -> dict[str, Callable]:
    """Return the operations of families by name; those of a later family replace those of an earlier one."""
    found = {}
    for family in families:
        module = importlib.import_module(f"fastdigits.ops.{family}.{device}")
        for name in importlib.import_module(f"fastdigits.ops.{family}").OPS:
            if not hasattr(module, name):
                raise NotImplementedError(f"ops/{family.replace('.', '/')}/{device}.py does not define {name}")
            found[name] = getattr(module, name)
    return found

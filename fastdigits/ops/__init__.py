"""The op interface: every operation by name, for one device.

`load("cpu")` gives an object whose attributes are the functions that the families list in OPS:
the same names, parameters and results on every device. This is the one place that reads the
device's name.
"""

import functools
import importlib
from collections.abc import Callable
from importlib.util import find_spec

from fastdigits.errors import UserError
from fastdigits.ops.runtime import numba_setup

DEVICES = ("cpu", "cuda", "reference")
FEW = 3  # images that a CPU reads sooner one after the other than side by side
FAMILIES = (
    "activation",
    "array",
    "batch",
    "batchnorm",
    "conv2d",
    "dense",
    "elementwise",
    "fused",
    "loss",
    "lrn",
    "optimizer",
    "pool2d",
    "random",
)


class Ops:
    """All operations of one device; `lanes` is how many images lie side by side in its arrays.

    `in_parts` says whether many images are read in less time a few after the other, so that what lies between two
    layers stays in a cache; else a device has enough to do only with many at once.

    The operations trust their callers: arrays are C-contiguous, of the types that the references
    name, with `lanes` as the last axis where that is L.
    """

    def __init__(self, device: str, lanes: int, functions: dict[str, Callable], in_parts: bool = True):
        self.__dict__.update(functions, device=device, lanes=lanes, in_parts=in_parts)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Ops are fixed once loaded: {name} cannot be set.")

    def __repr__(self) -> str:
        return f"<Ops of {self.device}, {self.lanes} lanes>"


def load(device: str, threads: int | None = None, exact: bool = False) -> Ops:
    """The operations of a device.

    Parameters
    ----------
    device : str
        "cpu", "cuda" or "reference" (plain NumPy, the definition of every operation).
    threads : int, optional
        Processor cores that the CPU kernels use; all of them unless given.
    exact : bool
        Whether convolutions add up the very products of their definition; otherwise Winograd's method may
        save most of them, at the cost of some 1e-6 of the result.

    Raises
    ------
    UserError
        If the device is unknown or cannot be used on this machine.
    """
    if device not in DEVICES:
        raise UserError(f"There is no device '{device}'; choose one of {', '.join(DEVICES)}.")
    reason = why_unusable(device)
    if reason:
        raise UserError(
            f"The device '{device}' cannot be used: {reason}; use --device cpu, or see 'fastdigits doctor'."
        )
    try:
        return _load(device, threads, exact)
    except ImportError as error:
        if (error.name or "").startswith("fastdigits"):
            raise  # our own mistake
        raise UserError(
            f"The device '{device}' cannot be used ({error}); 'fastdigits doctor' says what mends it."
        ) from None


def _load(device: str, threads: int | None = None, exact: bool = False) -> Ops:
    if device != "reference":
        numba_setup.prepare_numba(threads)
    families = FAMILIES if exact or device != "cpu" else (*FAMILIES, "variants.winograd")
    functions = {name: _find(family, device, name) for family in families for name in _names(family)}
    if device == "cpu" and numba_setup.parallel_layer() == "workqueue":
        functions = {name: numba_setup.one_at_a_time(function) for name, function in functions.items()}
    return Ops(device, _lanes(device), functions, in_parts=device != "cuda")


def to_infer(ops: Ops, images: int) -> Ops:
    """The operations of the same device that read so many images in the least time; they may only infer.

    On the CPU a few images are read one by one, with L = 1.
    """
    if ops.device != "cpu" or images > FEW:
        return ops
    functions = {name: _find(family, "reference", name) for family in FAMILIES for name in _names(family)}
    functions |= {name: _find("variants.single_image", "cpu", name) for name in _names("variants.single_image")}
    return Ops("cpu", 1, functions)


def why_unusable(device: str) -> str | None:
    """Why this machine cannot compute on the device, or None if it can; numba's simulator of CUDA can."""
    return _why_no_cuda() if device == "cuda" and not numba_setup.simulates_cuda() else None


def choose_device() -> tuple[str, str]:
    """What "auto" means here: (device, the reason in one sentence)."""
    reason = "it is only simulated" if numba_setup.simulates_cuda() else why_unusable("cuda")
    return ("cpu", f"cpu, because cuda cannot be used: {reason}") if reason else ("cuda", "cuda, since it works here")


def try_kernel(device: str) -> None:
    """Compute something small on a device; raises whatever goes wrong, ArithmeticError if the numbers are not right."""
    import numpy as np

    ops = _load(device)
    x = np.linspace(-1, 1, 3 * ops.lanes, dtype=np.float32).reshape(3, -1)
    y = ops.empty(x.shape)
    ops.relu_forward(ops.upload(x), y)
    if not np.array_equal(ops.download(y), np.maximum(x, 0)):
        raise ArithmeticError("relu_forward gives wrong numbers")


def why_incomplete(device: str) -> str | None:
    """What fastdigits itself lacks for a device, or None if it has all operations."""
    complete = all(find_spec(f"fastdigits.ops.{family}.{device}") for family in FAMILIES)
    return None if complete else f"this version has no {device.upper()} kernels yet"


@functools.cache
def _why_no_cuda() -> str | None:
    from fastdigits.ops.cuda import availability

    return why_incomplete("cuda") or availability.why_no_cuda(lambda: try_kernel("cuda"))


def _lanes(device: str) -> int:
    if device == "reference":
        return 1  # ordinary (N, C, H, W), with a last axis of one
    machine = importlib.import_module(f"fastdigits.ops.{'cuda.launch' if device == 'cuda' else 'lanes.vector_unit'}")
    return machine.LANES


def _names(family: str) -> tuple[str, ...]:
    return importlib.import_module(f"fastdigits.ops.{family}").OPS


def _find(family: str, device: str, name: str) -> Callable:
    module = importlib.import_module(f"fastdigits.ops.{family}.{device}")
    if not hasattr(module, name):
        raise NotImplementedError(f"ops/{family.replace('.', '/')}/{device}.py does not define {name}")
    return getattr(module, name)

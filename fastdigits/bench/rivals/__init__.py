"""Other frameworks: one file each, with NAME, version(), and training and inference where it does them.

One that needs a device has why_unavailable().

training(workload, compiled, say) and inference(workload, compiled, say) give the ways that this framework has to
do the workload, as contenders; the best of them races.
"""

import importlib
from types import ModuleType

from fastdigits.errors import UserError
from fastdigits.nn import Conv2D

# name -> what pip must install
RIVALS = {
    "torch": "torch",
    "torch-cuda": "torch",
    "tensorflow": "tensorflow",
    "onnxruntime": "onnxruntime onnx",
    "numpy": "numpy",
}


def load(name: str) -> ModuleType:
    """The rival of that name, with its framework imported.

    To be called before `ops.load`: the settings for OpenMP that suit our kernels are in the environment
    from then on, and a framework that starts its threads later would take them over, to its disadvantage.

    Raises
    ------
    UserError
        If there is no such rival, or its framework is not installed or cannot work here.
    """
    if name not in RIVALS:
        raise UserError(f"There is no rival '{name}'; choose one of {', '.join(RIVALS)}.")
    try:
        module = importlib.import_module(f"fastdigits.bench.rivals.{name.replace('-', '_')}")
    except ImportError as error:
        if (error.name or "").startswith("fastdigits"):
            raise  # our own mistake
        raise UserError(
            f"To measure against {name} its packages must be installed ({error}); run 'pip install {RIVALS[name]}'."
        ) from None
    reason = module.why_unavailable() if hasattr(module, "why_unavailable") else None
    if reason:
        raise UserError(f"To measure against {name} is not possible here: {reason}; leave it out.")
    return module


def zeros_after(layer: Conv2D) -> tuple[int, int]:
    """(rows, columns) of zeros after the last pixels of a convolution's input; those before are its top and left.

    Numbers below 0 are of pixels that are left out.
    """
    (_, H, W), (_, I, J) = layer.input_shape, layer.output_shape
    P, Q = layer.weight.shape[2:]
    bottom, right = (I - 1) * layer.stride + P - H - layer.top, (J - 1) * layer.stride + Q - W - layer.left
    return max(bottom, min(layer.top, 0)), max(right, min(layer.left, 0))  # a stride may never reach the last pixels

"""The choices of command-line options, in a module that does not import NumPy so that `--help` is fast."""

from fastdigits.nn.registry import ACTIVATIONS, INITIALIZERS, POOLINGS

__all__ = ["ACTIVATIONS", "FRAMEWORKS", "INITIALIZERS", "POOLINGS", "RIVALS"]

# Frameworks for `fastdigits bench --against`, with the packages to install with pip
RIVALS = {
    "torch": "torch",
    "torch-cuda": "torch",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "onnxruntime": "onnxruntime onnx",
    "openvino": "openvino onnx",
    "litert": "ai-edge-litert",
    "ncnn": "ncnn",
    "numpy": "numpy",
}

# Frameworks for `fastdigits compare --against`, with the packages to install with pip
FRAMEWORKS = {"torch": "torch", "tensorflow": "tensorflow"}

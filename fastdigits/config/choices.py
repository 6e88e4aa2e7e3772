"""Names among which options choose. Light to import, so that the command line can list them without NumPy."""

from fastdigits.nn.registry import ACTIVATIONS, INITIALIZERS, POOLINGS

__all__ = ["ACTIVATIONS", "INITIALIZERS", "POOLINGS", "RIVALS"]

# Frameworks of `fastdigits bench --against`, with the packages that pip must install
RIVALS = {
    "torch": "torch",
    "torch-cuda": "torch",
    "tensorflow": "tensorflow",
    "onnxruntime": "onnxruntime onnx",
    "numpy": "numpy",
}

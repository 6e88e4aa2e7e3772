"""ncnn: the same network with the same weights, image by image because ncnn has no batches, for inference only.

As ncnn's converters do, a ReLU becomes part of the layer before it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ncnn
import numpy as np

from fastdigits.bench.rivals import translation, with_relu
from fastdigits.bench.workload import Contender, Workload
from fastdigits.errors import UserError
from fastdigits.nn import Conv2D, Dense
from fastdigits.nn.layers import Layer

NAME = "ncnn"
FILE_MARK = "7767517"
FLOAT32 = bytes(4)  # marks the type of the weights that follow
IN_BFLOAT16_OR_FLOAT16 = "use_bf16_storage", "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"


def version() -> str:
    """Return the version of the framework."""
    return ncnn.__version__


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contender that computes the scores of each image of the batch in turn, in float32."""
    network = ncnn.Net()
    network.opt.num_threads = workload.threads
    for option in IN_BFLOAT16_OR_FLOAT16:
        setattr(network.opt, option, False)
    lines = list(_lines(workload))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "weights.bin"
        file.write_bytes(_content(workload))
        network.load_param_mem("\n".join([FILE_MARK, f"{len(lines)} {len(lines)}", *lines]) + "\n")
        network.load_model(str(file))
    images = [ncnn.Mat(image).clone() for image in workload.images]
    output = lines[-1].split()[5]

    def scores_of(image: Any) -> Any:
        extractor = network.create_extractor()
        extractor.input("images", image)
        return extractor.extract(output)[1]

    def run(steps: int) -> None:
        for _ in range(steps):
            for image in images:
                scores_of(image)

    return [Contender(NAME, "", run, lambda: {"scores": np.array([np.array(scores_of(image)) for image in images])})]


def _lines(workload: Workload) -> Iterator[str]:
    """Yield the lines of the layers: kind, name, numbers of inputs and outputs, their names, and numbered options."""
    C, H, W = workload.network.input_shape
    yield f"Input images 0 1 images 0={W} 1={H} 2={C}"
    x = "images"
    for name, layer, relu in with_relu(workload.network, (Conv2D, Dense)):
        kind, options = translation(LAYERS, layer, "ncnn")(layer)
        options |= {9: 1} if relu else {}
        yield " ".join([kind, name, "1 1", x, name, *(f"{key}={value}" for key, value in options.items())])
        x = name


def _content(workload: Workload) -> bytes:
    """Return the weights of all layers, as ncnn reads them from a file."""
    arrays = [workload.weights[name] for name in workload.network.parameters()]
    return b"".join((FLOAT32 if array.ndim > 1 else b"") + array.tobytes() for array in arrays)


def _convolution(layer: Conv2D) -> tuple[str, dict[int, Any]]:
    (O, _, P, Q), (top, left, bottom, right) = layer.weight.shape, layer.pads()
    if min(layer.pads()) < 0:
        raise UserError("There is no cropping convolution in the comparison with ncnn.")
    pads = {4: left, 15: right, 14: top, 16: bottom}
    return "Convolution", {0: O, 1: Q, 11: P, 3: layer.stride, **pads, 5: 1, 6: layer.weight.size}


def _pooling(kind: int) -> Callable[[Any], tuple[str, dict[int, Any]]]:
    valid = {5: 1}
    return lambda layer: ("Pooling", {0: kind, 1: layer.size[1], 11: layer.size[0], 2: layer.stride, **valid})


def _without_options(kind: str) -> Callable[[Layer], tuple[str, dict[int, Any]]]:
    return lambda layer: (kind, {})


# Our layers as the kind and the options of a layer of ncnn
LAYERS: dict[str, Callable[[Any], tuple[str, dict[int, Any]]]] = {
    "Conv2D": _convolution,
    "Dense": lambda layer: ("InnerProduct", {0: layer.weight.shape[0], 1: 1, 2: layer.weight.size}),
    "MaxPool2D": _pooling(0),
    "AvgPool2D": _pooling(1),
    "Flatten": _without_options("Flatten"),
    "ReLU": _without_options("ReLU"),
    "LeakyReLU": lambda layer: ("ReLU", {0: layer.slope}),
    "Sigmoid": _without_options("Sigmoid"),
    "Tanh": _without_options("TanH"),
    "GELU": lambda layer: ("GELU", {0: 1}),
    "SiLU": _without_options("Swish"),
}

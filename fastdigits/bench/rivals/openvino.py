"""OpenVINO: the same network with the same weights from an ONNX graph, for inference only."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from fastdigits.bench.workload import Contender, Workload
from fastdigits.export import onnx

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # otherwise the import sends usage data
openvino = importlib.import_module("openvino")

NAME = "openvino"
_KEPT: list[Any] = []  # networks: when OpenVINO frees one, it sets a stack for signals that another has freed already


def version() -> str:
    """Return the version of the framework."""
    return openvino.__version__.partition("-")[0]


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contenders that compute the scores of the batch in float32.

    "latency" computes the batch at once, on all threads. "throughput" computes an equal part of the batch on each
    thread, if it can be divided.
    """
    found = [_inference(workload, "latency", parts=1)]
    if workload.threads > 1 and len(workload.images) % workload.threads == 0:
        found.append(_inference(workload, "throughput", workload.threads))
    return found


def _inference(workload: Workload, variant: str, parts: int) -> Contender:
    images = np.split(workload.images, parts)
    model = onnx.model_of(workload.network, workload.weights, workload.model, len(images[0]))
    options = {
        "PERFORMANCE_HINT": variant.upper(),
        "NUM_STREAMS": parts,
        "INFERENCE_NUM_THREADS": workload.threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = openvino.Core()
    network = core.compile_model(core.read_model(model.SerializeToString()), "CPU", options)
    _KEPT.append(network)
    requests = [network.create_infer_request() for _ in images]
    for request, part in zip(requests, images, strict=True):
        request.set_input_tensor(openvino.Tensor(part, shared_memory=True))

    def run(steps: int) -> None:
        for _ in range(steps):
            for request in requests:
                request.start_async()
            for request in requests:
                request.wait()

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return {"scores": np.concatenate([request.get_output_tensor().data for request in requests])}

    return Contender(NAME, variant, run, outputs)

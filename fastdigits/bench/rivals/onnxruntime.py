"""ONNX Runtime: the same network with the same weights as an ONNX graph, for inference only."""

from collections.abc import Callable
from typing import Any

import onnxruntime

from fastdigits.bench.workload import Contender, Workload
from fastdigits.export import onnx

NAME = "onnxruntime"


def version() -> str:
    """Return the version of the framework."""
    return onnxruntime.__version__


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contender that computes the scores of the batch, with all graph optimizations enabled."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = workload.threads, 1
    model = onnx.model_of(workload.network, workload.weights, workload.model, len(workload.images))
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feed = {onnx.INPUT: workload.images}

    def run(steps: int) -> None:
        for _ in range(steps):
            session.run(None, feed)

    return [Contender(NAME, "", run, lambda: {"scores": session.run(None, feed)[0]})]

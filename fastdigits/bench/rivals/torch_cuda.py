"""PyTorch on the GPU, in float32: step by step, and as a CUDA graph that was captured once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fastdigits.bench.machine import shortest
from fastdigits.bench.rivals.torch import TorchTrainer, convolves, prepared, version
from fastdigits.bench.workload import Contender, Workload

__all__ = ["DEVICE", "NAME", "inference", "product_seconds", "training", "version", "why_unavailable"]

NAME, DEVICE = "torch-cuda", "cuda"
WARM_UP = 3  # steps before a capture: PyTorch chooses its kernels and makes its buffers in them


def why_unavailable() -> str | None:
    """Why PyTorch cannot compute on a GPU here, or None if it can."""
    return None if torch.cuda.is_available() else "PyTorch finds no GPU"


def training(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Training steps with the fused AdamW; "graph" replays a captured step."""
    return [_training(workload, *way) for way in _ways(workload)]


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Scores of the batch; "graph" replays a captured pass."""
    return [_inference(workload, *way) for way in _ways(workload)]


def product_seconds(rows: int, inner: int, columns: int, runs: int) -> float:
    """The shortest of some runs of a matrix product in float32."""
    _compute_in_float32()
    left, right = torch.ones((rows, inner), device=DEVICE), torch.ones((inner, columns), device=DEVICE)
    product = torch.empty((rows, columns), device=DEVICE)

    def work() -> None:
        torch.mm(left, right, out=product)
        _wait()

    return shortest(work, runs)


def _ways(workload: Workload) -> list[tuple[bool, bool]]:
    """(channels last, as a graph)."""
    _compute_in_float32()
    return [(last, graph) for graph in (False, True) for last in (False, True) if convolves(workload) or not last]


def _training(workload: Workload, channels_last: bool, graph: bool) -> Contender:
    trainer = TorchTrainer(workload, DEVICE, channels_last, fused=True, capturable=graph)
    run = _repeated(trainer.step, graph)

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return trainer.gradients()

    return Contender(NAME, _variant(channels_last, graph), run, outputs, DEVICE)


def _inference(workload: Workload, channels_last: bool, graph: bool) -> Contender:
    module, x = prepared(workload, DEVICE, channels_last)
    module.eval()
    scores = torch.empty((len(workload.images), workload.network.classes), device=DEVICE)

    def read() -> None:
        with torch.inference_mode():
            scores.copy_(module(x))

    run = _repeated(read, graph)

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return {"scores": scores.cpu().numpy()}

    return Contender(NAME, _variant(channels_last, graph), run, outputs, DEVICE)


def _variant(channels_last: bool, graph: bool) -> str:
    return f"{'graph' if graph else 'eager'}{', channels_last' if channels_last else ''}"


def _repeated(step: Callable[[], None], graph: bool) -> Callable[[int], None]:
    """So many steps, until the device has done them."""
    step = _captured(step) if graph else step

    def run(steps: int) -> None:
        for _ in range(steps):
            step()
        _wait()

    return run


def _captured(step: Callable[[], None]) -> Callable[[], None]:
    """The same step, replayed: all its kernels are started at once."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _compute_in_float32() -> None:
    """As we do; PyTorch would let convolutions round their inputs to TF32. It may try out its kernels."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True


def _wait() -> None:
    torch.cuda.synchronize()

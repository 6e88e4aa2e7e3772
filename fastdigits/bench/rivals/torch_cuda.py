"""PyTorch on the GPU, in float32: eagerly, and as a captured CUDA graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fastdigits.bench.machine import shortest
from fastdigits.bench.rivals.torch import TorchTrainer, has_convolution, module_and_images, version
from fastdigits.bench.workload import Contender, Workload

__all__ = ["DEVICE", "NAME", "inference", "product_seconds", "training", "version", "why_unavailable"]

NAME, DEVICE = "torch-cuda", "cuda"
WARM_UP = 3  # steps before a capture, in which PyTorch chooses its kernels and allocates its buffers


def why_unavailable() -> str | None:
    """Return why PyTorch cannot use a GPU, or None if it can."""
    return None if torch.cuda.is_available() else "PyTorch finds no GPU"


def training(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contenders that run training steps with the fused AdamW; "graph" replays a captured step."""
    return [_training(workload, *variant) for variant in _variants(workload)]


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contenders that compute the scores of the batch; "graph" replays a captured forward pass."""
    return [_inference(workload, *variant) for variant in _variants(workload)]


def product_seconds(rows: int, inner: int, columns: int, runs: int) -> float:
    """Return the seconds of the fastest of `runs` matrix products in float32."""
    _compute_in_float32()
    left, right = torch.ones((rows, inner), device=DEVICE), torch.ones((inner, columns), device=DEVICE)
    product = torch.empty((rows, columns), device=DEVICE)

    def work() -> None:
        torch.mm(left, right, out=product)
        _wait()

    return shortest(work, runs)


def _variants(workload: Workload) -> list[tuple[bool, bool]]:
    """Return the (channels_last, graph) of each variant."""
    _compute_in_float32()
    return [(last, graph) for graph in (False, True) for last in (False, True) if has_convolution(workload) or not last]


def _training(workload: Workload, channels_last: bool, graph: bool) -> Contender:
    trainer = TorchTrainer(workload, DEVICE, channels_last, fused=True, capturable=graph)
    run = _repeated(trainer.step, graph)

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return trainer.gradients()

    return Contender(NAME, _variant(channels_last, graph), run, outputs, DEVICE)


def _inference(workload: Workload, channels_last: bool, graph: bool) -> Contender:
    module, x = module_and_images(workload, DEVICE, channels_last)
    module.eval()
    scores = torch.empty((len(workload.images), workload.network.classes), device=DEVICE)

    def forward() -> None:
        with torch.inference_mode():
            scores.copy_(module(x))

    run = _repeated(forward, graph)

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return {"scores": scores.cpu().numpy()}

    return Contender(NAME, _variant(channels_last, graph), run, outputs, DEVICE)


def _variant(channels_last: bool, graph: bool) -> str:
    return f"{'graph' if graph else 'eager'}{', channels_last' if channels_last else ''}"


def _repeated(step: Callable[[], None], graph: bool) -> Callable[[int], None]:
    """Return a function that runs a number of steps and waits until the device has finished them."""
    step = _captured(step) if graph else step

    def run(steps: int) -> None:
        for _ in range(steps):
            step()
        _wait()

    return run


def _captured(step: Callable[[], None]) -> Callable[[], None]:
    """Return a function that replays the step as a CUDA graph, which launches all its kernels at once."""
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _compute_in_float32() -> None:
    """Disable TF32, which would round the inputs of convolutions, and let cuDNN choose its kernels by benchmarks."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True


def _wait() -> None:
    torch.cuda.synchronize()

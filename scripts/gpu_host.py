"""Measure the Python of a training step with --device cuda, without a GPU: python scripts/gpu_host.py --model mlp

CuPy and the driver are replaced by stand-ins whose launches do nothing, so what is left is the time of the host between
two steps. That of CuPy and the driver themselves is missing: the part `replay` of gpu_report.py measures it on a GPU.
Times are those of the processor (thread_time), each the smallest of several rounds.
"""

import sys
from collections.abc import Callable
from time import thread_time
from types import SimpleNamespace
from typing import Any

import click
import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.models import network_of
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.loop import train_epoch
from fastdigits.training.trainer import Trainer, build_for_training

BATCH_SIZE = 128


class DeviceArray(np.ndarray):
    """A NumPy array in the place of CuPy's."""

    @property
    def data(self) -> Any:
        """Where the array is."""
        return SimpleNamespace(ptr=self.__array_interface__["data"][0])

    def get(self, stream: Any) -> np.ndarray:
        """Return a copy."""
        return np.array(self, subok=False)


class Stream:
    """A stream, and what is recorded from it, that do nothing."""

    def use(self) -> "Stream":
        return self

    def record(self) -> "Stream":
        return Stream()

    def wait_event(self, event: "Stream") -> None: ...

    def begin_capture(self) -> None: ...

    def end_capture(self) -> "Stream":
        return Stream()

    def launch(self, stream: "Stream") -> None: ...


def pretend_a_gpu() -> None:
    """Put stand-ins in the place of CuPy and of compiled kernels."""
    from fastdigits.ops.cuda import launch

    def on_device(make: Callable) -> Callable:
        return lambda *arguments: make(*arguments).view(DeviceArray)

    stream, gpu = Stream(), SimpleNamespace(compute_capability="90")
    makers = {name: on_device(getattr(np, name)) for name in ("zeros", "array", "asarray")}
    cuda = SimpleNamespace(Stream=lambda **options: stream, Device=lambda: gpu)
    sys.modules["cupy"] = SimpleNamespace(**makers, empty=makers["zeros"], cuda=cuda)  # type: ignore[assignment]
    devices._why_no_cuda = lambda: None
    launch._load = lambda *compiled: lambda *arguments: None


def measure(model: str, schedule: str, steps: int, rounds: int) -> dict[str, float]:
    """Return the microseconds of a step by part, for epochs of a number of steps."""
    network, images = network_of(model), steps * BATCH_SIZE
    shape, rows = (images, *network.input_shape[1:]), np.arange(images, dtype=np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    config = TrainConfig(batch_size=BATCH_SIZE, validation=0, schedule=schedule)
    batches = build_for_training(network, pixels, np.zeros(images, np.uint8), rows, devices.load("cuda"), config)
    trainer, callback, checkpoints = Trainer(network, batches, config, rows), Callback(), Checkpoints()

    def epoch() -> None:
        trainer.images_done = 0
        train_epoch(trainer, images, callback, checkpoints)

    def launches() -> None:
        for _ in range(steps):
            trainer.run_step(BATCH_SIZE)

    def all_steps() -> None:
        for first in range(0, images, BATCH_SIZE):
            trainer.step(first, BATCH_SIZE)

    def us(work: Callable[[], None]) -> float:
        work()
        times = []
        for _ in range(rounds):
            start = thread_time()
            work()
            times.append(thread_time() - start)
        return min(times) / steps * 1e6

    epoch()  # records a step
    start_epoch = trainer.start_epoch
    found = {"an epoch, by step": us(epoch), "order of the images": us(lambda: start_epoch(1, [1.0] * steps))}
    found["numbers of the step"], found["launch of the graph"] = us(all_steps), us(launches)
    found["numbers of the step"] -= found["launch of the graph"]
    trainer.step = trainer.start_epoch = lambda *arguments: None  # type: ignore[method-assign]
    return found | {"loop, schedule, callback": us(epoch)}


@click.command()
@click.option("--model", default="mlp", show_default=True)
@click.option("--schedule", default="one-cycle", show_default=True)
@click.option("--steps", default=468, show_default=True, help="Steps of an epoch.")
@click.option("--rounds", default=15, show_default=True)
def main(model: str, schedule: str, steps: int, rounds: int) -> None:
    """Measure the Python of a training step with --device cuda, without a GPU."""
    devices.load("cpu")  # sets Numba up
    pretend_a_gpu()
    for part, us in measure(model, schedule, steps, rounds).items():
        click.echo(f"{part:26}{us:6.1f} us")


if __name__ == "__main__":
    main()

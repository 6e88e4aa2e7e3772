"""What long work says: a line for each epoch or step, and of steps on a terminal a bar that moves."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import click

from fastdigits.cli.terminal import interrupt
from fastdigits.errors import UserError
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import numba_setup
from fastdigits.storage.history import Epoch
from fastdigits.training.callbacks import Callback

T = TypeVar("T")


def announcing_compilation(ops: Ops, say: Callable[[str], Any]) -> AbstractContextManager:
    """A block in which the first compilation is told of; the definitions compile nothing."""
    if ops.device == "reference":
        return nullcontext()
    return numba_setup.on_first_compilation(lambda: say("compiling kernels, once ..."))


def run_steps(steps: Sequence[tuple[str, Callable[[], T]]]) -> Iterator[tuple[str, T]]:
    """Run named steps one by one and yield (name, result), with a bar on a terminal and a line for each elsewhere."""
    if not sys.stderr.isatty():
        for number, (name, run) in enumerate(steps, start=1):
            click.echo(f"{number}/{len(steps)} {name}", err=True)
            interrupt.check()
            yield name, run()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=len(steps))
        for name, run in steps:
            bar.update(task, description=name)
            interrupt.check()
            yield name, run()
            bar.advance(task)


class Lines(Callback):
    """One line for each epoch, and one every `log_every` batches if that is not 0."""

    def __init__(self, say: Callable[[str], Any], epochs: int, log_every: int):
        self.say, self.epochs, self.log_every = say, epochs, log_every
        self.batches = 0

    def display(self) -> AbstractContextManager:
        """What must be open while training goes on."""
        return nullcontext()

    def on_run_start(self, title: str, done: int, total: int) -> None:
        self.say(title)

    def on_run_failed(self, reason: UserError) -> None:
        self.say(f"dead: {reason}")

    def on_compiled(self, seconds: float) -> None:
        interrupt.check()
        interrupt.hold()
        self.say(f"kernels ready in {seconds:.1f} s")

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        interrupt.check()
        self.batches = self.batches + 1 if images < total else 0
        if self.log_every and self.batches and self.batches % self.log_every == 0:
            loss, accuracy = metrics()
            self.say(f"epoch {epoch}: {images} of {total} images, loss {loss:.4f}, accuracy {accuracy:.2%}")

    def on_epoch_end(self, record: Epoch) -> None:
        self.say(self.joined(self.parts(record)))
        interrupt.check()

    def parts(self, record: Epoch) -> list[str]:
        """What a line says of an epoch."""
        held_out = (
            [f"validation loss {record.validation_loss:.4f} accuracy {record.validation_accuracy:7.2%}"]
            if record.validation_loss is not None
            else []
        )
        return [
            f"epoch {record.epoch:{len(str(self.epochs))}}/{self.epochs}",
            f"train loss {record.train_loss:.4f} accuracy {record.train_accuracy:7.2%}",
            *held_out,
            f"{record.images_per_second:,.0f} images/s",
            f"{record.seconds:.2f} s",
        ]

    def joined(self, parts: list[str]) -> str:
        """The parts in one line."""
        return "   ".join(parts)

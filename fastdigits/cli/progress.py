"""What long work shows: a line for each epoch or step, and on a terminal a bar that moves."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from fastdigits.cli import interrupt
from fastdigits.errors import UserError
from fastdigits.history import Epoch
from fastdigits.ops import environment
from fastdigits.steps import Step
from fastdigits.watcher import Watcher


def announcing_compilation(ops: Any, say: Callable[[str], Any]) -> AbstractContextManager:
    """A block in which the first compilation is told of; the definitions compile nothing."""
    if ops.device == "reference":
        return nullcontext()
    return environment.on_first_compilation(lambda: say("compiling kernels, once ..."))


def following(steps: Sequence[Step]) -> Iterator[Step]:
    """The same steps, with a bar on a terminal and a line for each elsewhere."""
    if not sys.stderr.isatty():
        for number, step in enumerate(steps, start=1):
            click.echo(f"{number}/{len(steps)} {step.name}", err=True)
            interrupt.check()
            yield step
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=len(steps))
        for step in steps:
            bar.update(task, description=step.name)
            interrupt.check()
            yield step
            bar.advance(task)


class Lines(Watcher):
    """One line for each epoch, and one every `log_every` batches if that is not 0."""

    def __init__(self, say: Callable[[str], Any], epochs: int, log_every: int):
        self.say, self.epochs, self.log_every = say, epochs, log_every
        self.batches = 0

    def display(self) -> AbstractContextManager:
        """What must be open while training goes on."""
        return nullcontext()

    def run(self, title: str) -> None:
        self.say(title)

    def dead(self, reason: UserError) -> None:
        self.say(f"dead: {reason}")

    def compiled(self, seconds: float) -> None:
        interrupt.check()
        self.say(f"kernels ready in {seconds:.1f} s")

    def step(self, epoch: int, images: int, total: int, figures: Callable[[], tuple[float, float]]) -> None:
        interrupt.check()
        self.batches = self.batches + 1 if images < total else 0
        if self.log_every and self.batches and self.batches % self.log_every == 0:
            loss, accuracy = figures()
            self.say(f"epoch {epoch}: {images} of {total} images, loss {loss:.4f}, accuracy {accuracy:.2%}")

    def epoch(self, record: Epoch) -> None:
        held_out = (
            f"validation loss {record.validation_loss:.4f} accuracy {record.validation_accuracy:7.2%}   "
            if record.validation_loss is not None
            else ""
        )
        self.say(
            f"epoch {record.epoch:{len(str(self.epochs))}}/{self.epochs}   "
            f"train loss {record.train_loss:.4f} accuracy {record.train_accuracy:7.2%}   {held_out}"
            f"{record.images_per_second:,.0f} images/s   {record.seconds:.2f} s"
        )
        interrupt.check()


class Bar(Lines):
    """The same lines above a bar on the terminal."""

    def __init__(self, epochs: int, log_every: int):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
        console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self.progress = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        super().__init__(self.progress.console.print, epochs, log_every)
        self.task = self.progress.add_task("", total=None, figures="")

    def display(self) -> AbstractContextManager:
        return self.progress

    def step(self, epoch: int, images: int, total: int, figures: Callable[[], tuple[float, float]]) -> None:
        super().step(epoch, images, total, figures)
        if self.batches % 32 == 1 or images == total:  # looking at the figures costs time
            loss, accuracy = figures()
            self.progress.update(
                self.task,
                description=f"epoch {epoch}/{self.epochs}",
                total=total * self.epochs,
                completed=(epoch - 1) * total + images,
                figures=f"loss {loss:.3f} accuracy {accuracy:.1%}",
            )

"""`fastdigits sweep`: train with many settings."""

import os
from difflib import get_close_matches
from typing import Any

import click

from fastdigits.cli.options.common import SuggestingGroup, examples, json_option
from fastdigits.cli.options.figure_files import outputs_option

RUN = "run"


class SweepGroup(SuggestingGroup):
    """A group of commands in which `fastdigits sweep SPEC.toml` is short for `fastdigits sweep run SPEC.toml`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        is_mistyped = "." not in name and not os.path.exists(name) and get_close_matches(name, self.commands)
        if name in self.commands or is_mistyped:
            return super().resolve_command(ctx, args)
        return RUN, self.commands[RUN], args


@click.group(
    "sweep",
    cls=SweepGroup,
    context_settings={"ignore_unknown_options": True},  # those before SPEC.toml are of `run`
    subcommand_metavar="SPEC.toml|COMMAND [ARGS]...",
    epilog=examples("fastdigits sweep lenet.toml", "fastdigits sweep lenet.toml --resume --workers 2"),
)
def command() -> None:
    """Train with many settings and store the result of every run.

    SPEC.toml says which settings to try: a grid, random values, a list, or a search for the best ones.
    'fastdigits sweep run --help' lists the options.
    """


@command.command(RUN, epilog="Example: fastdigits sweep lenet.toml --workers 2 --store lenet.db")
@click.argument("spec", metavar="SPEC.toml", type=click.Path())
@click.option(
    "--store",
    type=click.Path(),
    metavar="FILE.db",
    show_default="SPEC.db",
    help="File for the results, to which several sweeps may write.",
)
@click.option("--resume", is_flag=True, help="Leave out the runs that the store has already.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    show_default="one per core",
    help="Number of processes on this machine. Each has one thread, or as many as 'threads' in SPEC.toml says.",
)
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Use the workers of a Dask scheduler instead, which may be on other machines; they need fastdigits[sweep].",
)
@click.option(
    "--weights",
    "weights_folder",
    type=click.Path(),
    metavar="DIR",
    help="Folder to save the weights of every run to.",
)
@click.option("--progress/--no-progress", default=None, show_default="on a terminal", help="Show a live table.")
@json_option
def run(**values: Any) -> None:
    """Run the trainings that SPEC.toml describes.

    The test images are not read: compare the runs by their validation images. After Ctrl-C the runs in progress end
    and are stored; a second Ctrl-C stops at once. --resume goes on.
    """
    from fastdigits.cli.actions import sweep

    sweep.run_command(values)


@command.command(
    "test", short_help="Evaluate a run on the test images, once.", epilog="Example: fastdigits sweep test lenet.db"
)
@click.argument("store", metavar="FILE.db", type=click.Path())
@click.argument("number", metavar="[RUN]", type=click.IntRange(min=1), required=False)
@json_option
def test(store: str, number: int | None, as_json: bool) -> None:
    """Evaluate a run on the test images, once: by default the best one of the best settings, by validation.

    The network is trained again, which gives the same weights, unless its weights have been saved. The result is kept
    in the store, and shown when the run is tested again.
    """
    from fastdigits.cli.actions import sweep_test

    sweep_test.run_command(store, number, as_json)


@command.command(
    "results",
    epilog=examples(
        "fastdigits sweep results lenet.db",
        "fastdigits sweep results lenet.db --compare 1 2 -o table.md -o lenet.png",
        "fastdigits sweep results lenet.db -o pareto.svg --kind seconds",
    ),
)
@click.argument("store", metavar="FILE.db", type=click.Path())
@click.option(
    "--compare",
    "places",
    type=click.IntRange(min=1),
    nargs=2,
    metavar="PLACE PLACE",
    help="Compare two settings over the seeds that both have: the mean difference and its 95 % t interval.",
)
@outputs_option
@click.option(
    "--kind",
    type=click.Choice(("settings", "parallel", "seconds")),
    default="settings",
    show_default=True,
    help="What a figure shows: accuracy against each setting, parallel coordinates, or accuracy against seconds with "
    "the Pareto front.",
)
@json_option
def results(store: str, places: tuple[int, int] | None, outputs: tuple[str, ...], kind: str, as_json: bool) -> None:
    """Rank the settings of a sweep by validation accuracy.

    The mean and the spread are those over the seeds of the same settings. The test images are not looked at: when you
    have chosen, 'fastdigits sweep test' evaluates one run on them.
    """
    from fastdigits.cli.actions import sweep_results

    sweep_results.run_command(store, outputs, kind, places, as_json)

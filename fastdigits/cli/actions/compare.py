"""Run `fastdigits compare`: train or load the networks, evaluate them, and write the tables and figures."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from fastdigits.bench.machine import cpu_name
from fastdigits.cli.actions import compare_tables
from fastdigits.cli.actions.common import (
    load_data,
    load_ops,
    read_saved,
    say_written,
    training_callback,
    warn_of_polarity,
    write_figure,
)
from fastdigits.cli.options.figure_files import file_type
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.progress import announce_compilation
from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.training import TrainConfig
from fastdigits.data.matching import set_for
from fastdigits.errors import UserError
from fastdigits.files import check_writable, write_atomically
from fastdigits.inference.compare import ComparedModel, measure
from fastdigits.models import name_of, network_of
from fastdigits.nn import Network
from fastdigits.ops.runtime import numba_setup
from fastdigits.plots import comparison
from fastdigits.storage import weights
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.experiment import Run, run
from fastdigits.training.failure import TrainingFailed


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network to compare: either a saved one, or one to train once per configuration."""

    name: str
    network: Network
    saved: SavedNetwork | None = None
    configs: Sequence[TrainConfig] = ()


class Session:
    """A comparison; `values` are the options of the command line."""

    def __init__(self, values: dict[str, Any]):
        self.values = values
        for path in values["outputs"]:
            check_writable(path)
        self.digits = load_data(values["data"])
        self.candidates = [self._candidate(model) for model in dict.fromkeys(values["models"])]
        exact = values["exact"] or any(one.saved.config["exact"] for one in self.candidates if one.saved)
        self.ops = load_ops(values["device"], values["threads"], self.say, exact)
        self.entries: list[Any] = []
        self.done, self.runs = 0, sum(len(one.configs) for one in self.candidates)

    def say(self, line: str) -> None:
        """Print a line on stderr; stdout holds only the table."""
        click.echo(line, err=True)

    def run(self) -> None:
        """Evaluate all networks and write the results; on Ctrl-C, write those of the networks that are done."""
        with interrupt.deferrable():
            try:
                for candidate in self.candidates:
                    for entry in self.measured(candidate):
                        self.entries.append(entry)
                        interrupt.check()
            finally:
                if self.entries:
                    self._write()

    def measured(self, candidate: Candidate) -> Iterator[Any]:
        """Yield the rows of a network in the table as they are measured."""
        yield self._entry(candidate)

    def settings(self, model: str) -> dict[str, Any]:
        """Return the settings with which a network is trained."""
        epochs = {"epochs": self.values["epochs"]} if self.values["epochs"] else {}
        return MODEL_SETTINGS.get(model, {}) | epochs

    def tables(self, rows: Sequence[dict[str, Any]], title: str) -> str:
        """Return the tables in Markdown."""
        return compare_tables.markdown(rows, title)

    def csv_text(self, rows: Sequence[dict[str, Any]]) -> str:
        """Return the table in CSV."""
        return compare_tables.csv_text(rows)

    def figure(self, title: str) -> Any:
        """Return the figure."""
        return comparison.draw(self.entries, title)

    def _candidate(self, model: str) -> Candidate:
        images, labels = self.digits.test_images, self.digits.test_labels
        saved = read_saved(model)
        if saved is None:
            settings = self.settings(model)
            seeds = range(self.values["seed"], self.values["seed"] + self.values["runs"])
            configs = [TrainConfig(**settings, seed=seed, exact=self.values["exact"]) for seed in seeds]
            shape = configs[0].preparation.input_shape(images)
            network = network_of(model, input_shape=shape, classes=self.digits.classes)
            return Candidate(name_of(model), network, configs=configs)
        network = Network.from_config(saved.network)
        with weights.prefix_errors(model):
            labels = set_for(self.digits, network.class_names).test_labels
            network.check_images(images, labels, saved.normalisation.preparation.pad)
        warn_of_polarity([saved], images)
        return Candidate(f"{saved.model} ({model})", network, saved)

    def _entry(self, candidate: Candidate) -> ComparedModel:
        succeeded: list[tuple[SavedNetwork, float]] = []
        failed: list[tuple[SavedNetwork, float]] = []
        for config in candidate.configs:
            try:
                done = self.train(candidate, config)
            except TrainingFailed as error:
                self.say(f"{candidate.name}: run failed: {error}")
                continue
            if done.problem:
                self.say(f"{candidate.name}: run failed: {done.problem}")
            (failed if done.problem else succeeded).append((done.saved(), done.training.seconds["train"]))
        runs = succeeded or failed
        trained = [candidate.saved] if candidate.saved else [saved for saved, _ in runs]
        seconds = [train_s for _, train_s in runs]
        self.say(f"{candidate.name}: evaluating on {len(self.digits.test_labels):,} images")
        digits = set_for(self.digits, candidate.network.class_names)
        images = digits.test_images, digits.test_labels
        with announce_compilation(self.ops, self.say):
            return measure(candidate.name, candidate.network, trained, seconds, *images, self.ops)

    def train(self, candidate: Candidate, config: TrainConfig) -> Run:
        """Train a network once and evaluate it on the test images."""
        callback = training_callback(self.values["progress"], True, self.say, config, 0)
        with announce_compilation(self.ops, callback.say, callback.show_compilation), callback.display():
            callback.on_run_start(f"{candidate.name}, seed {config.seed}", self.done, self.runs)
            self.done += 1
            digits = set_for(self.digits, candidate.network.class_names)
            return run(candidate.name, candidate.network, digits, self.ops, config, callback)

    def _write(self) -> None:
        rows = [entry.to_dict() for entry in self.entries]
        machine = cpu_name() if self.ops.device != "cuda" else self.ops.device
        cores = self.values["threads"] or numba_setup.cores()
        title = f"{self.digits.name} on {machine}, {cores} core{'s' if cores > 1 else ''}"
        if self.values["as_json"]:
            click.echo(json.dumps({"dataset": self.digits.name, "device": self.ops.device, "models": rows}))
        else:
            click.echo(self.tables(rows, title))
        if not any(entry.accuracies for entry in self.entries):
            raise UserError("All training runs failed; try another --seed.")
        for path in self.values["outputs"]:
            self._write_file(path, rows, title)
            say_written(path)

    def _write_file(self, path: str, rows: list[dict[str, Any]], title: str) -> None:
        kind = file_type(path)
        if kind == "md":
            write_atomically(path, (self.tables(rows, title) + "\n").encode(errors="replace"))
        elif kind == "csv":
            write_atomically(path, self.csv_text(rows).encode(errors="replace"))
        else:
            write_figure(path, self.figure(title))

"""One `fastdigits compare`: find the networks, train those that are not trained, measure all, write the tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from fastdigits.bench.machine import cpu_name
from fastdigits.cli.actions import compare_tables
from fastdigits.cli.options import figure_files
from fastdigits.cli.options.arguments import find_saved
from fastdigits.cli.options.common import load_ops
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.progress import announcing_compilation
from fastdigits.cli.terminal.training_lines import watching
from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.errors import UserError
from fastdigits.files import check_writable, write_atomically
from fastdigits.inference.compare import ComparedModel, measure
from fastdigits.models import name_of, network_of
from fastdigits.nn import Network
from fastdigits.ops.runtime import numba_setup
from fastdigits.storage import weights
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.experiment import run
from fastdigits.training.failure import TrainingFailed


@dataclass(frozen=True, eq=False)
class Subject:
    """A network to compare: trained already, or how it is to be."""

    name: str
    network: Network
    saved: SavedNetwork | None = None
    trainings: Sequence[TrainConfig] = ()


class Session:
    """What the command line asks for; `values` are its options."""

    def __init__(self, values: dict[str, Any]):
        self.values = values
        for path in values["outputs"]:
            check_writable(path)
        self.digits = load_digits(values["data"])
        self.subjects = [self._subject(text) for text in dict.fromkeys(values["subjects"])]
        exact = values["exact"] or any(one.saved.config["exact"] for one in self.subjects if one.saved)
        self.ops = load_ops(values["device"], values["threads"], self.say, exact)
        self.entries: list[ComparedModel] = []
        self.done, self.trainings = 0, sum(len(one.trainings) for one in self.subjects)

    def say(self, line: str) -> None:
        """Print a line about what goes on; the table alone is on stdout."""
        click.echo(line, err=True)

    def run(self) -> None:
        """Measure all networks and write the tables; after Ctrl-C of those that are done."""
        with interrupt.released():
            try:
                for subject in self.subjects:
                    self.entries.append(self._entry(subject))
                    interrupt.check()
            finally:
                if self.entries:
                    self._write()

    def _subject(self, text: str) -> Subject:
        images, labels = self.digits.test_images, self.digits.test_labels
        saved = find_saved(text)
        if saved is None:
            own: dict[str, Any] = MODEL_SETTINGS.get(text, {}) | (
                {"epochs": self.values["epochs"]} if self.values["epochs"] else {}
            )
            seeds = range(self.values["seed"], self.values["seed"] + self.values["runs"])
            configs = [TrainConfig(**own, seed=seed, exact=self.values["exact"]) for seed in seeds]
            network = network_of(text, input_shape=configs[0].preparation.input_shape(images))
            return Subject(name_of(text), network, trainings=configs)
        network = Network.from_config(saved.network)
        with weights.prefix_errors(text):
            network.check_images(images, labels, saved.normalisation.preparation.pad)
        return Subject(f"{saved.model} ({text})", network, saved)

    def _entry(self, subject: Subject) -> ComparedModel:
        trained, seconds = [subject.saved] if subject.saved else [], []
        for config in subject.trainings:
            try:
                saved, train_s = self._train(subject, config)
            except TrainingFailed as error:
                self.say(f"{subject.name}: dead: {error}")
            else:
                trained.append(saved)
                seconds.append(train_s)
        self.say(f"{subject.name}: reading {len(self.digits.test_labels):,} images")
        images = self.digits.test_images, self.digits.test_labels
        return measure(subject.name, subject.network, trained, seconds, *images, self.ops)

    def _train(self, subject: Subject, config: TrainConfig) -> tuple[SavedNetwork, float]:
        callback = watching(self.values["progress"], True, self.say, config, 0)
        with announcing_compilation(self.ops, callback.say), callback.display():
            callback.on_run_start(f"{subject.name}, seed {config.seed}", self.done, self.trainings)
            self.done += 1
            done = run(subject.name, subject.network, self.digits, self.ops, config, callback)
        return done.saved(), done.training.seconds["train"]

    def _write(self) -> None:
        rows = [entry.to_dict() for entry in self.entries]
        where = cpu_name() if self.ops.device != "cuda" else self.ops.device
        cores = self.values["threads"] or numba_setup.cores()
        title = f"{self.digits.name} on {where}, {cores} core{'s' if cores > 1 else ''}"
        if self.values["as_json"]:
            click.echo(json.dumps({"dataset": self.digits.name, "device": self.ops.device, "models": rows}))
        else:
            click.echo(compare_tables.markdown(rows, title))
        if not any(entry.accuracies for entry in self.entries):
            raise UserError("All trainings are dead; try another --seed.")
        for path in self.values["outputs"]:
            self._write_file(path, rows, title)
            self.say(f"written: {click.format_filename(path)}")

    def _write_file(self, path: str, rows: list[dict[str, Any]], title: str) -> None:
        kind = figure_files.file_type(path)
        if kind == "md":
            write_atomically(path, (compare_tables.markdown(rows, title) + "\n").encode(errors="replace"))
        elif kind == "csv":
            write_atomically(path, compare_tables.csv_text(rows).encode(errors="replace"))
        else:
            from fastdigits.plots import comparison

            figure_files.write(path, comparison.draw(self.entries, title))

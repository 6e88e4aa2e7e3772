"""Loading training histories from files, and grouping them."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.nn import Dense, Flatten, Network
from fastdigits.storage import training_logs, weights
from fastdigits.storage.history import Epoch

EPOCHS = [Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01, 2.0, 3e4), Epoch(2, 0.1, 0.95, None, None, 0.001, 1.5, 4e4)]


def summary(model="linear", **more):
    return {"model": model, "epochs": [asdict(epoch) for epoch in EPOCHS], **more}


@pytest.fixture
def write(tmp_path):
    """write(name, content) writes JSON, or a network if the content is a TrainConfig; it returns the path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if not isinstance(content, TrainConfig):
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            return path
        network = Network([Flatten(), Dense(10)])
        values = {name: np.zeros(parameter.shape, np.float32) for name, parameter in network.parameters().items()}
        saved = weights.SavedNetwork(
            network=network.config(),
            weights=values,
            normalisation=Normalisation(0.0, 1.0),
            model="linear",
            dataset="mnist",
            config=asdict(content),
            history=[epoch.to_dict() for epoch in EPOCHS],
            metrics={},
        )
        weights.write(path, saved)
        return path

    return write


def test_a_weights_file_is_one_run(write):
    [series] = training_logs.read([write("a.h5", TrainConfig())])
    assert series.label == "linear"
    assert series.runs == [[replace(epoch, seconds=None, images_per_second=None) for epoch in EPOCHS]]


def test_weights_that_differ_only_in_the_seed_are_grouped(write):
    configs = TrainConfig(seed=0), TrainConfig(seed=1), TrainConfig(seed=1, lr=0.1)
    files = [write(f"{number}.h5", config) for number, config in enumerate(configs)]
    first, second = training_logs.read(files)
    assert (first.label, len(first.runs)) == ("linear, 2 runs", 2)
    assert (second.label, len(second.runs)) == ("linear", 1)


def test_statistics_are_the_runs_of_each_model_and_the_folds(write):
    runs = [summary(), summary("lenet"), summary(), summary(fold=1), summary(fold=2)]
    found = training_logs.read([write("a.json", {"times_run": 5, "runs": runs})])
    assert [(one.label, len(one.runs)) for one in found] == [
        ("linear, 2 runs", 2),
        ("lenet", 1),
        ("linear, 2 folds", 2),
    ]
    assert found[0].runs[0] == EPOCHS


def test_json_output_of_train_can_be_read(write):
    one, several = write("a.json", summary()), write("b.json", summary() | {"trainings": [summary(), summary()]})
    assert [series.label for series in training_logs.read([one, several])] == ["linear", "linear, 2 runs"]


def test_labels_name_the_file_if_models_are_the_same(write):
    a, b, c = (write(name, summary()) for name in ("a.json", "b.json", "more/a.json"))
    assert [one.label for one in training_logs.read([a, b])] == ["linear (a)", "linear (b)"]
    assert [one.label for one in training_logs.read([a, c])] == [f"linear ({a})", f"linear ({c})"]


def test_histories_from_before_the_learning_rate_and_from_later_versions(write):
    changed = summary()
    for epoch in changed["epochs"]:
        del epoch["learning_rate"]
        epoch["momentum"] = 0.9
    [series] = training_logs.read([write("a.json", changed)])
    assert series.runs == [[replace(epoch, learning_rate=None) for epoch in EPOCHS]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("no JSON", "has neither weights nor statistics"),
        ("[]", "has neither weights nor statistics"),
        ({"model": "linear"}, "has neither weights nor statistics"),
        ({"model": "linear", "epochs": [{"epoch": 1}]}, "has neither weights nor statistics"),
        (summary() | {"epochs": [asdict(EPOCHS[0]) | {"train_loss": "low"}]}, "has neither weights nor statistics"),
        (summary() | {"epochs": [asdict(EPOCHS[0]) | {"epoch": None}]}, "has neither weights nor statistics"),
        ({"runs": [], "dead_runs": 3}, "has no training history"),
        (summary() | {"epochs": []}, "has no training history"),
    ],
    ids=str,
)
def test_files_without_a_training_history_are_refused(content, says, write):
    path = write("a.json", content)
    with pytest.raises(UserError, match=says) as caught:
        training_logs.read([path])
    assert str(path) in str(caught.value)


def test_a_missing_file():
    with pytest.raises(UserError, match=r"missing\.json .*check the path"):
        training_logs.read(["missing.json"])

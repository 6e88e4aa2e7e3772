"""Descriptions of sweeps: which settings they stand for, and what is refused."""

import math

import pytest

from fastdigits import UserError
from fastdigits.sweeps.spec import Range, parse, read


def test_a_grid_has_all_combinations():
    spec = parse({"train": {"model": "lenet"}, "grid": {"lr": [0.1, 0.2], "batch-size": [32, 64, 128]}})
    assert spec.count == 6
    assert [*spec.settings()] == [
        {"model": "lenet", "lr": lr, "batch_size": size} for lr in (0.1, 0.2) for size in (32, 64, 128)
    ]


def test_without_a_table_of_values_there_is_one_variant():
    spec = parse({"train": {"model": "lenet"}, "seeds": 3, "folds": 5})
    assert [*spec.settings()] == [{"model": "lenet"}]
    assert (spec.count, spec.seeds, spec.runs_per_variant) == (1, [0, 1, 2], 15)


def test_a_list_has_its_tables():
    spec = parse({"train": {"epochs": 2}, "list": [{"model": "lenet", "pool": "max"}, {"model": "cnn"}]})
    assert [*spec.settings()] == [{"epochs": 2, "model": "lenet", "pool": "max"}, {"epochs": 2, "model": "cnn"}]


def test_random_values_lie_in_their_ranges_and_lists():
    space = {
        "lr": {"low": 1e-4, "high": 1.0, "log": True},
        "momentum": {"low": 0.5, "high": 0.75},
        "epochs": {"low": 2, "high": 4},
        "activation": ["relu", "gelu"],
    }
    drawn = [*parse({"trials": 400, "random": space}).settings()]
    assert len(drawn) == 400
    rates = [one["lr"] for one in drawn]
    assert 1e-4 <= min(rates) < max(rates) <= 1
    assert 0.35 < sum(rate < 1e-2 for rate in rates) / 400 < 0.65  # 1e-2 is the middle of the logarithms
    assert all(0.5 <= one["momentum"] <= 0.75 for one in drawn)
    assert {one["epochs"] for one in drawn} == {2, 3, 4}
    assert {one["activation"] for one in drawn} == {"relu", "gelu"}


def test_more_random_trials_begin_with_the_same_ones():
    space = {"lr": {"low": 0.1, "high": 1.0}}
    few, many = ([*parse({"trials": trials, "random": space}).settings()] for trials in (5, 10))
    assert many[:5] == few
    assert len({one["lr"] for one in many}) == 10


def test_whole_numbers_in_a_logarithmic_range_stay_in_it():
    drawn = [*parse({"trials": 200, "random": {"batch_size": {"low": 16, "high": 256, "log": True}}}).settings()]
    sizes = [one["batch_size"] for one in drawn]
    assert all(type(size) is int and 16 <= size <= 256 for size in sizes)
    assert 0.35 < sum(size < math.sqrt(16 * 256) for size in sizes) / 200 < 0.65


def test_every_value_of_a_search_is_checked():
    space = {"lr": {"low": 0.1, "high": 0.2}, "activation": ["relu", "gelu"]}
    examples = [*parse({"trials": 9, "search": space}).examples()]
    assert {one["lr"] for one in examples} == {0.1, 0.2}
    assert {one["activation"] for one in examples} == {"relu", "gelu"}
    assert Range(1, 2).is_whole
    assert not Range(1, 2.0).is_whole


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"grid": {"lr": [1]}, "random": {"lr": [1]}}, r"\[grid\] and \[random\]"),
        ({"lr": [0.1]}, r"no entry 'lr'.*\[train\] or \[grid\]"),
        ({"trials": 3, "grid": {"lr": [1]}}, r"trials needs \[random\] or \[search\]"),
        ({"prune": True}, r"prune needs \[search\]"),
        ({"gird": {"lr": [1]}}, "no entry 'gird'; the closest one is 'grid'"),
        ({"grid": {"lr": 0.1}}, "must be a list"),
        ({"grid": {"lr": []}}, "no values"),
        ({"grid": {"lr": {"low": 0, "high": 1}}}, "must be a list"),
        ({"grid": 3}, "must be a table"),
        ({"list": {"lr": 1}}, "must be one or more tables"),
        ({"train": {"lr": 1}, "grid": {"lr": [1]}}, "'lr' is both"),
        ({"train": {"lr": 1}, "list": [{"lr": 1}]}, "'lr' is both"),
        ({"random": {"lr": [1]}}, "trials must be a whole number"),
        ({"trials": 0, "random": {"lr": [1]}}, "trials must be a whole number"),
        ({"trials": 5, "random": {}}, "is empty"),
        ({"trials": 5, "random": {"lr": {"low": 1}}}, "low, high"),
        ({"trials": 5, "random": {"lr": {"low": 1, "high": 2, "step": 1}}}, "low, high"),
        ({"trials": 5, "random": {"lr": {"low": 2, "high": 1}}}, "must increase"),
        ({"trials": 5, "random": {"lr": {"low": 0, "high": 1, "log": True}}}, "above 0"),
        ({"trials": 5, "random": {"lr": {"low": "a", "high": 1}}}, "must be numbers"),
        ({"trials": 5, "random": {"lr": {"low": math.nan, "high": 1}}}, "must be numbers"),
        ({"seeds": 0}, "seeds must be"),
        ({"seeds": [1, 1]}, "seeds must be"),
        ({"seeds": [-1]}, "seeds must be"),
        ({"seeds": True}, "seeds must be"),
        ({"folds": 1}, "folds must be"),
        ({"prune": 1, "trials": 1, "search": {"lr": [1]}}, "prune must be"),
        ({"seeds": 1000, "grid": {"lr": [*range(1, 1000)]}}, "more than 100,000 runs"),
    ],
)
def test_wrong_descriptions_are_one_sentence(content, says):
    with pytest.raises(UserError, match=says) as failed:
        parse(content)
    assert str(failed.value).endswith(".")


def test_files_that_are_no_descriptions_name_their_path(tmp_path):
    path = tmp_path / "spec.toml"
    for content in (b"[grid", b"\xff\xfe", b"seeds = 0", b"SQLite format 3\0"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"spec\.toml"):
            read(path)
    with pytest.raises(UserError, match="Cannot read"):
        read(tmp_path / "none.toml")

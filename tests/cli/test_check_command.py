"""`fastdigits check`, mostly on the reference device, which compiles nothing."""

import json

import pytest

from fastdigits.errors import UserError
from fastdigits.ops.activation import reference as activation

REFERENCE = ("check", "--device", "reference")


def test_table_as_a_process(process):
    result = process(*REFERENCE)
    assert result.returncode == 0, result.stderr
    head, *rows, last = result.stdout.splitlines()
    assert head.split() == ["check", "compared", "error", "/", "tolerance"]
    assert all(row.endswith("%  passes") for row in rows)
    assert last.startswith(f"{len(rows)} of {len(rows)} checks pass on reference with 1 lane, after ")
    lines = result.stderr.splitlines()
    assert [line.split()[0] for line in lines] == [f"{number + 1}/{len(lines)}" for number in range(len(lines))]
    assert "conv2d_forward" in lines[0]
    assert "\x1b" not in result.stdout + result.stderr


def test_json(invoke):
    result = invoke(*REFERENCE, "--json")
    assert result.exit_code == 0, result.exception
    assert result.stdout.count("\n") == 1
    summary = json.loads(result.stdout)
    assert list(summary) == ["device", "lanes", "passed", "checks", "seconds"]
    assert (summary["device"], summary["lanes"], summary["passed"]) == ("reference", 1, True)
    for row in summary["checks"]:
        assert list(row) == ["check", "compared", "largest_error_share", "passed", "failure"]
        assert row["passed"]
        assert row["failure"] is None
    assert "dense_forward" in [row["check"] for row in summary["checks"]]


@pytest.mark.parametrize("option", [[], ["--json"]], ids=str)
def test_the_first_failure_is_named(option, invoke, monkeypatch):
    monkeypatch.setattr(activation, "sigmoid_forward", lambda x, y: y.fill(1 if y.dtype == "f4" else 0))
    monkeypatch.setattr(activation, "relu_forward", lambda x, y: y.fill(float("nan") if y.dtype == "f4" else 0))
    result = invoke(*REFERENCE, *option)
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == (
        "The check of relu_forward on reference fails (7 vectors: a value is NaN, or differs where nothing is "
        "rounded); report it with the output of 'fastdigits check --json'."
    )
    if option:
        rows = {row["check"]: row for row in json.loads(result.stdout)["checks"]}
        assert not rows["sigmoid_forward"]["passed"]
        assert rows["relu_forward"]["largest_error_share"] is None
        assert rows["tanh_forward"]["passed"]
    else:
        assert [line.split()[0] for line in result.stdout.splitlines() if line.endswith("FAILS")] == [
            "relu_forward",
            "sigmoid_forward",
        ]


def test_usage_errors(fails):
    fails(2, "--threads", "check", "--threads", "100000")
    fails(2, "--device", "check", "--device", "abacus")

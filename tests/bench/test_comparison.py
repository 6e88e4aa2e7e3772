"""Test which rivals take part in a comparison, with frameworks that are made up."""

from types import SimpleNamespace

import pytest

from fastdigits import ops
from fastdigits.bench import comparison, networks, timing
from fastdigits.bench.workload import Contender, make_workload

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workload():
    return make_workload("linear", 4, 1)


@pytest.fixture
def measure(workload, monkeypatch):
    """measure(*rivals) returns (the titles of the contenders that were timed, the lines that were said)."""
    monkeypatch.setattr(timing, "SAMPLE_S", 0.0)

    def measure(*rivals, **options):
        said = []
        reference = [ops.load("reference")]
        rows = comparison.measure(workload, "inference", reference, list(rivals), 1, False, said.append, **options)
        return [f"{row.contender} {row.variant}".strip() for row in rows[1:]], said

    return measure


def _rival(inference, name="rival"):
    return SimpleNamespace(
        NAME=name, version=lambda: "1", inference=lambda workload, compiled, say: inference(workload)
    )


def _contender(workload, variant="", factor=1.0):
    """Return our own scores, times a factor."""
    right = networks.inference(workload, ops.load("reference"))
    return Contender("rival", variant, right.run, lambda: {"scores": right.outputs()["scores"] * factor})


def _fail(workload):
    raise RuntimeError("no such instruction\nand more lines")


def test_a_rival_that_fails_is_left_out(measure):
    timed, said = measure(_rival(_fail, "broken"), _rival(lambda workload: [_contender(workload)]))
    assert timed == ["rival"]
    assert "  broken is left out: no such instruction" in said


def test_a_variant_that_computes_something_else_is_left_out(measure):
    timed, said = measure(_rival(lambda workload: [_contender(workload, "wrong", 1.01), _contender(workload, "right")]))
    assert timed == ["rival right"]
    (line,) = [line for line in said if "left out" in line]
    assert line.startswith(
        "  rival (wrong) is left out: rival (wrong) and fastdigits reference do not compute the same"
    )


def test_a_variant_that_fails_when_it_runs_is_left_out(measure):
    broken = Contender("rival", "broken", _fail, lambda: _fail(None))
    timed, said = measure(_rival(lambda workload: [broken]))
    assert timed == []
    assert "  rival (broken) is left out: no such instruction" in said


def test_all_variants_are_timed_if_asked_for(measure):
    rival = _rival(lambda workload: [_contender(workload, "one"), _contender(workload, "two")])
    assert len(measure(rival)[0]) == 1
    assert measure(rival, all_variants=True)[0] == ["rival one", "rival two"]


def test_a_rival_without_the_mode_does_not_take_part(measure):
    assert measure(SimpleNamespace(NAME="trainer", training=_fail)) == ([], ["linear inference: fastdigits reference"])

"""Test workloads: their operation counts, the agreement of devices, and the timing of their single steps."""

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.bench import networks, operations
from fastdigits.bench.workload import Contender, check_agreement, make_workload
from fastdigits.errors import UserError

pytestmark = pytest.mark.slow

LENET = (28 * 28 * 6 * 25, 10 * 10 * 16 * 150, 400 * 120, 120 * 84, 84 * 10)  # multiply-adds per layer


def test_operations_of_lenet_are_counted_by_their_formulas():
    workload = make_workload("lenet", 3, 1)
    assert workload.forward_flops == 2 * 3 * sum(LENET)
    assert workload.training_flops == 2 * 3 * (3 * sum(LENET) - LENET[0])
    assert workload.flops("inference") == workload.forward_flops
    assert workload.flops("training") == workload.training_flops


def test_a_workload_is_the_same_in_every_call():
    one, two = make_workload("mlp", 5, 1), make_workload("mlp", 5, 1)
    assert (one.images == two.images).all()
    assert (one.labels == two.labels).all()
    assert all((one.weights[name] == two.weights[name]).all() for name in one.weights)


@pytest.mark.parametrize("batch", [1, 20])
def test_devices_agree(batch):
    workload = make_workload("linear", batch, 1)
    for mode in (networks.training, networks.inference):
        check_agreement(mode(workload, ops.load("reference")), mode(workload, ops.load("cpu")))


def test_training_steps_leave_the_weights_unchanged():
    contender = networks.training(make_workload("linear", 8, 1), ops.load("reference"))
    before = contender.outputs()
    contender.run(5)
    after = contender.outputs()
    assert all((before[name] == after[name]).all() for name in before)


@pytest.mark.parametrize("wrong", [{"scores": np.array([1.0, 2.001])}, {"scores": np.array([1.0, np.nan])}, {}])
def test_disagreement_is_an_error(wrong):
    right = {"scores": np.array([1.0, 2.0])}
    ours, rival = (Contender(*names) for names in (("a", "", None, lambda: right), ("b", "c", None, lambda: wrong)))
    with pytest.raises(UserError, match=r"b \(c\)"):
        check_agreement(ours, rival)
    check_agreement(ours, ours)


def test_every_step_is_timed():
    rows = operations.measure(make_workload("linear", 8, 1), ops.load("cpu"), None, runs=2)
    steps = [(row.step, row.direction) for row in rows]
    assert steps == [("dense_1", "forward"), ("dense_1", "backward"), ("cross-entropy", ""), ("adamw", "")]
    assert [row.flops for row in rows] == [2 * 8 * 7840, 2 * 8 * 7840, 0, 0]  # the first layer has no input gradient
    assert all(row.median_s > 0 for row in rows)


def test_every_step_of_a_normalised_network_is_timed():
    """A residual block with all its layers is one step."""
    rows = operations.measure(make_workload("resnet", 2, 1), ops.load("reference"), None, runs=2)
    steps = [row.step for row in rows if row.direction == "backward"]
    assert steps[:3] == ["conv2d_1", "batchnorm_1+relu", "residual_1+relu"]
    assert steps[-2:] == ["globalavgpool2d_1", "dense_1"]


def test_a_workload_has_no_dropout():
    """Each framework would draw its own random numbers."""
    names = make_workload("best", 2, 1).network.names
    assert not any(name.startswith("dropout") for name in names)
    assert names[-2:] == ["batchnorm_5", "dense_2"]

"""Test workloads: their operation counts, the agreement of devices, and the timing of their single steps."""

from dataclasses import replace

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.bench import networks, operations
from fastdigits.bench.workload import TOLERANCE, Contender, check_agreement, make_workload
from fastdigits.errors import UserError
from fastdigits.nn import LeakyReLU, Network, ReLU

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


@pytest.fixture(scope="module")
def mlp():
    return make_workload("mlp", 256, 1)


def _gradients(workload):
    return networks.training(workload, ops.load("reference")).outputs()


def _check(expected, found):
    ours = Contender("ours", "", lambda steps: None, lambda: expected)
    check_agreement(ours, Contender("rival", "", lambda steps: None, lambda: found))


def _with(workload, **weights):
    """Return the workload with other weights; "dense_1__bias" stands for "dense_1/bias"."""
    return replace(workload, weights=workload.weights | {name.replace("__", "/"): w for name, w in weights.items()})


def test_a_unit_that_rounding_tips_over_is_no_disagreement(mlp):
    """The input of one unit of a ReLU is 0 for one image, but for a bias of 1e-5 more or less."""
    weight, bias = (mlp.weights[f"dense_1/{name}"].astype(float) for name in ("weight", "bias"))
    dscores = np.abs(_gradients(mlp)["dense_1/bias"])
    unit, lift = int(dscores.argmax()), np.zeros(len(bias))
    lift[unit] = -(weight[unit] @ mlp.images[0].reshape(-1) + bias[unit])
    below, above = (_gradients(_with(mlp, dense_1__bias=bias + lift + sign * 1e-5 * (lift != 0))) for sign in (-1, 1))
    difference = np.abs(below["dense_1/weight"] - above["dense_1/weight"]).max()
    assert difference > TOLERANCE * np.abs(above["dense_1/weight"]).max()
    _check(below, above)


def _shifted(workload):
    return _gradients(replace(workload, images=np.roll(workload.images, 1, axis=3)))


def _without_an_image(workload):
    short = replace(workload, images=workload.images[1:], labels=workload.labels[1:])
    return {name: gradient * (1 - 1 / len(workload.images)) for name, gradient in _gradients(short).items()}


def _without_a_bias(workload):
    return _gradients(_with(workload, dense_2__bias=workload.weights["dense_2/bias"] + 0.01))


def _with_a_wrong_weight(workload):
    return _gradients(_with(workload, dense_1__weight=workload.weights["dense_1/weight"] * 1.001))


def _with_leaky_units(workload):
    layers = [LeakyReLU(0.001) if isinstance(layer, ReLU) else layer for layer in workload.network.layers]
    return _gradients(replace(workload, network=Network(layers)))


def _with_a_scaled_gradient(workload):
    found = _gradients(workload)
    return found | {"dense_1/weight": found["dense_1/weight"] * 1.02}


def _with_rows_swapped(workload):
    found = _gradients(workload)
    return found | {"dense_1/weight": found["dense_1/weight"][::-1]}


def _with_a_row_missing(workload):
    found = _gradients(workload)
    gradient = found["dense_1/weight"].copy()
    gradient[np.abs(gradient).sum(axis=1).argmax()] = 0
    return found | {"dense_1/weight": gradient}


WRONG = [
    _shifted,
    _without_an_image,
    _without_a_bias,
    _with_a_wrong_weight,
    _with_leaky_units,
    _with_a_scaled_gradient,
    _with_rows_swapped,
    _with_a_row_missing,
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_network_is_a_disagreement(wrong, mlp):
    right = _gradients(mlp)
    with pytest.raises(UserError, match="do not compute the same"):
        _check(right, wrong(mlp))


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

"""Networks that read lines: shapes, widths that share parameters, gradients."""

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.errors import UserError
from fastdigits.models.lines import SYMBOLS, number_reader
from fastdigits.nn import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from fastdigits.nn.layers import TrainingStep
from fastdigits.nn.sequence_network import SequenceNetwork

REFERENCE = ops.load("reference")


def layers():
    return [Conv2D(3, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(3, (4, 2))]


@pytest.fixture
def network():
    network = SequenceNetwork(layers(), (1, 8, 12), "01")
    network.build(REFERENCE, 2)
    network.initialise(0)
    return network


def test_a_time_step_for_every_place_of_the_last_kernel(network):
    assert network.forward(np.zeros((2, 1, 8, 12, 1), np.float32)).shape == (2, 3, 5, 1)
    assert [network.steps_of(width) for width in (4, 12, 40)] == [1, 5, 19]


def test_all_widths_share_their_parameters(network):
    wide = network.at_width(20, 2)
    network.initialise(1)
    x = np.random.default_rng(0).normal(size=(2, 1, 8, 20, 1)).astype(np.float32)
    scores = wide.forward(x)
    assert scores.shape == (2, 3, 9, 1)
    assert np.allclose(network.forward(x[:, :, :, :12])[:, :, :4], scores[:, :, :4])  # the last step sees the edge


def test_the_gradient_of_a_width_goes_to_the_shared_parameters(network):
    wide = network.at_width(20, 2, training=True)
    x = np.random.default_rng(0).normal(size=(2, 1, 8, 20, 1)).astype(np.float32)
    wide.forward(x, TrainingStep(2, np.array([1]), 0))
    wide.backward(np.ones((2, 3, 9, 1), np.float32))
    bias = network.parameters()["conv2d_2/bias"]
    assert bias.gradient.tolist() == [18, 18, 18]


def test_the_description_gives_the_same_network(network):
    again = SequenceNetwork.from_config(network.config())
    assert again.config() == network.config()
    assert (again.symbols, again.classes, again.output_shape) == ("01", 3, (3, 1, 5))


@pytest.mark.parametrize(
    ("chain", "symbols", "message"),
    [
        ([Flatten(), Dense(3)], "01", "one row with 3 channels"),
        ([Conv2D(3, 3)], "01", "not 3 x 6 x 10"),
        (layers(), "012", "one row with 4 channels"),
        (layers(), "00", "must be different"),
        (layers(), "", "must be different"),
    ],
)
def test_other_outputs_are_refused(chain, symbols, message):
    with pytest.raises(UserError, match=message):
        SequenceNetwork(chain, (1, 8, 12), symbols)


@pytest.mark.parametrize("change", [{"symbols": 3}, {"symbols": None}, {"layers": 3}, {"input_shape": None}])
def test_damaged_descriptions_are_refused(network, change):
    with pytest.raises(UserError, match="damaged"):
        SequenceNetwork.from_config(network.config() | change)


def test_lines_that_are_too_narrow_are_refused(network):
    with pytest.raises(UserError, match="does not fit"):
        network.steps_of(2)


def test_the_number_reader_has_a_step_for_every_four_columns():
    reader = SequenceNetwork(number_reader(), (1, 32, 64), SYMBOLS)
    assert [reader.steps_of(width) for width in (64, 128, 320)] == [10, 26, 74]
    assert reader.parameter_count < 500_000  # of four bytes: 2 MB

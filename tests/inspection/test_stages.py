"""Stages of networks: which layers belong to which array of activations."""

import pytest

from fastdigits.inspection.stages import stages_of
from fastdigits.models import MODELS, network_of
from fastdigits.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, Network, ReLU, Residual


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_and_parameter_belongs_to_one_stage(model):
    network = network_of(model)
    stages = stages_of(network)
    skips = [stage.skip for stage in stages if stage.skip]
    assert sum(stage.parameters for stage in stages) + sum(s.parameters for s in skips) == network.parameter_count
    own = [name for stage in stages for name in stage.names if "." not in name]
    assert own == network.names
    assert stages[0].shape == network.input_shape
    assert stages[-1].shape == (10,)


def test_layers_that_keep_the_shape_belong_to_the_stage_before():
    layers = [Conv2D(3, (3, 5), 2), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dropout(0.5), Dense(4)]
    stages = stages_of(Network(layers, (1, 13, 13)))
    assert [stage.names for stage in stages] == [
        [],
        ["conv2d_1", "batchnorm_1", "relu_1"],
        ["maxpool2d_1"],
        ["flatten_1", "dropout_1"],
        ["dense_1"],
    ]
    assert [stage.shape for stage in stages] == [(1, 13, 13), (3, 6, 5), (3, 3, 2), (18,), (4,)]
    assert [stage.window for stage in stages] == [None, (3, 5), (2, 2), None, None]
    assert stages[1].lines == ["Conv2D", "3 x 5, stride 2", "BatchNorm", "ReLU"]
    assert stages[1].parameters == 3 * 15 + 3 + 2 * 3


def test_normalization_of_pixels_belongs_to_the_input():
    [first, *_] = stages_of(Network([BatchNorm(), Flatten(), Dense(2)], (1, 4, 4)))
    assert (first.lines, first.parameters) == (["input", "BatchNorm"], 2)


def test_a_skip_connection_belongs_to_the_last_stage_of_its_block():
    block = [Conv2D(4, 3, 2, 1), ReLU(), Conv2D(4, 3, 1, 1), BatchNorm()]
    layers = [Conv2D(2, 3), ReLU(), Residual(block, projection=True), ReLU(), Flatten(), Dense(2)]
    stages = stages_of(Network(layers, (1, 10, 10)))
    assert [stage.names for stage in stages[2:4]] == [
        ["residual_1.conv2d_1", "residual_1.relu_1"],
        ["residual_1.conv2d_2", "residual_1.batchnorm_1", "residual_1", "relu_2"],
    ]
    assert stages[3].lines == ["Conv2D", "3 x 3", "BatchNorm", "+ skip", "ReLU"]
    skip = stages[3].skip
    assert (skip.source, skip.lines, skip.parameters) == (1, ["Conv2D", "1 x 1, stride 2"], 2 * 4 + 4)
    assert stages[2].block == stages[3].block != stages[1].block
    assert not any(stage.skip for number, stage in enumerate(stages) if number != 3)


def test_a_block_that_starts_with_an_activation_starts_a_stage():
    stages = stages_of(Network([Residual([ReLU(), Conv2D(1, 3, 1, 1)]), Flatten(), Dense(2)], (1, 4, 4)))
    assert [stage.names for stage in stages[:3]] == [[], ["residual_1.relu_1"], ["residual_1.conv2d_1", "residual_1"]]


def test_nested_and_empty_blocks():
    nested = Residual([Residual([Conv2D(1, 3, 1, 1)])])
    stages = stages_of(Network([nested, Residual([]), Flatten(), Dense(2)], (1, 4, 4)))
    assert [stage.names for stage in stages[1:4]] == [
        ["residual_1.residual_1.conv2d_1", "residual_1.residual_1"],
        ["residual_1"],
        ["residual_2"],
    ]
    assert [stage.skip and stage.skip.source for stage in stages] == [None, 0, 0, 2, None, None]

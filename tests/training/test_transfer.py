"""Training that starts from a trained network: frozen layers, kept normalization, another head, resuming."""

from dataclasses import asdict

import numpy as np
import pytest
from letters import LETTERS

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.models import layers_of
from fastdigits.nn import Dense, Flatten, Network, Sigmoid
from fastdigits.nn.layers import TrainingStep
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training import checkpoint
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.continuation import Continuation
from fastdigits.training.loop import train
from fastdigits.training.transfer import for_classes, with_new_head

OLD = Normalisation(0.25, 0.5)  # not that of the images


def saved_of(network, normalisation=OLD):
    """What a weights file holds of a network, built or not, with other weights than training starts from."""
    if not hasattr(network, "ops"):
        network.build(devices.load("reference"), 1)
        network.initialise(seed=99)
    return SavedNetwork.of(network, normalisation, TrainConfig(), [], model="m", dataset="d")


def bits(weights):
    return {name: value.tobytes() for name, value in weights.items()}


def changed(weights, others):
    """The names of the arrays that differ."""
    return {name for name, value in weights.items() if value.tobytes() != others[name].tobytes()}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("settings", [{}, {"ema": 0.9, "clip_norm": 1.0, "keep_best": True}, {"optimizer": "momentum"}])
def test_frozen_parameters_and_statistics_keep_their_bits(noisy, fit, fused, settings):
    start = saved_of(Network(layers_of(noisy)))
    settings = settings | {"warm_start": True, "weight_decay": 0.5, "fused": fused, "epochs": 1, "batch_size": 64}
    freeze = "conv2d_1, residual_1.batchnorm_1,batchnorm_1"
    network, _ = fit(noisy, device="reference", trained=start, freeze=freeze, **settings)
    moved = changed(start.weights, network.weights())
    assert moved == {name for name in start.weights if name.startswith(("residual_1/conv2d_1", "dense_1"))}


def test_a_frozen_block_freezes_the_layers_in_it(noisy):
    network = Network(layers_of(noisy))
    network.freeze(["residual_1"])
    assert {name for name, one in network.parameters().items() if one.frozen} == {
        f"residual_1/{name}" for name in ("conv2d_1.weight", "conv2d_1.bias", "batchnorm_1.gamma", "batchnorm_1.beta")
    }
    network.freeze([])
    assert network.frozen_count == 0


@pytest.mark.parametrize("freeze", ["dense_1", "dense_2"])  # the first layer, and one in the middle
def test_the_other_parameters_take_the_step_that_they_take_without_freezing(fit, freeze):
    start = saved_of(Network(layers_of("mlp")))
    settings = {"warm_start": True, "optimizer": "sgd", "epochs": 1, "batch_size": None, "validation": 0}
    free, _ = fit("mlp", trained=start, **settings)
    network, _ = fit("mlp", trained=start, freeze=freeze, **settings)
    expected = {name: start.weights[name] if freeze in name else value for name, value in free.weights().items()}
    assert changed(expected, start.weights)
    assert bits(network.weights()) == bits(expected)


def test_a_frozen_batch_normalization_normalizes_by_its_statistics(noisy, few, ops):
    network = Network(layers_of(noisy)[:-2] + layers_of(noisy)[-1:])  # without dropout
    network.freeze(["batchnorm_1", "residual_1.batchnorm_1"])
    network.build(ops, 32)
    network.initialise(0)
    batches = Batches(ops, *(part[:32] for part in few), 32, OLD)
    x, _, count = next(batches.over(ops.upload(np.arange(32, dtype=np.int32))))
    inference = ops.download(network.forward(x)).copy()
    scores = ops.download(network.forward(x, TrainingStep(count, ops.zeros((1,), np.int64), 0)))
    np.testing.assert_allclose(scores, inference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["dense_9", "relu_1", "flatten_1", ""])
def test_a_wrong_name_is_refused_with_the_list_of_names(name):
    network = Network(layers_of("mlp"))
    with pytest.raises(UserError, match=rf"no layer '{name}' to freeze; choose among dense_1, dense_2, dense_3\.$"):
        network.freeze(["dense_1", name])


def test_a_network_with_all_layers_frozen_is_refused():
    with pytest.raises(UserError, match="none is left to train"):
        Network(layers_of("linear")).freeze(["dense_1"])


def test_the_normalization_stays_and_the_polarity_follows_the_images(few):
    images, labels = few
    config, ops = TrainConfig(epochs=1, warm_start=True), devices.load("reference")
    network = Network(layers_of("linear"))
    start = saved_of(Network(layers_of("linear")))
    for given, invert in ((images, False), (255 - images, True)):
        result = train(network, given, labels, ops, config, Callback(), trained=start)
        normalisation = result.normalisation
        assert (normalisation.mean, normalisation.std) == (OLD.mean, OLD.std)
        assert normalisation.preparation.invert == invert


def test_training_starts_from_the_weights(fit):
    start = saved_of(Network(layers_of("linear")))
    network, _ = fit(trained=start, warm_start=True, epochs=1, lr=1e-30)
    for name, value in network.weights().items():
        np.testing.assert_allclose(value, start.weights[name], atol=1e-25)


def test_a_warm_start_needs_a_trained_network(fit):
    with pytest.raises(UserError, match="needs a trained network"):
        fit(warm_start=True)


def test_a_resumed_training_from_a_trained_network_gives_the_same_bits(noisy, fit, tmp_path, content):
    class Interrupting(Callback):
        steps = 0

        def on_step(self, *_):
            self.steps += 1
            if self.steps == 7:
                raise KeyboardInterrupt

    path, start = tmp_path / "a.checkpoint.h5", saved_of(Network(layers_of(noisy)))
    settings = {"warm_start": True, "freeze": "conv2d_1,batchnorm_1", "epochs": 3, "batch_size": 64, "ema": 0.9}
    whole, _ = fit(noisy, trained=start, **settings)
    with pytest.raises(KeyboardInterrupt):
        fit(noisy, callback=Interrupting(), checkpoints=Checkpoints(path), trained=start, **settings)
    file = checkpoint.read(path)
    resumed, training = fit(noisy, checkpoints=Checkpoints(resumed=file), **file.saved.config)
    assert content(resumed) == content(whole)
    assert (training.normalisation.mean, training.normalisation.std) == (OLD.mean, OLD.std)


def test_a_finished_network_keeps_its_frozen_layers_when_trained_further(fit):
    start = saved_of(Network(layers_of("mlp")))
    settings = {"warm_start": True, "freeze": "dense_1"}
    network, training = fit("mlp", trained=start, epochs=1, **settings)
    config = TrainConfig(epochs=2, **settings)
    saved = SavedNetwork.of(network, training.normalisation, config, training.epochs, model="m", dataset="d")
    further, _ = fit("mlp", checkpoints=Checkpoints(resumed=Continuation("a.h5", saved)), **asdict(config))
    assert not {name for name in changed(start.weights, further.weights()) if name.startswith("dense_1")}
    assert "dense_2/weight" in changed(network.weights(), further.weights())


def test_another_head_keeps_all_other_layers():
    saved = saved_of(Network(layers_of("mlp")))
    other = with_new_head(saved, LETTERS, seed=0)
    assert other.class_names == tuple(LETTERS)
    assert changed(saved.weights, other.weights) == {"dense_3/weight", "dense_3/bias"}
    assert other.weights["dense_3/weight"].shape == (26, 128)
    assert other.weights["dense_3/weight"].std() == pytest.approx(np.sqrt(2 / 128), rel=0.05)  # he
    assert bits(other.weights) != bits(with_new_head(saved, LETTERS, seed=1).weights)


def test_classes_that_the_network_knows_need_no_other_head():
    saved = saved_of(Network(layers_of("linear")))
    assert for_classes(saved, ("9", "0"), 0) is saved
    assert for_classes(saved, ("0", "x"), 0).class_names == ("0", "x")


def test_the_head_may_be_followed_by_an_activation_but_must_be_dense(noisy):
    saved = saved_of(Network([Flatten(), Dense(10), Sigmoid()]))
    assert with_new_head(saved, "abc", 0).weights["dense_1/weight"].shape == (3, 784)
    convolutional = saved_of(Network(layers_of(noisy)[:-1]))  # channels are classes
    with pytest.raises(UserError, match="residual_1, is not dense"):
        with_new_head(convolutional, "abcde", 0)

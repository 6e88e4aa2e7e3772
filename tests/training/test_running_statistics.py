"""Running statistics are evaluated, saved and restored together with the parameters."""

import pytest

from fastdigits.config.training import TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.inference.evaluate import evaluate
from fastdigits.nn import Network
from fastdigits.training import checkpoint, trainer
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.loop import split


class Interrupting(Callback):
    """Callback that raises KeyboardInterrupt after a number of steps."""

    def __init__(self, steps):
        self.steps = steps

    def on_step(self, *_):
        self.steps -= 1
        if self.steps == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [{}, {"ema": 0.5}, {"keep_best": True}, {"ema": 0.5, "keep_best": True}], ids=str)
def test_the_kept_network_evaluates_as_in_training(settings, noisy, few, fit):
    network, training = fit(noisy, "reference", batch_size=50, lr=0.05, epochs=3, **settings)
    kept, rows = training.epochs[training.kept_epoch - 1], split(few[1], TrainConfig())[1]
    batches = Batches(network.ops, *few, 50, training.normalisation)
    again = evaluate(network, batches, rows, "cross-entropy")
    assert (again.loss, again.accuracy) == (kept.validation_loss, kept.validation_accuracy)
    assert network.weights()["batchnorm_1/running_mean"].all()


@pytest.mark.parametrize("steps", [1, 4, 5, 7])
@pytest.mark.parametrize("settings", [{}, {"ema": 0.5, "keep_best": True}], ids=str)
def test_interrupted_and_resumed_to_the_same_bits(settings, steps, noisy, fit, content, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "MAX_MICRO_BATCH", 40)  # so that a step has several micro-batches
    settings = {"batch_size": 70, "lr": 0.05, **settings}
    through, _ = fit(noisy, "reference", **settings)
    path = tmp_path / "a.checkpoint.h5"
    with pytest.raises(KeyboardInterrupt):
        fit(noisy, "reference", Interrupting(steps), Checkpoints(path, 1000, noisy, "arrays"), **settings)
    read = checkpoint.read(path)
    resumed, _ = fit(noisy, "reference", checkpoints=Checkpoints(resumed=read), **read.saved.config)
    assert content(resumed) == content(through)


def test_each_part_of_a_step_has_its_number(fit, monkeypatch):
    seen, forward = [], Network.forward

    def watched(network, x, training=None):
        seen.append(training)
        return forward(network, x, training)

    monkeypatch.setattr(Network, "forward", watched)
    monkeypatch.setattr(trainer, "MAX_MICRO_BATCH", 100)
    fit("linear", "reference", batch_size=None, validation=20, epochs=1)
    *compiling, first, second, last = [(training.part, training.count) for training in seen if training]
    assert compiling == [(0, 100), (1, 1)]
    assert [first, second, last] == [(0, 100), (1, 100), (2, 80)]

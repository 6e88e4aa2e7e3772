"""Each step computes with the numbers that the host means, although it reads them from a plan on the device.

The device is the reference on a fake stream, which replays recorded steps like a GPU.
"""

import threading

import numpy as np
import pytest
import recording

from fastdigits.config import schedules
from fastdigits.config.training import TrainConfig
from fastdigits.nn import Dense, Flatten, Network
from fastdigits.ops.array import reference
from fastdigits.ops.cuda import device
from fastdigits.training import plan
from fastdigits.training import trainer as trainer_module
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints, read
from fastdigits.training.failure import TrainingInterrupted
from fastdigits.training.loop import train
from fastdigits.training.online import OnlineTrainer

IMAGES, BATCH = 14, 4
FIRSTS = range(0, IMAGES, BATCH)  # positions of the batches of an epoch; the last one is shorter
LR = 0.01
SETTINGS = {"epochs": 3, "batch_size": BATCH, "validation": 0, "lr": LR, "schedule": "one-cycle"}


@pytest.fixture
def stream(monkeypatch):
    stream, side = recording.Stream(), recording.Stream()
    monkeypatch.setattr(device, "stream", stream.use)
    monkeypatch.setattr(device, "side_stream", lambda: side)
    monkeypatch.setattr(device, "_LOCAL", threading.local())
    return stream


@pytest.fixture
def ops(stream):
    return recording.recording_ops(stream)


@pytest.fixture
def digits():
    """Fourteen random images of 6 x 6 pixels."""
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 6, 6), np.uint8)
    return images, np.arange(IMAGES, dtype=np.uint8) % 3


@pytest.fixture
def fit(ops, digits):
    """fit(callback, ...) trains a new network."""

    def fit(callback, checkpoints=None, **settings):
        config = TrainConfig(**SETTINGS | settings)
        return train(Network([Flatten(), Dense(3)], (1, 6, 6)), *digits, ops, config, callback, checkpoints=checkpoints)

    return fit


class Numbers(Callback):
    """The numbers on the device after each step: (epoch, first image, number of the step, learning rate)."""

    def __init__(self):
        self.found = []

    def on_step(self, epoch, images, total, metrics):
        trainer = self.training._trainer
        self.found.append(numbers_of(trainer))
        assert trainer.optimizer.steps == len(self.found)


def numbers_of(trainer):
    arrays = trainer.batches.epoch, trainer.batches.start, trainer.optimizer.count, trainer.optimizer.rate
    return tuple(array.view(np.ndarray).item() for array in arrays)


def expected_numbers(epochs=3, firsts=FIRSTS, rate=lambda step: LR, **settings):
    config, steps = TrainConfig(**SETTINGS | {"epochs": epochs} | settings), range(epochs * len(firsts))
    factors = [schedules.lr_factor(config, step, len(firsts)) for step in steps]
    return [
        (step // len(firsts) + 1, firsts[step % len(firsts)], step + 1, float(np.float32(rate(step) * factors[step])))
        for step in steps
    ]


def test_each_step_has_its_numbers(fit, stream):
    callback = Numbers()
    fit(callback)
    assert callback.found == expected_numbers()
    assert stream.log.count("launch") == 3 * len(FIRSTS) - 2  # the first step of each batch size is not recorded


def test_an_epoch_may_have_more_steps_than_a_plan(fit, monkeypatch):
    monkeypatch.setattr(plan, "MAX_STEPS", 3)
    callback = Numbers()
    fit(callback, batch_size=1)
    assert callback.found == expected_numbers(firsts=range(IMAGES), batch_size=1)


def test_all_images_at_once_in_parts(fit, monkeypatch):
    monkeypatch.setattr(trainer_module, "MAX_MICRO_BATCH", 5)
    callback = Numbers()
    fit(callback, batch_size=None)
    assert callback.found == expected_numbers(firsts=[0], batch_size=None)


def test_a_callback_changes_the_rate_of_the_next_step(fit):
    class Halve(Numbers):
        def on_step(self, epoch, images, total, metrics):
            super().on_step(epoch, images, total, metrics)
            if len(self.found) in (6, 7):  # within the second epoch
                self.training.learning_rate /= 2

    callback = Halve()
    fit(callback)
    assert callback.found == expected_numbers(rate=lambda step: LR / 2 ** sum(step >= n for n in (6, 7)))


def test_a_rate_that_changes_at_the_end_of_an_epoch(fit):
    class Halve(Numbers):
        def on_epoch_end(self, record):
            self.training.learning_rate /= 2

    callback = Halve()
    fit(callback)
    assert callback.found == expected_numbers(rate=lambda step: LR / 2 ** (step // len(FIRSTS)))


@pytest.mark.parametrize("steps", [1, 5, 6, 8])
def test_a_training_that_is_resumed_goes_on_with_the_next_numbers(fit, tmp_path, steps):
    class Interrupt(Numbers):
        def on_step(self, epoch, images, total, metrics):
            super().on_step(epoch, images, total, metrics)
            if len(self.found) == steps:
                raise KeyboardInterrupt

    first, second = Interrupt(), Numbers()
    with pytest.raises(TrainingInterrupted):
        fit(first, Checkpoints(tmp_path / "half.h5"))
    second.found += first.found
    fit(second, Checkpoints(resumed=read(tmp_path / "half.h5")))
    assert second.found == expected_numbers()


def test_an_evaluation_between_two_steps_changes_no_numbers(fit):
    class Evaluate(Numbers):
        def on_step(self, epoch, images, total, metrics):
            super().on_step(epoch, images, total, metrics)
            self.training._trainer.evaluate(np.arange(3))

    callback = Evaluate()
    fit(callback)
    assert callback.found == expected_numbers()


@pytest.fixture
def trainer(ops, digits):
    network, config = Network([Flatten(), Dense(3)], (1, 6, 6)), TrainConfig(batch_size=BATCH, lr=LR)
    batches = trainer_module.build_for_training(network, *digits, np.arange(IMAGES, dtype=np.int32), ops, config)
    return trainer_module.Trainer(network, batches, config, np.arange(IMAGES, dtype=np.int32))


def test_another_epoch_needs_a_new_plan(trainer):
    trainer.start_epoch(1, [1.0] * len(FIRSTS))
    trainer.step(FIRSTS[0], BATCH)
    trainer.start_epoch(2, [1.0] * len(FIRSTS))
    trainer.step(FIRSTS[1], BATCH)
    assert numbers_of(trainer) == (2, FIRSTS[1], 2, float(np.float32(LR)))


@pytest.mark.parametrize("launched", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 4, 6])
def test_numbers_are_right_after_a_step_that_was_interrupted(trainer, launched, steps):
    """The device may have taken its numbers or not, which the host cannot know."""
    trainer.start_epoch(1, [1.0] * len(FIRSTS))
    run_step = trainer.run_step

    def interrupted(images, times):
        if launched:
            run_step(images, times=times)
        raise KeyboardInterrupt

    for number, first in enumerate((*FIRSTS[:3], *FIRSTS[:3]), 1):
        if number == steps:
            trainer.run_step = interrupted
            with pytest.raises(KeyboardInterrupt):
                trainer.step(first, BATCH)
            trainer.run_step = run_step
        trainer.step(first, BATCH)  # if it was interrupted, once more
        assert numbers_of(trainer) == (1, first, number + (number >= steps), float(np.float32(LR)))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_several_steps_at_a_time_have_the_numbers_of_each(trainer, monkeypatch, times):
    """Also if a plan ends among them."""
    monkeypatch.setattr(plan, "MAX_STEPS", 2)
    seen, take = [], trainer.plan.take

    def noted_take():
        take()
        seen.append(numbers_of(trainer))

    monkeypatch.setattr(trainer.plan, "take", noted_take)
    trainer.run_step = reference.captured(trainer._run_step)  # which a replay would not call
    rates = [1, 1 / 2, 1 / 3]
    trainer.start_epoch(1, rates)
    for first in FIRSTS[: 3 // times * times : times]:
        trainer.step(first, BATCH, times)
    expected = [(1, FIRSTS[step], step + 1, float(np.float32(LR * rates[step]))) for step in range(3)]
    assert seen == expected[: 3 // times * times]


def test_batches_of_various_sizes_one_at_a_time(ops, digits):
    online = OnlineTrainer(
        Network([Flatten(), Dense(3)], (1, 6, 6)), *digits, ops, TrainConfig(batch_size=BATCH, lr=LR)
    )
    for number, count in enumerate((3, 3, 14, 3, 1, 14, 14), 1):
        online.step(digits[0][:count], digits[1][:count], None)
        assert numbers_of(online.trainer) == (number, 0, number, float(np.float32(LR)))

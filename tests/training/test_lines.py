"""Train networks that read lines."""

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.data.lines import Lines
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.sequences import best_path
from fastdigits.nn import Conv2D, ReLU
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.lines import LineTrainer

REFERENCE = ops.load("reference")
STROKES = {"0": [255, 0, 0, 0], "1": [0, 255, 255, 0]}  # columns of three pixels' height


def drawn(text, rng):
    """Return an image in which columns stand for the symbols, with gaps of random width between them."""
    columns = [np.concatenate([STROKES[symbol], np.zeros(rng.integers(1, 5))]) for symbol in text]
    line = np.concatenate([np.zeros(3), *columns, np.zeros(3)])
    return np.tile(line, (3, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def lines():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(["0", "1"], rng.integers(1, 5))) for _ in range(60)]
    return Lines([drawn(text, rng) for text in texts], texts)


def built(seed=0):
    network = SequenceNetwork([Conv2D(12, (3, 5)), ReLU(), Conv2D(12, (1, 3)), ReLU(), Conv2D(3, 1)], (1, 3, 32), "01")
    network.build(REFERENCE, 1)
    network.initialise(seed)
    return network


def trained(lines, **settings):
    network = built()
    config = TrainConfig(**{"epochs": 25, "batch_size": 8, "lr": 0.02, "clip_norm": 5.0} | settings)
    trainer = LineTrainer(network, lines, Normalisation(0.2, 0.4), config)
    return network, [trainer.train_epoch() for _ in range(config.epochs)]


def test_a_network_learns_to_read(lines):
    network, losses = trained(lines)
    assert losses[-1] < 0.1 * losses[0]
    rng = np.random.default_rng(1)
    for text in ("0", "11", "0110", "1010"):
        image = np.pad(drawn(text, rng), ((0, 0), (0, 2))) / np.float32(255)
        x = ((image - 0.2) / 0.4)[None, None, :, :, None].astype(np.float32)
        scores = network.at_width(image.shape[1], 1).forward(x)
        assert best_path(scores[0, :, :, 0].T, "01") == text


def test_the_same_seed_gives_the_same_bits(lines):
    first, second = (trained(lines, epochs=2)[0].weights() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    other = trained(lines, epochs=2, seed=1)[0].weights()
    assert not np.array_equal(first["conv2d_1/weight"], other["conv2d_1/weight"])


def test_a_line_that_is_too_narrow_for_its_text_does_not_disturb_the_others(lines):
    narrow = Lines([*lines.images, drawn("0", np.random.default_rng(0))], [*lines.texts, "01" * 20])
    _, losses = trained(narrow, epochs=3)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_a_training_that_diverges_says_so(lines):
    with pytest.raises(TrainingFailed, match="not finite"), np.errstate(all="ignore"):
        trained(lines, optimizer="sgd", lr=1e30, clip_norm=None)

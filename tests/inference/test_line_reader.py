"""Read lines with a small network that was trained on bars: a thin bar is a 0 and a thick one a 1."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.data.lines import Lines
from fastdigits.data.preprocessing import Normalisation
from fastdigits.data.sources import shipped_folder
from fastdigits.errors import NotFiniteError, UserError
from fastdigits.imaging.line_format import LINE_HEIGHT, to_line_format
from fastdigits.inference.line_reader import LineReader, choose
from fastdigits.inference.recognizer import SHIPPED
from fastdigits.inference.sequences import Reading, Restriction
from fastdigits.nn import AvgPool2D, Conv2D, ReLU
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.storage import weights
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.lines import LineTrainer

BARS = {"0": 2, "1": 6}  # columns


def picture(text, rng, ink=40, paper=220, scale=1):
    """Return a picture of bars on paper, uint8 (48 scale, W)."""
    columns = [np.zeros(8)]
    for symbol in text:
        columns += [np.ones(BARS[symbol]), np.zeros(rng.integers(5, 9))]
    cover = np.tile(np.concatenate([*columns, np.zeros(8)]), (48, 1))
    cover[:6] = cover[-6:] = 0
    grey = Image.fromarray(np.uint8(paper + (ink - paper) * cover))
    return np.asarray(grey.resize((grey.width * scale, 48 * scale)))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(["0", "1"], rng.integers(1, 6))) for _ in range(80)]
    lines = Lines([to_line_format(picture(text, rng, scale=int(rng.integers(1, 4)))) for text in texts], texts)
    layers = [AvgPool2D((8, 1), 1), Conv2D(8, (LINE_HEIGHT - 7, 7)), ReLU(), Conv2D(8, (1, 5)), ReLU(), Conv2D(3, 1)]
    network = SequenceNetwork(layers, (1, LINE_HEIGHT, 64), "01")
    network.build(ops.load("reference"), 1)
    network.initialise(0)
    config, normalisation = TrainConfig(epochs=16, batch_size=8, lr=0.02, clip_norm=5.0), Normalisation(0.2, 0.4)
    trainer = LineTrainer(network, lines, normalisation, config)
    for _ in range(config.epochs):
        trainer.train_epoch()
    path = tmp_path_factory.mktemp("reader") / "bars.h5"
    saved = SavedNetwork(network.config(), network.weights(), normalisation, "bars", "bars", asdict(config), [], {})
    weights.write(path, saved)
    return path


@pytest.fixture(scope="module")
def reader(path):
    return LineReader(path, "reference")


@pytest.mark.parametrize(
    "look", [{}, {"scale": 3}, {"ink": 250, "paper": 20}, {"ink": 120, "paper": 160}, {"ink": 0, "paper": 255}]
)
def test_lines_are_read_whatever_their_paper_and_size(reader, look):
    rng = np.random.default_rng(1)
    for text in ("0", "1", "0110", "11111"):
        [reading] = reader.read([picture(text, rng, **look)])
        assert reading.text == reading.digits == text
        assert not reading.unsure


def test_symbols_lie_where_they_were_drawn(reader):
    bars = picture("010", np.random.default_rng(2))
    dark = np.flatnonzero(bars[24] < 128)
    starts = dark[np.append(True, np.diff(dark) > 1)] / bars.shape[1]
    [reading] = reader.read([bars])
    for symbol, start in zip(reading.symbols, starts, strict=True):
        assert abs((symbol.start + symbol.end) / 2 - start) < 0.12
        assert symbol.confidence > 0.5


def test_many_lines_are_read_as_one_by_one(reader):
    rng = np.random.default_rng(3)
    pictures = [picture("".join(rng.choice(["0", "1"], rng.integers(1, 9))), rng) for _ in range(40)]
    together = reader.read(pictures)
    assert [reading.text for reading in together] == [reader.read([one])[0].text for one in pictures]


def test_a_restriction_changes_what_is_found(reader):
    [reading] = reader.read([picture("0110", np.random.default_rng(4))], Restriction(digits=3))
    assert len(reading.digits) == 3
    [reading] = reader.read([picture("0", np.random.default_rng(4))], Restriction(digits=300))
    assert (reading.text, reading.unsure) == ("", True)


def test_empty_paper_has_no_text(reader):
    [reading] = reader.read([np.full((48, 100), 220, np.uint8)])
    assert (reading.text, reading.unsure) == ("", True)


def test_texts_of_the_same_value_share_their_confidence():
    """Together 0.25 + 0.2 + 0.1 beat 0.4."""
    found = [Reading(text, np.log(p)) for text, p in (("17", 0.4), ("1,7", 0.25), ("1.7", 0.2), ("1.7-", 0.1))]
    text, confidence = choose([found], 1.0)
    assert text == "1,7"
    assert confidence == pytest.approx(0.55 / 0.95)
    assert choose([found[:2]], 0.5) == ("17", pytest.approx(0.16 / (0.16 + 0.0625)))


def test_the_views_of_a_line_have_equal_weight():
    """17 has 0.9, 0.2 and nothing; 11 has 0.1, 0.8 and nothing."""
    found = [[Reading("17", np.log(9)), Reading("11", 0.0)], [Reading("11", np.log(4)), Reading("17", 0.0)], []]
    assert choose(found, 1.0) == ("17", pytest.approx(1.1 / 3))


def test_a_second_opinion_counts_where_none_of_the_values_is_clear():
    class Opinion:
        def support(self, text):
            return {"17": 2.0, "11": 10.0}[text]

    def found(p):
        return [[Reading("17", np.log(p)), Reading("11", np.log(1 - p))]]

    assert choose(found(0.7), 1.0, Opinion) == ("11", pytest.approx(3 / (1.4 + 3)))
    assert choose(found(0.99), 1.0, lambda: pytest.fail("17 is clear")) == ("17", pytest.approx(0.99))


def test_a_sign_and_the_place_of_a_separator_change_the_value():
    for other in ("-12.5", "1.25", "125"):
        assert choose([[Reading("12.5", np.log(0.6)), Reading(other, np.log(0.2))]], 1.0)[1] == pytest.approx(0.75)


def test_threads_share_a_reader(path):
    reader, rng = LineReader(path, "reference"), np.random.default_rng(5)
    texts = ["".join(rng.choice(["0", "1"], 4)) for _ in range(24)]
    pictures = [picture(text, rng) for text in texts]
    with ThreadPoolExecutor(4) as threads:
        assert [reading[0].text for reading in threads.map(lambda one: reader.read([one]), pictures)] == texts


def test_long_lines_are_refused(reader):
    with pytest.raises(UserError, match="more than 30 times as wide as high"):
        reader.read([np.zeros((10, 400), np.uint8)])


def test_networks_for_single_images_are_refused():
    with pytest.raises(UserError, match="does not read lines"):
        LineReader(shipped_folder() / SHIPPED)


def test_infinity_is_no_answer(path):
    reader = LineReader(path, "reference")
    reader.network.set_weights({name: 1e38 * value for name, value in reader.network.weights().items()})
    with pytest.raises(NotFiniteError), np.errstate(all="ignore"):
        reader.read([picture("0", np.random.default_rng(6))])


def test_lines_may_have_more_time_steps_than_a_byte_counts(reader):
    bars = picture("01", np.random.default_rng(6))
    wide = np.pad(bars, ((0, 0), (0, 600 - bars.shape[1])), constant_values=220)
    assert reader.network.steps_of(600) > 255
    [reading] = reader.read([wide])
    assert reading.text == "01"

"""The server recognizes pictures as Recognizer.recognize does, with the model shipped with fastdigits."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits.imaging import candidates
from fastdigits.inference.recognizer import CandidateSearch, Recognizer
from fastdigits.serve import create_app
from fastdigits.serve import recognition as module

pytestmark = pytest.mark.slow

LIGHT, GREY, DARK = (240, 235, 220), (120, 120, 120), (60, 60, 60)
RED, GREEN = (200, 30, 40), (90, 170, 90)


@pytest.fixture(scope="module")
def shipped():
    return Recognizer()


@pytest.fixture(scope="module")
def shipped_app():
    app = create_app()
    yield app
    app.state.recognition.close()


@pytest.fixture
def recognize(ask, shipped_app):
    """recognize(picture) returns the answer over HTTP to a picture uint8 (H, W, 3)."""

    def recognize(picture):
        file = BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        headers = {"content-type": "image/png"}
        return ask("POST", "/predict", shipped_app, content=file.getvalue(), headers=headers).json()

    return recognize


def photo(image, ink, paper, brightness, shadow):
    """A digit of MNIST, five times as large, on paper whose brightness changes from left to right."""
    coverage = np.kron(image, np.ones((5, 5)))[..., None] / 255
    picture = (np.array(paper) * (1 - coverage) + np.array(ink) * coverage) * np.linspace(*brightness, 140)[:, None]
    picture[:, :60] *= shadow
    return np.round(picture).astype(np.uint8)


def attempts(recognizer, picture):
    """How many candidates Recognizer.recognize tries."""
    search = CandidateSearch(candidates(picture), recognizer.calibration)
    while (prepared := search.next_candidate()) is not None:
        search.add(recognizer.predict(prepared.image[None])[0])
    return len(search.tried)


@pytest.mark.parametrize(
    ("index", "ink", "paper", "brightness", "shadow", "expected_attempts"),
    [
        (0, DARK, LIGHT, (1, 1), 1, 1),
        (0, DARK, GREY, (1, 0.25), 1, 2),
        (3, LIGHT, DARK, (1, 0.25), 0.5, 2),
        (1, DARK, RED, (1, 0.25), 0.5, 3),
        (0, DARK, GREEN, (1, 0.25), 0.5, 3),
        (3, LIGHT, GREY, (1, 0.25), 0.5, None),  # confident enough for a first attempt, but not for a later one
    ],
)
def test_answers_over_http_equal_those_of_the_recognizer(
    shipped, recognize, digits, index, ink, paper, brightness, shadow, expected_attempts
):
    picture = photo(digits[0][index], ink, paper, brightness, shadow)
    _, expected = shipped.recognize(picture)
    answer = recognize(picture)
    assert (answer["digit"], answer["second"], answer["unsure"]) == (expected.digit, expected.second, expected.unsure)
    assert answer["probabilities"] == list(expected.probabilities)
    if expected_attempts:
        assert attempts(shipped, picture) == expected_attempts
        assert (answer["digit"], answer["unsure"]) == (digits[1][index], False)
    else:
        assert answer["confidence"] > shipped.calibration.unsure_below + 0.1
        assert answer["unsure"]


@pytest.mark.parametrize(
    ("rows", "chosen", "unsure"),
    [([176], 176, False), ([33, 94], 94, False), ([33, 176], 176, True), ([33, 176, 0], 0, False)],
)
def test_each_further_candidate_needs_more_confidence_over_http(
    shipped, recognize, digits, rows, chosen, unsure, monkeypatch
):
    """Confidences of these test images: 33 has 0.63, 176 has 0.82, 94 has 0.89 and 0 has 1.00."""
    images = digits[0]
    monkeypatch.setattr(
        module, "candidates", lambda picture: iter([module.Prepared(images[row], None, ()) for row in rows])
    )
    (expected,) = shipped.predict(images[[chosen]])
    answer = recognize(np.zeros((9, 9, 3), np.uint8))
    assert answer["probabilities"] == list(expected.probabilities)
    assert answer["unsure"] is unsure

"""NaN and infinity are never an answer: whatever computes them says so in one sentence."""

import asyncio
import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from fastdigits import load
from fastdigits import ops as devices
from fastdigits.cli import main
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_part
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import NotFiniteError
from fastdigits.inference.compare import measure
from fastdigits.inference.ensemble import evaluate_ensemble
from fastdigits.inference.evaluate import check_finite
from fastdigits.inference.recognizer import Recognizer
from fastdigits.nn import Dense, Flatten, Network, ReLU
from fastdigits.storage import weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.failure import TrainingFailed, overflow_fails

IMAGES, LABELS = (part[:20] for part in load_part("mnist", "test"))
HISTORY = [Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01)]


def huge(value=1e30):
    """A network whose weights are finite but whose scores are not. On a black image they are 0."""
    network = Network([Flatten(), Dense(8), ReLU(), Dense(10)])
    values = {
        name: np.full(parameter.shape, value if name.endswith("weight") else 0, "f4")
        for name, parameter in network.parameters().items()
    }
    settings = asdict(TrainConfig())
    history = [epoch.to_dict() for epoch in HISTORY]
    return SavedNetwork(network.config(), values, Normalisation(0.0, 1.0), "huge", "mnist", settings, history, {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the weights file huge.h5 and the picture seven.png."""
    folder = tmp_path_factory.mktemp("huge")
    weights.write(folder / "huge.h5", huge())
    Image.fromarray(IMAGES[0]).save(folder / "seven.png")
    return folder


@pytest.mark.parametrize("value", [1e30, 3e38], ids=str)
def test_the_python_interface_raises(tmp_path, value):
    weights.write(tmp_path / "huge.h5", huge(value))
    model = load(tmp_path / "huge.h5", device="reference")
    for call in (
        lambda: model.predict(IMAGES),
        lambda: model.predict(IMAGES[:1]),
        lambda: model.evaluate(IMAGES, LABELS),
        lambda: Recognizer(tmp_path / "huge.h5", "reference").predict(IMAGES[:1]),
        lambda: Recognizer(tmp_path / "huge.h5", "reference").recognize(IMAGES[0]),
    ):
        with pytest.raises(NotFiniteError, match="weights are damaged or too large"):
            call()


def test_ensembles_and_comparisons_raise():
    ops, saved = devices.load("reference"), huge()
    with pytest.raises(NotFiniteError):
        evaluate_ensemble([saved, saved], IMAGES, LABELS, ops)
    with pytest.raises(NotFiniteError):
        measure("huge", Network.from_config(saved.network), [saved], [], IMAGES, LABELS, ops)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(
    "command",
    [
        "predict seven.png --weights huge.h5 --device reference",
        "eval huge.h5 --device reference",
        "explain huge.h5 test:0",
        "explain huge.h5 seven.png",
        "compare huge.h5 --device reference",
        "report huge.h5 --device reference",
    ],
)
def test_commands_fail_in_one_sentence(folder, monkeypatch, capfd, command, as_json):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["fastdigits", *command.split(), *["--json"] * as_json])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capfd.readouterr()
    assert stopped.value.code == 1
    assert said.err.splitlines()[-1].startswith("Error: The network computes NaN or infinity")
    assert "nan" not in said.out
    assert not as_json or not said.out
    assert sorted(path.name for path in folder.iterdir()) == ["huge.h5", "seven.png"]


def test_the_server_answers_with_status_500(folder):
    """The network is right for the black image of the warm-up, so that it fails only at the request."""
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi")
    from fastdigits.serve import create_app

    async def answer():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.post("/predict", json={"pixels": IMAGES[0].tolist()})

    app = create_app([folder / "huge.h5"], device="reference")
    try:
        response = asyncio.run(answer())
    finally:
        app.state.recognition.close()
    assert response.status_code == 500
    assert "The network computes NaN or infinity" in json.dumps(response.json())


def test_the_server_does_not_start_with_a_network_that_always_fails(tmp_path):
    pytest.importorskip("fastapi")
    from fastdigits.serve import create_app

    saved = huge()
    saved.weights["dense_1/bias"][:] = 1e30
    weights.write(tmp_path / "huge.h5", saved)
    with pytest.raises(NotFiniteError):
        create_app([tmp_path / "huge.h5"], device="reference")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_empty_lanes_do_not_matter(value):
    scores, targets = np.zeros((2, 10, 4), "f4"), np.array([[3, 1, 0, 7], [2, -1, -1, -1]], "f4")
    scores[1, :, 1:] = value
    check_finite(scores, targets)
    scores[1, 9, 0] = value
    with pytest.raises(NotFiniteError):
        check_finite(scores, targets)


def test_a_training_whose_validation_overflows_has_failed():
    with pytest.raises(TrainingFailed, match=r"lower lr\.$"), overflow_fails():
        raise NotFiniteError

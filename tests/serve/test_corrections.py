"""Corrections over HTTP: they are kept in a file, a network learns from them and forgets again."""

import base64
import json
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits.data import load_part
from fastdigits.errors import UserError
from fastdigits.serve import create_app
from fastdigits.serve import samples as samples_module
from fastdigits.storage import corrections

pytestmark = pytest.mark.slow

PNG = {"content-type": "image/png"}
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def learning(tmp_path_factory):
    """An application with the model that ships, which learns, once it is prepared."""
    app = create_app(learn=tmp_path_factory.mktemp("learning") / "corrections.h5")
    wait_until_ready(app)
    yield app
    app.state.teacher.close()
    app.state.recognition.close()


@pytest.fixture
def send(ask, learning):
    """send(method, path, **options of httpx) returns its answer; afterwards, it has learned nothing."""
    yield lambda method, path, **content: ask(method, path, learning, **content)
    ask("DELETE", "/corrections", learning)
    while learning.state.teacher.lessons[0]:
        ask("POST", "/undo", learning)


def wait_until_ready(app):
    deadline = time.monotonic() + TIMEOUT_S
    while app.state.teacher.state != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def png(image):
    """A picture of dark digits on white paper."""
    file = BytesIO()
    Image.fromarray(255 - np.kron(np.pad(image, 4), np.ones((4, 4), np.uint8))).save(file, "PNG")
    return file.getvalue()


def misread(learning, count):
    """Return test images of MNIST that the network misreads, and their labels."""
    images, labels = load_part("mnist", "test")
    images, labels = images[:6000], labels[:6000]
    predictions = learning.state.recognition.worker.model(0).recognizer.predict(images)
    wrong = np.flatnonzero([prediction.digit for prediction in predictions] != labels)[:count]
    assert len(wrong) == count
    return images[wrong], labels[wrong].tolist()


def predicted(send, image):
    return send("POST", "/predict", json={"pixels": image.tolist()}).json()


def correct(send, image, text):
    return send("POST", "/corrections", params={"text": text}, json={"pixels": image.tolist()})


def test_a_network_learns_from_corrections_and_forgets_them_to_the_bit(send, digits, learning):
    images, labels = misread(learning, 10)
    before = [predicted(send, image) for image in digits[0][:20]]
    for image, label in zip(images, labels, strict=True):
        assert correct(send, image, str(label)).status_code == 200
    lesson = send("POST", "/teach").json()
    assert (lesson["corrections"], lesson["lessons"]) == (10, 1)
    assert lesson["right_before"] == 0 < lesson["right_after"]
    assert lesson["mnist_right_after"] >= lesson["mnist_right_before"] - 1 > 0.9 * lesson["mnist_images"]
    right = [predicted(send, image)["digit"] == label for image, label in zip(images, labels, strict=True)]
    assert sum(right) == lesson["right_after"]
    assert [predicted(send, image) for image in digits[0][:20]] != before

    assert send("POST", "/undo").json()["lessons"] == 0
    assert [predicted(send, image) for image in digits[0][:20]] == before
    assert send("POST", "/undo").status_code == 409


def test_the_same_corrections_give_the_same_network_however_often_it_is_taught(send, digits, learning):
    images, labels = misread(learning, 2)
    for image, label in zip(images, labels, strict=True):
        correct(send, image, str(label))
    send("POST", "/teach")
    once = learning.state.recognition.worker.model(0).recognizer.saved.weights
    assert send("POST", "/teach").json()["lessons"] == 2
    twice = learning.state.recognition.worker.model(0).recognizer.saved.weights
    assert all((once[name] == twice[name]).all() for name in once)


def test_corrections_are_listed_downloaded_and_deleted(send, digits, learning):
    empty = send("GET", "/corrections").json()
    assert (empty["count"], empty["state"], empty["lessons"], empty["samples"]) == (0, "ready", [0], [])
    for row in range(3):
        added = correct(send, digits[0][row], str(digits[1][row])).json()
        assert added["count"] == row + 1
    listed = send("GET", "/corrections").json()
    assert listed["per_digit"] == np.bincount(digits[1][:3], minlength=10).tolist()
    newest = listed["samples"][0]
    assert [newest["id"]] == added["ids"]
    assert base64.b64decode(newest["image"]) == digits[0][2].tobytes()
    assert newest["label"] == digits[1][2]

    file = send("GET", "/corrections/file")
    assert "attachment" in file.headers["content-disposition"]
    path = learning.state.teacher.samples.path
    assert file.content == path.read_bytes()
    kept = corrections.read(path)
    assert (kept.images == digits[0][:3]).all()
    assert kept.labels.tolist() == digits[1][:3]

    assert send("DELETE", f"/corrections/{newest['id']}").json() == {"count": 2}
    assert send("DELETE", f"/corrections/{newest['id']}").status_code == 404
    assert send("DELETE", "/corrections/one").status_code == 404
    assert corrections.read(path).labels.tolist() == digits[1][:2]
    assert send("DELETE", "/corrections").json() == {"count": 0}
    assert len(corrections.read(path)) == 0


def test_the_digits_of_a_number_are_corrected_one_by_one(send, digits, learning):
    rows = [0, 2, 3]  # 7, 1, 0
    row = np.concatenate([np.pad(digits[0][row], ((0, 0), (2, 2))) for row in rows], axis=1)
    answer = send("POST", "/predict?several=true", content=png(row), headers=PNG).json()
    assert len(answer["digits"]) == 3
    left = [digit["box"][0] for digit in answer["digits"]]
    assert left == sorted(left)
    added = send("POST", "/corrections?text=7.10", content=png(row), headers=PNG)
    assert len(added.json()["ids"]) == 3
    kept = corrections.read(learning.state.teacher.samples.path)
    assert kept.labels.tolist() == [7, 1, 0]
    assert all(
        np.corrcoef(image.ravel(), digits[0][row].ravel())[0, 1] > 0.5
        for image, row in zip(kept.images, rows, strict=True)
    )

    refused = send("POST", "/corrections?text=71", content=png(row), headers=PNG)
    assert refused.status_code == 422
    assert "2 digits, but 3 were found" in refused.json()["error"]


@pytest.mark.parametrize("text", ["", "seven", "7" * 41, "..", "\u0667"])
def test_other_texts_are_refused(send, digits, text):
    refused = correct(send, digits[0][0], text)
    assert refused.status_code == 422
    assert "what the picture shows" in refused.json()["error"]


def test_a_picture_without_ink_is_no_correction(send):
    refused = send("POST", "/corrections?text=7", content=png(np.zeros((28, 28), np.uint8)), headers=PNG)
    assert refused.status_code == 422
    assert "no digit" in refused.json()["error"]


def test_there_is_a_limit_of_corrections(send, digits, monkeypatch):
    monkeypatch.setattr(samples_module, "MAX_SAMPLES", 1)
    assert correct(send, digits[0][0], "7").status_code == 200
    refused = correct(send, digits[0][0], "7")
    assert refused.status_code == 409
    assert "delete some" in refused.json()["error"]


def test_nothing_to_learn_is_said(send):
    refused = send("POST", "/teach")
    assert refused.status_code == 409
    assert "correct a prediction first" in refused.json()["error"]


def test_other_machines_and_pages_of_other_sites_may_not_correct_or_teach(learning, send):
    import asyncio

    import httpx

    async def answer():
        transport = httpx.ASGITransport(learning, client=("192.168.1.5", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/teach")

    assert asyncio.run(answer()).status_code == 403
    for method, path in (
        ("POST", "/corrections?text=7"),
        ("POST", "/teach"),
        ("POST", "/undo"),
        ("DELETE", "/corrections"),
    ):
        assert send(method, path, headers={"origin": "http://evil.example"}).status_code == 403


def test_a_server_that_does_not_learn_has_no_corrections(ask):
    assert ask("GET", "/models").json()["learning"] is False
    assert ask("GET", "/corrections").status_code == 404
    assert ask("POST", "/teach").status_code == 404


def test_the_corrections_of_the_last_run_are_there_again(weights, tmp_path, ask, digits):
    path = tmp_path / "corrections.h5"
    corrections.write(path, corrections.Corrections.none().added(digits[0][:2], *2 * [np.array([7, 2], "u1")], 1e9))
    app = create_app(weights[1:], learn=path)
    try:
        assert ask("GET", "/corrections", app).json()["count"] == 2
        with pytest.raises(UserError, match="in use by another process"):
            create_app(weights[1:], learn=path)
    finally:
        app.state.teacher.close()
        app.state.recognition.close()


def test_another_file_is_refused_and_left_alone(weights, tmp_path):
    path = tmp_path / "mine.h5"
    path.write_bytes(b"mine")
    with pytest.raises(UserError, match="not an HDF5 file"):
        create_app(weights[1:], learn=path)
    assert path.read_bytes() == b"mine"
    with pytest.raises(UserError, match="holds no corrections"):
        create_app(weights[1:], learn=weights[0])


def test_an_answer_says_that_the_file_cannot_be_written(send, digits, monkeypatch):
    def fail(path, content):
        raise UserError(f"Cannot write {path} (No space left on device); free space.")

    monkeypatch.setattr(corrections, "write_atomically", fail)
    refused = correct(send, digits[0][0], "7")
    assert refused.status_code == 500
    assert "No space left" in refused.json()["error"]
    assert send("GET", "/corrections").json()["count"] == 0


def test_predictions_go_on_during_a_lesson(send, digits, learning, monkeypatch):
    """A lesson that cannot end before a prediction was answered."""
    import threading

    correct(send, digits[0][0], "7")
    tuner, predicting = learning.state.teacher._tuners[0], threading.Event()
    real = tuner.tune

    def tune(*arguments):
        assert predicting.wait(TIMEOUT_S)
        return real(*arguments)

    monkeypatch.setattr(tuner, "tune", tune)
    lesson = threading.Thread(target=lambda: send("POST", "/teach"))
    lesson.start()
    while learning.state.teacher.state != "teaching":
        time.sleep(0.01)
    assert predicted(send, digits[0][0])["digit"] == 7
    busy = send("POST", "/undo")
    predicting.set()
    lesson.join()
    assert busy.status_code == 409 or "teaching" in busy.json()["error"]
    assert learning.state.teacher.lessons == [1]


def test_a_kill_in_a_moment_of_change_keeps_the_old_or_the_new_corrections(tmp_path):
    from faults import Faults

    path, images, labels = tmp_path / "c.h5", np.ones((1, 28, 28), np.uint8), np.ones(1, np.uint8)
    old = corrections.Corrections.none().added(images, labels, labels, 1e9)
    new = old.added(images, labels, labels, 1e9)
    corrections.write(path, old)
    probe = Faults()
    with probe.injected():
        corrections.write(path, old)
    for at in range(len(probe.calls)):
        try:
            with Faults("ENOSPC", at).injected():
                corrections.write(path, new)
        except UserError:
            pass
        assert path.read_bytes() in (corrections.encoded(old), corrections.encoded(new))


def test_numbers_are_read(ask, app, digits):
    row = np.concatenate([np.pad(digits[0][row], ((0, 0), (2, 2))) for row in (0, 2)], axis=1)
    answer = ask("POST", "/predict?several=true&explain=true", content=png(row), headers=PNG).json()
    assert set(answer) == {"model", "text", "confidence", "unsure", "digits", "single"}
    assert len(answer["text"]) == len(answer["digits"]) == 2
    single = ask("POST", "/predict?several=1&explain=1", content=png(digits[0][0]), headers=PNG).json()["single"]
    assert single["digit"] == 7
    assert len(single["image"]) == 28
    none = ask("POST", "/predict?several=true&length=40", content=png(row), headers=PNG).json()
    assert (none["text"], none["unsure"], none["digits"]) == ("", True, [])


@pytest.mark.parametrize(
    "query",
    [
        "several=maybe",
        "length=2",
        "pattern=dd",
        "several=1&length=0",
        "several=1&length=x",
        "several=1&length=41",
        "several=1&length=999999999999",
        "several=1&pattern=ab",
        "several=1&pattern=.",
        "several=1&pattern=dd&length=3",
        f"several=1&pattern={41 * 'd'}",
    ],
)
def test_wrong_restrictions_are_refused(ask, digits, query):
    refused = ask("POST", f"/predict?{query}", json={"pixels": digits[0][0].tolist()})
    assert refused.status_code == 422
    assert set(json.loads(refused.content)) == {"error"}

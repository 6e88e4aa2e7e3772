"""The HTTP API: answers, errors, limits, log and metrics."""

import base64
import json
import logging
import re
import struct
import threading
import zlib
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits.imaging import read_picture
from fastdigits.inference.recognizer import Prediction, Recognizer
from fastdigits.serve import Limits, create_app
from fastdigits.serve.app import STATIC
from fastdigits.serve.guard import SECURITY_HEADERS

pytestmark = pytest.mark.slow

TIMEOUT_S = 60
BLANK = [[0] * 28 for _ in range(28)]


@pytest.fixture(scope="module")
def recognizer(weights):
    return Recognizer(weights[0])


@pytest.fixture
def limited(app):
    """limited(body_bytes=...) changes limits of the application until the test ends."""

    def limited(**changed):
        app.state.limits = app.state.recognition.limits = replace(Limits(), **changed)

    yield limited
    limited()


def as_png(pixels):
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def png_of_size(width, height):
    """Create a white PNG of any size in a few bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(9)
    row = b"\0" + b"\xff" * -(-width // 8)
    packed = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def error_of(response):
    """Return the message of an error, after checking the form of the answer."""
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    assert response.json()["error"].endswith(".")
    return response.json()["error"]


def test_pixels_in_every_form_give_the_same_prediction(ask, recognizer, digits):
    images, labels = digits
    for image, label in zip(images[:20], labels, strict=False):
        forms = [image.tolist(), image.ravel().tolist(), (image / 255).tolist(), (image.ravel() / 255).tolist()]
        answers = [ask("POST", "/predict", json={"pixels": pixels}) for pixels in forms]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        (expected,) = recognizer.predict(image[None])
        found = answers[0].json()
        assert found["model"] == "lenet"
        assert (found["digit"], found["second"], found["unsure"]) == (expected.digit, expected.second, expected.unsure)
        assert found["probabilities"] == list(expected.probabilities)
        assert found["confidence"] == found["probabilities"][found["digit"]]
        assert found["digit"] == label


def test_pixels_in_another_format_than_mnist_are_prepared(ask, recognizer, digits):
    drawn = 255 - np.roll(digits[0][18], (3, -4), (0, 1))
    _, expected = recognizer.recognize(drawn)
    found = ask("POST", "/predict", json={"pixels": drawn.tolist()}).json()
    assert found["probabilities"] == list(expected.probabilities)
    assert found["digit"] == digits[1][18] == 3


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "image/x-unheard-of"])
def test_a_picture_as_the_body(kind, post, recognizer, picture):
    _, expected = recognizer.recognize(read_picture(picture))
    found = post("/predict", picture, kind)
    assert found.status_code == 200
    assert found.json()["probabilities"] == list(expected.probabilities)
    assert found.json()["digit"] == 3


@pytest.mark.parametrize("name", ["picture", "file", "anything"])
def test_a_picture_in_a_form(name, ask, post, picture):
    found = ask("POST", "/predict", files={name: ("seven.png", picture, "image/png")}, data={"more": "text"})
    assert found.status_code == 200
    assert found.json() == post("/predict", picture, "image/png").json()


def text_forms():
    """Return functions that write the bytes of a picture as text."""

    def data_url(content):
        return "data:image/png;base64," + base64.b64encode(content).decode()

    return {
        "a data URL": data_url,
        "a data URL with a parameter": lambda content: data_url(content).replace("png;", "png;name=3.png;"),
        "a data URL with escapes": lambda content: data_url(content).replace("+", "%2B").replace("=", "%3D"),
        "Base64": lambda content: base64.b64encode(content).decode(),
        "Base64 without padding": lambda content: base64.b64encode(content).decode().rstrip("="),
        "Base64 in lines": lambda content: base64.encodebytes(content).decode(),
        "URL-safe Base64": lambda content: base64.urlsafe_b64encode(content).decode(),
        "URL-safe Base64 without padding": lambda content: base64.urlsafe_b64encode(content).decode().rstrip("="),
    }


@pytest.mark.parametrize("form", text_forms())
def test_a_picture_as_text(form, ask, post, picture):
    """However a page sends what canvas.toDataURL() returns, it is the picture itself."""
    expected = post("/predict", picture, "image/png").json()
    content = picture + b"\xfb\xff\xfe" + b"!" * (-len(picture) % 3 + 1)  # Base64 with - and _, and with padding
    text = text_forms()[form](content)
    requests = [
        {"json": {"picture": text}},
        {"json": {"who": "me", "image": text, "number": 1}},
        {"json": {"pixels": text}},
        {"content": text, "headers": {"content-type": "text/plain;charset=UTF-8"}},
        {"data": {"who": "me", "imgBase64": text}},
        {"files": {"picture": (None, text), "who": (None, "me")}},
    ]
    fields = {"content-type": "application/x-www-form-urlencoded"}
    if "%" not in text:  # each plus as it is
        requests.append({"content": f"image={text}", "headers": fields})
    if "=" not in text.rstrip("=\n"):  # a value without a name
        requests.append({"content": text, "headers": fields})
    answers = [ask("POST", "/predict", **request) for request in requests]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, expected)] * len(requests)


def test_pixels_come_before_a_text(ask, digits):
    pixels = digits[0][0].tolist()
    expected = ask("POST", "/predict", json={"pixels": pixels}).json()
    assert ask("POST", "/predict", json={"text": "seven", "pixels": pixels}).json() == expected


def test_explanations(post, recognizer, picture):
    found = post("/predict?explain=true", picture, "image/png").json()
    prepared, _ = recognizer.recognize(read_picture(picture))
    assert found["image"] == prepared.image.tolist()
    assert found["box"] == list(prepared.box)
    shapes = [(maps["layer"], maps["shape"], maps["total"]) for maps in found["features"]]
    assert shapes == [
        ("conv2d_1, ReLU", [6, 28, 28], 6),
        ("avgpool2d_1", [6, 14, 14], 6),
        ("conv2d_2, ReLU", [16, 10, 10], 16),
        ("avgpool2d_2", [16, 5, 5], 16),
        ("dense_1, ReLU", [120], 120),
        ("dense_2, ReLU", [84], 84),
    ]
    for maps in found["features"]:
        levels = np.frombuffer(base64.b64decode(maps["levels"]), np.uint8)
        assert len(levels) == np.prod(maps["shape"])
        assert (levels.min(), levels.max()) == (0, 255)
        assert maps["low"] == 0 < maps["high"]  # outputs of ReLU, and averages of them


def test_the_first_sure_candidate_counts_or_else_the_most_confident(post, monkeypatch):
    import fastdigits.serve.recognition as recognition
    from fastdigits.imaging import Prepared
    from fastdigits.serve.jobs import Answer

    prepared = [Prepared(np.full((28, 28), level, np.uint8), None, ()) for level in (1, 2, 3, 4)]

    def answer_for(confidences):
        """Post a picture whose candidates have these confidences, with a limit of 0.5 for the first."""

        async def predict(worker, model, image, explain):
            level = int(image[0, 0])
            return Answer(
                Prediction(level, confidences[level - 1], (0.1,) * 10, 0, False, 1 - confidences[level - 1]), 1
            )

        monkeypatch.setattr(recognition, "candidates", lambda picture: iter(prepared))
        monkeypatch.setattr(recognition.Worker, "predict", predict)
        answer = post("/predict", as_png(np.zeros((9, 9), np.uint8)), "image/png").json()
        return answer["digit"], answer["unsure"]

    assert answer_for([0.2, 0.8, 0.9, 0.1]) == (2, False)
    assert answer_for([0.2, 0.7, 0.9, 0.1]) == (3, False)  # the second needs 0.75
    assert answer_for([0.2, 0.4, 0.6, 0.1]) == (3, True)


def test_a_blank_page_has_no_ink(post):
    blank = as_png(np.full((50, 50), 255, np.uint8))
    found = post("/predict?explain=1", blank, "image/png")
    assert found.status_code == 200
    assert found.json()["image"] == BLANK
    assert found.json()["box"] is None


def test_models_are_chosen_by_name_or_index(ask, digits):
    def model(choice):
        return ask("POST", f"/predict{choice}", json={"pixels": digits[0][0].tolist()})

    assert [model(choice).json()["model"] for choice in ("", "?model=1", "?model=linear")] == [
        "lenet",
        "linear",
        "linear",
    ]
    assert model("?model=1").text == model("?model=linear").text != model("").text.replace("lenet", "linear")
    for unknown in ("?model=2", "?model=-1", "?model=resnet"):
        assert model(unknown).status_code == 404
        assert "choose one of 0 for lenet, 1 for linear" in error_of(model(unknown))


@pytest.mark.parametrize("path", ["/api/neural", "/"])
def test_grids(path, ask, digits):
    for method in (0, 1):
        for image in digits[0][:20]:
            found = ask("POST", path, json={"gridValues": image.tolist(), "method": method})
            expected = ask("POST", f"/predict?model={method}", json={"pixels": image.tolist()}).json()
            assert found.json() == [str(expected["digit"]), f"{expected['confidence']:.4f}"]


def test_numbers_of_a_grid_always_range_to_255(ask):
    """A grid of 0 and 1 is almost blank, but such pixels range from 0 to 1."""
    dim = np.zeros((28, 28), int)
    dim[4:24, 13:15] = 1
    drawn, blank = ask("POST", "/api/neural", json={"gridValues": dim.tolist()}), {"gridValues": BLANK}
    assert drawn.json() == ask("POST", "/api/neural", json=blank).json()
    found = ask("POST", "/predict", json={"pixels": dim.tolist()}).json()
    assert found["digit"] == 1
    assert found["confidence"] > 0.9


JSON = "application/json"
ROWS = json.dumps(BLANK)
REFUSED = {
    "no JSON": (b"gibberish", JSON, 400, "not JSON"),
    "cut short": (b'{"pixels": [0, 0', JSON, 400, "not JSON"),
    "nothing": (b"", JSON, 400, "not JSON"),
    "no UTF-8": (b'{"pixels": "\xff"}', JSON, 400, "not JSON"),
    "NaN": (b'{"pixels": [NaN]}', JSON, 400, "not JSON"),
    "infinity": (b'{"pixels": [Infinity]}', JSON, 400, "not JSON"),
    "deep": (b"[" * 100_000, JSON, 400, "not JSON"),
    "a list": (b"[1, 2]", JSON, 422, "must be a JSON object"),
    "null": (b"null", JSON, 422, "must be a JSON object"),
    "other names": (b'{"pixel": []}', JSON, 422, "'pixels' must be 28 rows of 28"),
    "no list": (b'{"pixels": "7"}', JSON, 400, "send numbers as application/json, under 'pixels'"),
    "a number": (b'{"pixels": 7}', JSON, 422, "'pixels' must be 28 rows of 28"),
    "an object": (b'{"pixels": {"0": 1}}', JSON, 422, "'pixels' must be 28 rows of 28"),
    "too few": (json.dumps({"pixels": [0] * 783}).encode(), JSON, 422, "784 numbers"),
    "too many": (json.dumps({"pixels": [0] * 785}).encode(), JSON, 422, "784 numbers"),
    "a row too few": (json.dumps({"pixels": BLANK[1:]}).encode(), JSON, 422, "28 rows of 28"),
    "a long row": (json.dumps({"pixels": [[0] * 29, *BLANK[1:]]}).encode(), JSON, 422, "28 rows of 28"),
    "a row that is none": (json.dumps({"pixels": [7, *BLANK[1:]]}).encode(), JSON, 422, "28 rows of 28"),
    "too deep": (json.dumps({"pixels": [[[0]] * 28] * 28}).encode(), JSON, 422, "numbers and nothing else"),
    "text": (json.dumps({"pixels": ["0"] * 784}).encode(), JSON, 422, "numbers and nothing else"),
    "truth": (json.dumps({"pixels": [True] + [0] * 783}).encode(), JSON, 422, "numbers and nothing else"),
    "null within": (json.dumps({"pixels": [None] + [0] * 783}).encode(), JSON, 422, "numbers and nothing else"),
    "below 0": (json.dumps({"pixels": [-1] + [0] * 783}).encode(), JSON, 422, "from 0 to 255 or from 0 to 1"),
    "above 255": (json.dumps({"pixels": [256] + [0] * 783}).encode(), JSON, 422, "from 0 to 255 or from 0 to 1"),
    "huge": (json.dumps({"pixels": [10**300] + [0] * 783}).encode(), JSON, 422, "from 0 to 255 or from 0 to 1"),
    "beyond floats": (b'{"pixels": [1e999' + b", 0" * 783 + b"]}", JSON, (400, 422), ""),
    "no type": (ROWS.encode(), "", 415, "a body of no type"),
    "text/html": (ROWS.encode(), "text/html", 415, "not text/html"),
    "a long type": (ROWS.encode(), "text/" + "x" * 9000, 415, "xxx..."),
    "JSON as text": (ROWS.encode(), "text/plain", 400, "send numbers as application/json"),
    "curl's own": (ROWS.encode(), "application/x-www-form-urlencoded", 400, "send numbers as application/json"),
    "no Base64": (b"a picture!", "text/plain", 400, "not a picture in Base64 or a data URL"),
    "Base64 with junk": (b"iVBOR*w0KGgo=", "text/plain", 400, "not a picture in Base64 or a data URL"),
    "Base64 cut short": (b"iVBOR", "text/plain", 400, "not a picture in Base64 or a data URL"),
    "Base64 after padding": (b"iVBORw0=KGgo", "text/plain", 400, "not a picture in Base64 or a data URL"),
    "text beyond ASCII": ('{"picture": "ä"}'.encode(), JSON, 400, "not a picture in Base64 or a data URL"),
    "a data URL without Base64": (b"data:image/svg+xml,%3Csvg/%3E", "text/plain", 400, "not a picture in Base64"),
    "Base64 of no picture": (b"aGVsbG8gd29ybGQ=", "text/plain", 400, "PNG, JPEG"),
    "no text": (b"", "text/plain", 400, "empty"),
    "many fields": (b"a=b&" * 11, "application/x-www-form-urlencoded", 400, "at most 10 fields"),
    "fields beyond ASCII": (b"picture=\xff", "application/x-www-form-urlencoded", 400, "in ASCII"),
    "a picture as curl sends it": (
        as_png(np.zeros((28, 28), np.uint8)),
        "application/x-www-form-urlencoded",
        400,
        "send a picture file with its own type",
    ),
    "a form of text": (
        b'--x\r\nContent-Disposition: form-data; name="p"\r\n\r\nno picture\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
        400,
        "not a picture in Base64 or a data URL",
    ),
    "empty picture": (b"", "image/png", 400, "empty"),
    "no picture": (b"%PDF-1.7 is none", "image/png", 400, "PNG, JPEG"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 400, "PNG, JPEG"),
    "half a picture": (
        as_png(np.random.default_rng(0).integers(256, size=(99, 99), dtype=np.uint8))[:5000],
        "image/png",
        400,
        "damaged",
    ),
    "a bomb": (png_of_size(20_000, 20_000), "image/png", 400, "pixels"),
    "a long bomb": (png_of_size(8, 70_000), "image/png", 400, "8 x 70000 pixels"),
    "no form": (b"gibberish", "multipart/form-data; boundary=x", 400, "form"),
    "no boundary": (b"gibberish", "multipart/form-data", 400, "form"),
    "empty form": (b"--x--\r\n", "multipart/form-data; boundary=x", (400, 422), "form"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_bodies_are_refused(name, post):
    body, kind, status, message = REFUSED[name]
    response = post("/predict", body, kind)
    assert response.status_code in np.atleast_1d(status)
    assert message in error_of(response)


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        (b"{}", JSON, 422, "'gridValues' must be 28 rows of 28"),
        (b'{"gridValues": [NaN]}', JSON, 400, "not JSON"),
        (json.dumps({"gridValues": [[-0.5] * 28] * 28}).encode(), JSON, 422, "from 0 to 255."),
        (json.dumps({"gridValues": BLANK, "method": "1"}).encode(), JSON, 422, "'method' must be the index"),
        (json.dumps({"gridValues": BLANK, "method": True}).encode(), JSON, 422, "'method' must be the index"),
        (json.dumps({"gridValues": BLANK, "method": None}).encode(), JSON, 422, "'method' must be the index"),
        (json.dumps({"gridValues": BLANK, "method": 2}).encode(), JSON, 404, "no model 2"),
        (json.dumps({"gridValues": BLANK, "method": -1}).encode(), JSON, 404, "no model -1"),
        (b"", "image/png", 415, "Send application/json"),
    ],
)
def test_invalid_grids_are_refused(body, kind, status, message, post):
    for path in ("/api/neural", "/"):
        response = post(path, body, kind)
        assert response.status_code == status
        assert message in error_of(response)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", "/static/none.js", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/predict", 405),
        ("PUT", "/predict", 405),
        ("OPTIONS", "/predict", 405),
        ("DELETE", "/", 405),
        ("POST", "/static/page.js", 405),
        ("POST", "/predict?explain=perhaps", 422),
    ],
)
def test_every_error_is_json(method, path, status, ask):
    response = ask(method, path)
    assert response.status_code == status
    assert error_of(response)
    assert (status == 405) == ("allow" in response.headers)


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/", "GET, HEAD, POST"), ("/predict", "POST"), ("/health", "GET, HEAD"), ("/static/page.js", "GET, HEAD")],
)
def test_allowed_methods_are_listed(path, methods, ask):
    assert ask("BREW", path).headers["allow"] == methods


PAGES = ["/", "/docs", "/openapi.json", "/static/page.js", "/static-offline-docs/swagger-ui.css"]


@pytest.mark.parametrize("path", [*PAGES, "/health", "/models", "/metrics"])
def test_head_is_answered_where_get_is(path, ask):
    with_body, without = ask("GET", path), ask("HEAD", path)
    assert (with_body.status_code, without.status_code) == (200, 200)
    changes = path in ("/health", "/metrics")
    for name, value in with_body.headers.items():
        assert without.headers[name] == value or (changes and name == "content-length")


def test_every_answer_has_the_security_headers(ask, post, limited, weights, monkeypatch):
    answers = [ask("GET", path) for path in [*PAGES, "/health", "/metrics", "/nothing", "/static/none", "/models/"]]
    answers += [ask("HEAD", "/"), ask("PUT", "/predict"), ask("OPTIONS", "/"), post("/predict", b"x", "text/html")]
    answers += [post("/predict", b"{}"), post("/predict", b"gibberish"), post("/predict", b" " * 300_000)]
    answers += [ask("POST", "/predict", headers={"origin": "https://evil.example"})]
    with monkeypatch.context() as patch:
        patch.setattr("fastdigits.serve.api.bodies.media_type", lambda request: 1 / 0)
        answers += [post("/predict", b"{}")]
    limited(buffered_bytes=1)
    answers += [post("/predict", b"{}")]
    app = create_app(weights[1:], Limits(requests=0), allow_origins=["https://example.org"])
    answers += [ask("GET", "/health", app)]
    app.state.recognition.close()
    assert {answer.status_code for answer in answers} == {200, 307, 400, 403, 404, 405, 413, 415, 422, 500, 503}
    for answer in answers:
        assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert answer.status_code < 400 or answer.request.method == "HEAD" or error_of(answer)
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_messages_repeat_no_long_text(ask):
    for path in ("/" + "x" * 5000, "/predict?model=" + "x" * 5000, "/predict?explain=" + "x" * 5000):
        assert len(error_of(ask("POST", path))) < 300


def test_requests_for_other_hosts_and_of_other_sites_are_refused(ask, linear):
    app = create_app([linear], allow_hosts=["127.0.0.1"], root_path="/digits")
    assert ask("GET", "/health", app).status_code == 200
    refused = ask("GET", "/health", app, headers={"host": "evil.example"})
    assert refused.status_code == 421
    assert "--allow-host evil.example" in error_of(refused)
    refused = ask("POST", "/predict", app, json={}, headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    assert "--allow-origin" in error_of(refused)
    assert ask("GET", "/openapi.json", app).json()["servers"] == [{"url": "/digits"}]
    assert ask("GET", "/digits/static/page.js", app).status_code == 200
    assert "see /digits/docs" in error_of(ask("GET", "/nothing", app))
    app.state.recognition.close()


def test_long_bodies_are_refused(post, ask, limited, picture):
    assert post("/predict", b" " * 300_000).status_code == 413
    assert "256 KiB; send the picture itself" in error_of(post("/predict", b" " * 300_000))
    assert post("/predict", b" " * 300_000, "application/x-www-form-urlencoded").status_code == 413
    limited(body_bytes=2**20)

    async def without_length():
        for _ in range(3):
            yield b"x" * 2**19

    for body in (b"x" * (2**20 + 1), without_length()):
        response = post("/predict", body, "image/png")
        assert response.status_code == 413
        assert "longer than 1 MiB" in error_of(response)
    assert post("/predict", picture, "image/png").status_code == 200


def test_the_total_length_of_all_bodies_is_limited(post, limited, picture):
    limited(buffered_bytes=len(picture) - 1)
    response = post("/predict", picture, "image/png")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "try again" in error_of(response)
    limited(buffered_bytes=len(picture))
    for _ in range(3):  # bodies of finished requests do not count
        assert post("/predict", picture, "image/png").status_code == 200


def test_large_pictures_are_refused_before_they_are_decoded(post, limited, picture):
    limited(picture_pixels=59_999)  # it has 60,000
    response = post("/predict", picture, "image/png")
    assert response.status_code == 400
    assert "200 x 300 pixels" in error_of(response)


def test_more_requests_than_the_limit_are_refused(linear, picture):
    import asyncio

    import httpx

    app = create_app([linear], Limits(requests=3))

    async def many():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            send = {"content": picture, "headers": {"content-type": "image/png"}}
            return await asyncio.gather(*(client.post("/predict", **send) for _ in range(8)))

    responses = asyncio.run(many())
    app.state.recognition.close()
    statuses = [response.status_code for response in responses]
    assert sorted(statuses) == [200] * 3 + [503] * 5
    busy = responses[statuses.index(503)]
    assert "try again" in error_of(busy)
    assert busy.headers["retry-after"] == "1"


def test_slow_answers_time_out(post, limited, picture, monkeypatch):
    import fastdigits.serve.recognition as recognition

    answered = threading.Event()
    monkeypatch.setattr(recognition, "candidates", lambda picture: iter([answered.wait(TIMEOUT_S)]))
    limited(seconds=0.05)
    response = post("/predict", picture, "image/png")
    answered.set()
    assert response.status_code == 503
    assert "no answer within 0.05 s" in error_of(response)


def test_a_failure_is_logged_and_the_next_request_is_answered(post, picture, monkeypatch, caplog):
    import fastdigits.serve.recognition as recognition

    with monkeypatch.context() as patch:
        patch.setattr(recognition, "candidates", lambda picture: 1 / 0)
        response = post("/predict", picture, "image/png")
    assert response.status_code == 500
    assert "see its log" in error_of(response)
    assert "division by zero" in caplog.text
    assert post("/predict", picture, "image/png").status_code == 200


def test_each_request_is_logged_in_one_line(ask, post, picture, caplog):
    caplog.set_level(logging.INFO, "fastdigits.serve")
    ask("GET", "/nothing%0A{forged}")
    post("/predict?model=linear", picture, "image/png")
    first, second = [record.fields for record in caplog.records]
    assert (first["method"], first["path"], first["status"]) == ("GET", "/nothing\n{forged}", 404)
    assert (second["method"], second["path"], second["status"]) == ("POST", "/predict", 200)
    assert (second["model"], second["together"]) == ("linear", 1)
    assert second["ms"] > 0

    from fastdigits.serve.observer import JSONLines

    lines = [JSONLines().format(record) for record in caplog.records]
    assert [line.count("\n") for line in lines] == [0, 0]
    assert [json.loads(line)["path"] for line in lines] == ["/nothing\n{forged}", "/predict"]


def test_health_and_models(ask, weights):
    found = ask("GET", "/health").json()
    assert (found["status"], found["models"]) == ("ok", 2)
    assert found["uptime_s"] >= 0
    models = ask("GET", "/models").json()["models"]
    assert [(model["index"], model["name"], model["architecture"]) for model in models] == [
        (0, "lenet", "lenet"),
        (1, "linear", "linear"),
    ]
    assert [model["parameters"] for model in models] == [61_706, 7_850]
    assert all(0.8 < model["test_accuracy"] < 1 for model in models)


def test_metrics_can_be_parsed_and_count(ask, post, picture):
    from prometheus_client.parser import text_string_to_metric_families

    def counted(name, **labels):
        text = ask("GET", "/metrics").text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def all_counts():
        return [
            counted("fastdigits_requests_total", route="/predict", method="POST", status="200"),
            counted("fastdigits_requests_total", route="other", method="other", status="404"),
            counted("fastdigits_predictions_total", model="linear"),
            counted("fastdigits_batch_images_count"),
            counted("fastdigits_request_seconds_count", route="/predict"),
        ]

    before = all_counts()
    post("/predict?model=1", picture, "image/png")
    ask("BREW", "/coffee")
    assert np.subtract(all_counts(), before).tolist() == [1, 1, 1, 1, 1]
    assert counted("process_resident_memory_bytes") > 1e7
    assert counted("fastdigits_requests_running") == 1  # this one


def test_metrics_do_not_grow_with_unknown_paths_and_methods(ask):
    def series():
        return len(ask("GET", "/metrics").text.splitlines())

    def ask_for_all(number):
        for path in (f"/nothing/{number}", f"/static/{number}", f"/docs/{number}", f"/predict?model={number}"):
            for method in ("GET", "HEAD", "POST", f"BREW{number}"):
                ask(method, path)

    ask_for_all("first")
    before = series()
    for number in range(20):
        ask_for_all(number)
    assert series() == before


def test_the_description_bounds_the_models(ask):
    described = ask("GET", "/openapi.json").json()["paths"]
    (model,) = [given for given in described["/predict"]["post"]["parameters"] if given["name"] == "model"]
    assert model["schema"]["enum"] == ["0", "1", "lenet", "linear"]
    for path in ("/", "/api/neural"):
        grid = described[path]["post"]["requestBody"]["content"][JSON]["schema"]
        assert grid["properties"]["method"].items() >= {"minimum": 0, "maximum": 1}.items()


def test_other_sites_may_send_requests_only_if_allowed(ask, linear):
    origin = {"origin": "https://example.org"}
    preflight = {**origin, "access-control-request-method": "POST"}
    assert not any(name.startswith("access-control") for name in ask("GET", "/health", headers=origin).headers)
    assert ask("OPTIONS", "/predict", headers=preflight).status_code == 405
    app = create_app([linear], allow_origins=["https://example.org"])
    allowed = ask("GET", "/health", app, headers=origin)
    assert allowed.headers["access-control-allow-origin"] == "https://example.org"
    assert ask("OPTIONS", "/predict", app, headers=preflight).status_code == 200
    other = {"origin": "https://example.com"}
    assert "access-control-allow-origin" not in ask("GET", "/health", app, headers=other).headers
    refused = ask("OPTIONS", "/predict", app, headers={**preflight, **other})
    assert refused.status_code == 400
    assert "--allow-origin" in error_of(refused)
    app.state.recognition.close()


def test_the_page_loads_nothing_from_other_servers(ask):
    page = ask("GET", "/")
    assert page.headers["content-type"].startswith("text/html")
    for file in STATIC.iterdir():
        elsewhere = re.findall(r"(?:https?:)?//[\w.]+\.\w+[^\s\"']*", file.read_text("utf8"))
        assert [url for url in elsewhere if url != "http://www.w3.org/2000/svg"] == []
    paths = set(re.findall(r'(?:src|href)="([^"#]+)"', page.text))
    for path in paths - {"corrections/file"}:  # hidden unless corrections are kept
        assert ask("GET", f"/{path}").status_code == 200


def test_the_api_documentation_loads_nothing_from_other_servers(ask):
    page = ask("GET", "/docs")
    assert page.status_code == 200
    paths = re.findall(r'(?:src|href)="([^":]+)"', page.text)
    assert len(paths) >= 3
    for path in paths:
        assert ask("GET", f"/{path}").status_code == 200
    described = ask("GET", "/openapi.json").json()["paths"]
    assert {(path, method) for path, methods in described.items() for method in methods} == {
        ("/predict", "post"),
        ("/api/neural", "post"),
        ("/", "post"),
        ("/", "get"),
        ("/health", "get"),
        ("/models", "get"),
        ("/metrics", "get"),
    }

"""`fastdigits serve` as a process of its own, over real connections."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

JSON, PNG = "application/json", "image/png"
PATIENCE_S = 60  # of the tests, on a busy machine


@pytest.fixture
def server(start, weights):
    """A server that waits one second for requests to arrive."""
    with start(*weights, "--timeout", "1", "--max-body", "1") as server:
        yield server


def connection(server):
    """A block with a connection for requests."""
    return closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S))


def answer_to(client, method, path, body=None, kind=JSON):
    """(status, body) of the answer to a request."""
    client.request(method, path, body, {"Content-Type": kind} if body else {})
    answer = client.getresponse()
    return answer.status, answer.read()


def said_to(server, *parts, pause_s=0.0):
    """All that the server answers to bytes that arrive part by part, until it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as client:
        answer = b""
        for part in parts:
            client.sendall(part)
            time.sleep(pause_s)
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def error_of(answer):
    """(status, sentence) of an answer that the server hangs up after."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head
    assert list(json.loads(body)) == ["error"]
    return int(head.split()[1]), json.loads(body)["error"]


def test_an_image_over_the_wire(server, digits):
    with connection(server) as client:
        for image, digit in zip(digits[0][:5], digits[1], strict=False):
            status, answer = answer_to(client, "POST", "/predict", json.dumps({"pixels": image.tolist()}))
            assert status == 200
            assert json.loads(answer)["digit"] == digit


def test_only_this_machine_is_listened_to(server):
    assert f"lenet, linear at http://127.0.0.1:{server.port}, " in server.line
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in own:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, server.port), timeout=2)


def test_what_is_no_http_is_refused(server):
    status, sentence = error_of(said_to(server, b"GIBBERISH\r\n\r\n"))
    assert status == 400
    assert "not HTTP" in sentence


def test_a_long_head_is_refused(server):
    status, sentence = error_of(said_to(server, b"GET / HTTP/1.1\r\nx: ", b"x" * 70_000))
    assert status == 431
    assert "64 KiB" in sentence


def test_slow_heads_are_given_up(server):
    status, sentence = error_of(said_to(server, b"GET / HTTP/1.1\r\n", b"x: y\r\n", b"x", pause_s=0.3))
    assert status == 408
    assert "within 1 s" in sentence


def test_slow_bodies_are_given_up(server):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    status, sentence = error_of(said_to(server, head, b'{"pixels"', b": [", b"0", pause_s=0.3))
    assert status == 408
    assert "within 1 s" in sentence


def test_slow_bodies_that_nobody_reads_are_given_up(server):
    head = b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    assert said_to(server, head, b"x").startswith(b"HTTP/1.1 404 ")


def test_silent_connections_are_given_up(server):
    assert said_to(server) == b""


def test_huge_bodies_are_refused_and_the_client_hears_of_it(server):
    with connection(server) as client:
        status, answer = answer_to(client, "POST", "/predict", b"x" * (50 * 2**20), PNG)
        assert status == 413
        assert json.loads(answer) == {"error": "The body is longer than 1 MiB; send less."}
        assert answer_to(client, "GET", "/health")[0] == 200


def test_who_sends_slowly_holds_up_nobody(server, picture):
    with ExitStack() as connections:
        for _ in range(100):
            slow = connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(b"POST /predict HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 99999\r\n\r\n.")
        client = connections.enter_context(connection(server))
        assert answer_to(client, "POST", "/predict", picture, PNG)[0] == 200


def test_every_request_has_its_line(server):
    with connection(server) as client:
        client.request("GET", "/health", headers={"X-Forwarded-For": "1.2.3.4"})
        assert client.getresponse().read()
    time.sleep(0.5)
    (line,) = server.log.read_text().splitlines()
    fields = json.loads(line)
    assert fields.pop("ms") > 0
    assert fields.pop("time").startswith("20")
    assert fields == {
        "level": "info",
        "event": "request",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/health",
        "status": 200,
    }


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_gracefully(way, start, weights, picture):
    """What has begun is answered, then the process ends with 0 and says so."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
    with ExitStack() as opened:
        server = opened.enter_context(start(*weights))
        idle, busy = (
            opened.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
            for _ in range(2)
        )
        busy.sendall(head % len(picture) + picture[:-10])
        time.sleep(0.5)
        server.send_signal(way)
        time.sleep(0.5)
        busy.sendall(picture[-10:])
        assert busy.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert server.wait(PATIENCE_S) == 0
        assert idle.recv(1) == b""
        assert server.stdout.read() == "Stopped.\n"
        assert "Traceback" not in server.log.read_text()


def test_threads_that_ask_at_once_are_all_answered_right(start, weights, digits):
    images, labels = digits
    found = {}
    with start(weights[0]) as server:

        def ask(number):
            with connection(server) as client:
                for place in range(number, len(images), 16):
                    body = json.dumps({"gridValues": images[place].tolist()})
                    found[place] = int(json.loads(answer_to(client, "POST", "/api/neural", body)[1])[0])

        askers = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    right = np.mean([found[place] == labels[place] for place in range(len(images))])
    assert right > 0.95


@pytest.fixture
def fails(tmp_path, environment):
    """fails(says, *arguments): the command ends with 1 and one sentence on stderr."""

    def fails(says, *arguments, prelude="pass"):
        program = f"import sys; {prelude}; from fastdigits.cli import main; main()"
        command = [sys.executable, "-c", program, "serve", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)
        assert (result.returncode, result.stdout) == (1, ""), result.stderr
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        assert says in result.stderr

    return fails


def test_a_port_that_is_taken(server, weights, fails):
    fails("choose another --host or --port", *weights, "--port", str(server.port))


def test_an_address_that_is_not_here(weights, fails):
    fails("choose another --host or --port", *weights, "--host", "203.0.113.7")


def test_a_file_that_holds_no_network(fails, tmp_path):
    (tmp_path / "photo.h5").write_bytes(b"GIF89a")
    fails("photo.h5: ", "photo.h5", "--port", "0")


def test_a_network_that_reads_other_images(fails, tmp_path, environment):
    program = (
        "import numpy as np; from fastdigits import Sequential, Flatten, Dense; "
        "model = Sequential([Flatten(), Dense(2)], (1, 8, 8)); images = np.eye(8, dtype=np.uint8)[None].repeat(20, 0); "
        "model.fit(images, np.arange(20, dtype=np.uint8) % 2, epochs=1, batch_size=4, validation=0); model.save('s.h5')"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, timeout=300)
    fails("s.h5: ", "s.h5", "--port", "0")


def test_the_extra_that_is_missing(weights, fails):
    fails("pip install 'fastdigits[serve]'", *weights, prelude="sys.modules['uvicorn'] = None")

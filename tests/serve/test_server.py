"""`fastdigits serve` in a process of its own, over real connections."""

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

from fastdigits import Dense, Flatten, Sequential
from fastdigits.serve.guard import Hosts
from fastdigits.serve.server import bind, own_hosts

pytestmark = pytest.mark.slow

JSON, PNG = "application/json", "image/png"
TIMEOUT_S = 60  # generous, for a busy machine
POLL_S = 0.05
STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")  # Windows has no SIGHUP


@pytest.fixture(scope="module")
def server(start, weights):
    """A server with a time limit of one second and a limit of 1 MiB on bodies."""
    with start(*weights, "--timeout", "1", "--max-body", "1") as server:
        yield server


def connection(server):
    """Open a connection for requests."""
    return closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S))


def answer_to(client, method, path, body=None, kind=JSON):
    """Send a request and return the status and the body of its answer."""
    client.request(method, path, body, {"Content-Type": kind} if body else {})
    answer = client.getresponse()
    return answer.status, answer.read()


def send_raw(server, *parts, pause_s=0.0):
    """Send bytes in parts, slowly if `pause_s`, and return the answer once the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        answer = b""
        for part in parts:
            client.sendall(part)
            time.sleep(pause_s)
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def until(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL_S)


def listens(server):
    """Whether the server accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S).close()
    except ConnectionError:
        return False
    return True


def error_of(answer):
    """Return the status and the message of an error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head
    assert list(json.loads(body)) == ["error"]
    return int(head.split()[1]), json.loads(body)["error"]


def test_images_are_recognized(server, digits):
    with connection(server) as client:
        for image, digit in zip(digits[0][:5], digits[1], strict=False):
            status, answer = answer_to(client, "POST", "/predict", json.dumps({"pixels": image.tolist()}))
            assert status == 200
            assert json.loads(answer)["digit"] == digit


def test_the_server_listens_on_the_loopback_address_only(server):
    assert f"lenet, linear at http://127.0.0.1:{server.port}, " in server.line
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in own:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, server.port), timeout=2)


def test_own_hosts_depend_on_the_address():
    def hosts(host, address):
        with closing(bind(address, 0)) as listener:
            return Hosts(own_hosts(host, listener))

    own = [name for name in ("localhost", "127.0.0.1", "::1") if hosts("127.0.0.1", "127.0.0.1").include(name)]
    assert own == ["localhost", "127.0.0.1", "::1"]
    for other in ("evil.example", "192.168.1.5", "0.0.0.0"):
        assert not hosts("127.0.0.1", "127.0.0.1").include(other)
    everywhere = hosts("0.0.0.0", "0.0.0.0")
    for name in ("localhost", "192.168.1.5", "::1", "fe80::1", socket.gethostname(), f"{socket.gethostname()}.local"):
        assert everywhere.include(name)
    assert not everywhere.include("evil.example")
    assert hosts("box.example.org", "0.0.0.0").include("box.example.org")


def test_the_server_answers_only_for_its_own_host(start, weights):
    with start(weights[1], "--allow-host", "digits.example", "--root-path", "/digits") as server:

        def status(host, path):
            with connection(server) as client:
                client.request("GET", path, headers={"Host": host})
                return client.getresponse().status

        assert status("localhost", "/health") == status("digits.example", "/digits/health") == 200
        assert status("evil.example", "/health") == 421


def test_bytes_that_are_not_http_are_refused(server):
    status, message = error_of(send_raw(server, b"GIBBERISH\r\n\r\n"))
    assert status == 400
    assert "not valid HTTP" in message


def test_a_long_head_is_refused(server):
    status, message = error_of(send_raw(server, b"GET / HTTP/1.1\r\nx: ", b"x" * 70_000))
    assert status == 431
    assert "64 KiB" in message


def test_slow_heads_time_out(server):
    status, message = error_of(send_raw(server, b"GET / HTTP/1.1\r\n", b"x: y\r\n", b"x", pause_s=0.3))
    assert status == 408
    assert "within 1 s" in message


def test_slow_bodies_time_out(server):
    head = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    status, message = error_of(send_raw(server, head, b"x", b"y", b"z", pause_s=0.3))
    assert status == 408
    assert "within 1 s" in message


def test_slow_bodies_to_unknown_paths_are_refused(server):
    head = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    assert send_raw(server, head, b"x").startswith(b"HTTP/1.1 404 ")


def test_silent_connections_are_closed(server):
    assert send_raw(server) == b""


def test_huge_bodies_are_refused_with_an_answer(server):
    with connection(server) as client:
        status, answer = answer_to(client, "POST", "/predict", b"x" * (50 * 2**20), PNG)
        assert status == 413
        assert json.loads(answer) == {"error": "The body is longer than 1 MiB; send less."}
        assert answer_to(client, "GET", "/health")[0] == 200


def test_slow_clients_do_not_delay_others(server, picture):
    with ExitStack() as connections:
        for _ in range(100):
            slow = connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(b"POST /predict HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 99999\r\n\r\n.")
        client = connections.enter_context(connection(server))
        assert answer_to(client, "POST", "/predict", picture, PNG)[0] == 200


def test_every_request_is_logged_in_one_line(server):
    with connection(server) as client:
        client.request("GET", "/metrics", headers={"X-Forwarded-For": "1.2.3.4"})  # no other test asks for them
        assert client.getresponse().read()

    def lines():
        return [line for line in server.log.read_text().rpartition("\n")[0].splitlines() if "/metrics" in line]

    until(lines)
    (line,) = lines()
    fields = json.loads(line)
    assert fields.pop("ms") > 0
    assert fields.pop("time").startswith("20")
    assert fields == {
        "level": "info",
        "event": "request",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/metrics",
        "status": 200,
    }


@pytest.mark.parametrize("stop_signal", [number for number in signal.Signals if number.name in STOP_SIGNALS])
def test_the_server_stops_gracefully(stop_signal, start, weights, picture):
    """It answers the request in progress, then exits with status 0."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
    with ExitStack() as opened:
        server = opened.enter_context(start(*weights))
        idle, busy = (
            opened.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S))
            for _ in range(2)
        )
        busy.sendall(head % len(picture) + picture[:-10])
        with connection(server) as client:  # the request for the metrics runs itself
            until(lambda: b"fastdigits_requests_running 2.0" in answer_to(client, "GET", "/metrics")[1])
        server.send_signal(stop_signal)
        until(lambda: not listens(server))
        busy.sendall(picture[-10:])
        assert busy.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert server.wait(TIMEOUT_S) == 0
        assert idle.recv(1) == b""
        assert server.stdout.read() == "Stopped.\n"
        assert "Traceback" not in server.log.read_text()


def test_concurrent_requests_get_the_right_answers(start, weights, digits):
    images, labels = digits
    found = {}
    with start(weights[0]) as server:

        def ask(number):
            with connection(server) as client:
                for index in range(number, len(images), 16):
                    body = json.dumps({"gridValues": images[index].tolist()})
                    found[index] = int(json.loads(answer_to(client, "POST", "/api/neural", body)[1])[0])

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(TIMEOUT_S)
    accuracy = np.mean([found[index] == labels[index] for index in range(len(images))])
    assert accuracy > 0.95


@pytest.fixture
def fails(tmp_path, environment):
    """fails(message, *arguments) checks that the command exits with status 1 and one line on stderr."""

    def fails(message, *arguments, prelude="pass"):
        program = f"import sys; {prelude}; from fastdigits.cli import main; main()"
        command = [sys.executable, "-c", program, "serve", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)
        assert (result.returncode, result.stdout) == (1, ""), result.stderr
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        assert message in result.stderr

    return fails


def test_a_port_in_use_is_an_error(server, weights, fails):
    fails("choose another --host or --port", *weights, "--port", str(server.port))


def test_an_address_of_another_machine_is_an_error(weights, fails):
    fails("choose another --host or --port", *weights, "--host", "203.0.113.7")


def test_a_file_without_a_network_is_an_error(fails, tmp_path):
    (tmp_path / "photo.h5").write_bytes(b"GIF89a")
    fails("photo.h5: ", "photo.h5", "--port", "0")


def test_a_network_for_other_images_is_an_error(fails, tmp_path):
    model = Sequential([Flatten(), Dense(2)], (1, 8, 8), device="reference")
    images = np.uint8([255 * np.eye(8), 255 * np.eye(8)[::-1]] * 10)
    model.fit(images, np.arange(20, dtype=np.uint8) % 2, epochs=5, batch_size=4, validation=0, verbose=0)
    model.save(tmp_path / "s.h5")
    fails("s.h5: ", "s.h5", "--port", "0")


def test_a_missing_extra_is_an_error(weights, fails):
    fails("pip install 'fastdigits[serve]'", *weights, prelude="sys.modules['uvicorn'] = None")

"""64 clients at once, good, bad, slow and gone: right answers, no failure, and neither memory nor handles grow."""

import asyncio
import base64
import json
import os
import random
import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits.data import load_part
from fastdigits.inference.recognizer import Recognizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="memory and handles are read from /proc"),
]

CLIENTS = 64
IMAGES = 100
TIMEOUT_S = 60
LIMIT_S = 3  # of the server, for a request to arrive
POLL_S = 0.1
MAX_GROWTH_BYTES = 48 * 2**20
JSON, PNG, FORM, TEXT = "application/json", "image/png", "multipart/form-data; boundary=x", "text/plain"
PAGES = ["/", "/docs", "/openapi.json", "/static/page.js", "/models", "/health", "/metrics"]


def request(method, path, body=b"", kind=None, **headers):
    """Return the bytes of a request, after which the server closes the connection."""
    lines = {"Host": "localhost", "Connection": "close", "Content-Length": len(body), **headers}
    lines |= {"Content-Type": kind} if kind else {}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def good_requests(image):
    """Return all ways to send an image uint8 (28, 28)."""
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    png = file.getvalue()
    form = b'--x\r\nContent-Disposition: form-data; name="p"; filename="p.png"\r\n\r\n' + png + b"\r\n--x--\r\n"
    url = "data:image/png;base64," + base64.b64encode(png).decode()
    return [
        request("POST", "/predict", json.dumps({"pixels": image.tolist()}).encode(), JSON),
        request("POST", "/predict?explain=true", png, PNG),
        request("POST", "/predict", form, FORM),
        request("POST", "/predict", url.encode(), TEXT),
        request("POST", "/predict", json.dumps({"picture": url}).encode(), JSON),
    ]


HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
BAD = [
    (request("POST", "/predict", b"gibberish", JSON), 400),
    (request("POST", "/predict", b'{"pixels": [1]}', JSON), 422),
    (request("POST", "/predict", b"\x89PNG\r\n\x1a\n", PNG), 400),
    (request("POST", "/predict", b"no picture", TEXT), 400),
    (request("POST", "/predict?model=none", b"{}", JSON), 404),
    (request("POST", "/predict", b" " * 300_000, JSON), 413),
    (request("POST", "/predict", b"x", "text/html"), 415),
    (request("PUT", "/predict"), 405),
    (request("GET", "/nothing/%00"), 404),
    (request("POST", "/predict", b"{}", JSON, Origin="https://evil.example"), 403),
    (request("GET", "/health", Host="evil.example"), 421),
    (request("GET", "/health", X="x" * 2**16), 431),
    (HEAD + b"x: y\r\n" * 20_000 + b"\r\n", 431),
    (b"GIBBERISH\r\n\r\n", 400),
    (HEAD + b"no colon\r\n\r\n", 400),
]


async def exchange(port, *parts, pause_s=0.0):
    """Send a request in parts and return the status, the headers and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause_s)
        answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    return int(line.split()[1]), dict(name.split(": ", 1) for name in lines), body


class Client:
    """Sends requests in random order, and checks and counts the answers; `digits` has a label for each image."""

    def __init__(self, port, number, images, digits, counts):
        self.port, self.random, self.counts = port, random.Random(number), counts
        self.requests, self.digits = [good_requests(image) for image in images], digits

    async def run(self, seconds):
        actions = [self.good] * 12 + [self.bad] * 6 + [self.page] * 2 + [self.slow, self.gone] * 2 + [self.stuck]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            action = self.random.choice(actions)
            await action()
            self.counts[action.__name__] += 1

    def choose(self):
        """Return a good request, and the digit that it shows."""
        index = self.random.randrange(len(self.requests))
        return self.random.choice(self.requests[index]), self.digits[index]

    async def check(self, expected, *parts, **options):
        """Send a request, and return the body unless the server says that it is busy."""
        status, headers, body = await exchange(self.port, *parts, **options)
        self.counts[status] += 1
        if status == 503:
            assert headers["retry-after"] == "1"
        else:
            assert status == expected, body
        if status >= 400:
            assert list(json.loads(body)) == ["error"]
        return None if status == 503 else body

    async def good(self):
        content, digit = self.choose()
        body = await self.check(200, content)
        assert body is None or json.loads(body)["digit"] == digit

    async def slow(self):
        content, digit = self.choose()
        middle = len(content) // 2
        body = await self.check(200, content[:50], content[50:middle], content[middle:], pause_s=0.1)
        assert body is None or json.loads(body)["digit"] == digit

    async def bad(self):
        content, status = self.random.choice(BAD)
        await self.check(status, content)

    async def page(self):
        method, path = self.random.choice(["GET", "HEAD"]), self.random.choice(PAGES)
        body = await self.check(200, request(method, path))
        assert body is None or bool(body) == (method == "GET")

    async def stuck(self):
        content, _ = self.choose()
        await self.check(408, content[:-10])

    async def gone(self):
        content, _ = self.choose()
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(content[: self.random.randrange(1, len(content) + 1)])
        await asyncio.sleep(self.random.choice([0, 0.01]))
        writer.transport.abort()


def memory(server):
    """Return the memory of a process in bytes."""
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def handles(server):
    """Return how many files and connections a process has open."""
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def series(server):
    """Return how many lines the metrics of the server have."""
    _, _, body = asyncio.run(exchange(server.port, request("GET", "/metrics")))
    return len(body.splitlines())


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.long)])
def test_many_clients_at_once(seconds, start):
    images = load_part("mnist", "test")[0][:IMAGES]
    digits = [prediction.digit for prediction in Recognizer().predict(images)]
    counts = Counter()
    with start("--timeout", str(LIMIT_S)) as server:

        async def run(seconds):
            clients = [Client(server.port, number, images, digits, counts) for number in range(CLIENTS)]
            await asyncio.gather(*(client.run(seconds) for client in clients))

        async def every_answer_once():
            client = Client(server.port, 0, images, digits, counts)
            for content, status in BAD:
                await client.check(status, content)
            for path in PAGES:
                for method in ("GET", "HEAD"):
                    await client.check(200, request(method, path))

        asyncio.run(every_answer_once())
        asyncio.run(run(seconds / 3))
        idle, before, lines = handles(server), memory(server), series(server)
        asyncio.run(run(seconds))
        assert memory(server) < before + MAX_GROWTH_BYTES
        assert series(server) <= lines + 20  # a rare status of a route
        deadline = time.monotonic() + TIMEOUT_S
        while handles(server) > idle:  # until the server has noticed who is gone
            assert time.monotonic() < deadline
            time.sleep(POLL_S)
        assert {"good", "bad", "page", "slow", "gone", "stuck"} <= counts.keys()
        assert counts[200] > counts[503]

        with ExitStack() as opened:  # also requests that never end do not keep the server from stopping
            for _ in range(CLIENTS):
                stuck = opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                stuck.sendall(good_requests(images[0])[0][:-10])
            server.send_signal(signal.SIGTERM)
            assert server.wait(TIMEOUT_S) == 0
        assert '"level":"error"' not in server.log.read_text()

"""Put a server of its own under load and print what it bears: python scripts/load_test.py --clients 64 --seconds 60.

Everything stays on this machine: the server listens at 127.0.0.1 on a free port, and both end with the time given.
Each client sends one picture a request and waits for the answer before it sends the next. Needs the extra `serve`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from time import perf_counter, process_time
from urllib.request import urlopen

import click
import numpy as np
import uvloop

from fastdigits.data import load_part

HOST = "127.0.0.1"
PICTURES, SHIFT = 1000, 3
WARM_UP_S = 2.0
SUM, NUMBER = "fastdigits_batch_images_sum", "fastdigits_batch_images_count"
PROCESSOR = "process_cpu_seconds_total"
BEGIN, END = b'"digit":', b"\r\n\r\n"


class Client(asyncio.Protocol):
    """Sends request after request over one connection until told to stop, and notes how long each took."""

    def __init__(self, requests: list[bytes], labels: np.ndarray, numbers: Iterator[int]):
        self.requests, self.labels, self.numbers = requests, labels, numbers
        self.seconds: list[float] = []
        self.errors = self.right = 0
        self.going, self.answer = True, b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.number = next(self.numbers) % len(self.requests)
        self.start = perf_counter()
        self.transport.write(self.requests[self.number])

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, found, body = self.answer.partition(END)
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self.seconds.append(perf_counter() - self.start)
        self.answer = b""
        if head.startswith(b"HTTP/1.1 200 "):
            self.right += int(body.partition(BEGIN)[2][:1]) == self.labels[self.number]
        else:
            self.errors += 1
        if self.going:
            self.send()
        else:
            self.done.set_result(None)
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.errors += 1
            self.done.set_result(None)


def bodies(kind: str) -> tuple[list[bytes], np.ndarray]:
    """Requests with test images of MNIST, and their labels; drawn ones lie off the centre and on white."""
    images, labels = (part[:PICTURES] for part in load_part("mnist", "test"))
    if kind == "drawn":
        images = 255 - np.roll(images, (SHIFT, -SHIFT), (1, 2))
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    contents = [json.dumps({"pixels": image.ravel().tolist()}).encode() for image in images]
    return [head.encode() % len(content) + content for content in contents], labels


@contextmanager
def server(weights: tuple[str, ...], threads: int | None) -> Iterator[tuple[int, int]]:
    """A server as a process of its own: (process id, port)."""
    options = ["--threads", str(threads)] if threads else []
    command = [sys.executable, "-m", "fastdigits", "serve", *weights, "--host", HOST, "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = next((line for line in process.stdout if HOST in line), "")
        if not line:
            raise click.ClickException("The server does not start; try 'fastdigits serve' by itself.")
        yield process.pid, int(line.partition(f"{HOST}:")[2].partition(",")[0])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def memory_mib(process: int) -> float:
    """What a process has in memory (Linux), NaN elsewhere."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return float("nan")


def figures(port: int) -> dict[str, float]:
    """The server's own figures."""
    with urlopen(f"http://{HOST}:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


async def load(process: int, port: int, clients: int, seconds: float, kind: str) -> tuple[list[Client], float, list]:
    """Clients that have stopped, the seconds that they took, and the server's memory once a second."""
    requests, labels = bodies(kind)
    loop, numbers = asyncio.get_running_loop(), count()
    start = perf_counter()
    begun = [
        await loop.create_connection(lambda: Client(requests, labels, numbers), HOST, port) for _ in range(clients)
    ]
    memory = []
    while perf_counter() - start < seconds:
        await asyncio.sleep(min(1.0, seconds))
        memory.append(memory_mib(process))
    for _, client in begun:
        client.going = False
    await asyncio.wait_for(asyncio.gather(*(client.done for _, client in begun)), 30)
    return [client for _, client in begun], perf_counter() - start, memory


@click.command()
@click.argument("weights", nargs=-1)
@click.option("--clients", type=click.IntRange(1, 256), default=64, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 120), default=60.0, show_default=True)
@click.option("--kind", type=click.Choice(["mnist", "drawn"]), default="mnist", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of the server.")
def main(weights: tuple[str, ...], clients: int, seconds: float, kind: str, threads: int | None) -> None:
    """Measure a server of WEIGHTS (those that come along if none are given)."""
    with server(weights, threads) as (process, port):
        uvloop.run(load(process, port, clients, WARM_UP_S, kind))
        before, own_before = figures(port), process_time()
        used, took, memory = uvloop.run(load(process, port, clients, seconds, kind))
        own_s, after = process_time() - own_before, figures(port)
    times = np.sort(np.concatenate([client.seconds for client in used])) * 1000
    right, errors = sum(client.right for client in used), sum(client.errors for client in used)
    p50, p99, p999 = np.percentile(times, [50, 99, 99.9])
    click.echo(
        f"{clients} clients, {took:.0f} s, {len(times):,} answers ({right / len(times):.2%} right), {errors} errors"
    )
    done = {name: after[name] - before[name] for name in (SUM, NUMBER, PROCESSOR)}
    click.echo(f"{len(times) / took:,.0f} predictions/s, {done[SUM] / done[NUMBER]:.1f} images read together")
    each = [1e6 * spent / len(times) for spent in (done[PROCESSOR], own_s)]
    click.echo(f"processor time for a prediction: {each[0]:.0f} us of the server, {each[1]:.0f} us of the clients")
    click.echo(f"latency: median {p50:.1f} ms, 99 % {p99:.1f} ms, 99.9 % {p999:.1f} ms, worst {times[-1]:.1f} ms")
    click.echo(f"memory of the server: {memory[0]:.0f} MiB at first, {memory[-1]:.0f} MiB at the end")
    sys.exit(errors > 0)


if __name__ == "__main__":
    main()

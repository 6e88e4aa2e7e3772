"""Load test `fastdigits serve` and print its throughput, latency and memory use.

    python scripts/load_test.py --clients 64 --seconds 60
    python scripts/load_test.py weights.h5 --kind drawn

The script starts a server on a free port of 127.0.0.1 and stops it at the end. Each client sends one picture per
request and waits for the answer before it sends the next. Needs the extra `serve`.
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
PICTURES, SHIFT_PX = 1000, 3
WARM_UP_S = 2.0
IMAGES, BATCHES = "fastdigits_batch_images_sum", "fastdigits_batch_images_count"
CPU_SECONDS = "process_cpu_seconds_total"
DIGIT, END_OF_HEAD = b'"digit":', b"\r\n\r\n"


class Client(asyncio.Protocol):
    """Sends one request after another over one connection while `running`, and records the latency of each."""

    def __init__(self, requests: list[bytes], labels: np.ndarray, numbers: Iterator[int]):
        self.requests, self.labels, self.numbers = requests, labels, numbers
        self.seconds: list[float] = []
        self.errors = self.correct = 0
        self.running, self.answer = True, b""
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
        head, found, body = self.answer.partition(END_OF_HEAD)
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self.seconds.append(perf_counter() - self.start)
        self.answer = b""
        if head.startswith(b"HTTP/1.1 200 "):
            self.correct += int(body.partition(DIGIT)[2][:1]) == self.labels[self.number]
        else:
            self.errors += 1
        if self.running:
            self.send()
        else:
            self.done.set_result(None)
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.errors += 1
            self.done.set_result(None)


def requests(kind: str) -> tuple[list[bytes], np.ndarray]:
    """Return requests with MNIST test images, and their labels; in those "drawn", the ink is black and off centre."""
    images, labels = (part[:PICTURES] for part in load_part("mnist", "test"))
    if kind == "drawn":
        images = 255 - np.roll(images, (SHIFT_PX, -SHIFT_PX), (1, 2))
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    contents = [json.dumps({"pixels": image.ravel().tolist()}).encode() for image in images]
    return [head.encode() % len(content) + content for content in contents], labels


@contextmanager
def server(weights: tuple[str, ...], threads: int | None) -> Iterator[tuple[int, int]]:
    """Start a server in its own process and yield (process id, port)."""
    options = ["--threads", str(threads)] if threads else []
    command = [sys.executable, "-m", "fastdigits", "serve", *weights, "--host", HOST, "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = next((line for line in process.stdout if HOST in line), "")
        if not line:
            raise click.ClickException("The server does not start; run 'fastdigits serve' to see why.")
        yield process.pid, int(line.partition(f"{HOST}:")[2].partition(",")[0])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def memory_mib(process: int) -> float:
    """Return the resident memory of a process; NaN if this is not Linux."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return float("nan")


def metrics(port: int) -> dict[str, float]:
    """Return the metrics that the server reports, by name."""
    with urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


async def load(process: int, port: int, clients: int, seconds: float, kind: str) -> tuple[list[Client], float, list]:
    """Run clients for some seconds and return (clients, seconds taken, the server's memory in MiB each second)."""
    prepared, labels = requests(kind)
    loop, numbers = asyncio.get_running_loop(), count()
    start = perf_counter()
    connections = [
        await loop.create_connection(lambda: Client(prepared, labels, numbers), HOST, port) for _ in range(clients)
    ]
    memory = []
    while perf_counter() - start < seconds:
        await asyncio.sleep(min(1.0, seconds))
        memory.append(memory_mib(process))
    for _, client in connections:
        client.running = False
    await asyncio.wait_for(asyncio.gather(*(client.done for _, client in connections)), 30)
    return [client for _, client in connections], perf_counter() - start, memory


@click.command()
@click.argument("weights", nargs=-1)
@click.option("--clients", type=click.IntRange(1, 256), default=64, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 120), default=60.0, show_default=True)
@click.option("--kind", type=click.Choice(["mnist", "drawn"]), default="mnist", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Threads of the server.")
def main(weights: tuple[str, ...], clients: int, seconds: float, kind: str, threads: int | None) -> None:
    """Load test a server of WEIGHTS, by default the shipped network."""
    with server(weights, threads) as (process, port):
        uvloop.run(load(process, port, clients, WARM_UP_S, kind))
        before, own_before = metrics(port), process_time()
        finished, took, memory = uvloop.run(load(process, port, clients, seconds, kind))
        own_s, after = process_time() - own_before, metrics(port)
    times = np.sort(np.concatenate([client.seconds for client in finished])) * 1000
    correct, errors = sum(client.correct for client in finished), sum(client.errors for client in finished)
    p50, p99, p999 = np.percentile(times, [50, 99, 99.9])
    click.echo(
        f"{clients} clients, {took:.0f} s, {len(times):,} answers ({correct / len(times):.2%} correct), {errors} errors"
    )
    done = {name: after[name] - before[name] for name in (IMAGES, BATCHES, CPU_SECONDS)}
    click.echo(f"{len(times) / took:,.0f} predictions/s, {done[IMAGES] / done[BATCHES]:.1f} images per batch")
    each = [1e6 * spent / len(times) for spent in (done[CPU_SECONDS], own_s)]
    click.echo(f"CPU time per prediction: {each[0]:.0f} us in the server, {each[1]:.0f} us in the clients")
    click.echo(f"latency: median {p50:.1f} ms, 99 % {p99:.1f} ms, 99.9 % {p999:.1f} ms, worst {times[-1]:.1f} ms")
    click.echo(f"memory of the server: {memory[0]:.0f} MiB at the start, {memory[-1]:.0f} MiB at the end")
    sys.exit(errors > 0)


if __name__ == "__main__":
    main()

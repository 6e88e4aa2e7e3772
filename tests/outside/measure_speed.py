"""Measure the time of GELU from outside of the package and of the built-in one: the operations alone, and in a step."""

import sys
from pathlib import Path
from time import process_time

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from rectifiers.layers import GELU_BACKWARD, GELU_FORWARD, OutsideGELU

from fastdigits import GELU, Dense, Flatten, Sequential, ops


def best_us(function, repeats: int, count: int = 20) -> float:
    """Return the smallest processor time of a call, in microseconds; other programs disturb it less than the clock."""
    times = []
    for _ in range(repeats):
        start = process_time()
        for _ in range(count):
            function()
        times.append((process_time() - start) / count)
    return 1e6 * min(times)


def main() -> None:
    """Print both times and their quotient."""
    cpu = ops.load("cpu", threads=1)
    x = np.random.default_rng(0).normal(size=(16 * 26 * 26 * 16, cpu.lanes)).astype(np.float32)
    y, dy, dx = np.empty_like(x), x[::-1].copy(), np.empty_like(x)
    calls = {
        "gelu_forward": (lambda: cpu.gelu_forward(x, y), lambda: GELU_FORWARD.on(cpu)(x, y)),
        "gelu_backward": (lambda: cpu.gelu_backward(x, dy, dx), lambda: GELU_BACKWARD.on(cpu)(x, dy, dx)),
    }
    images = np.random.default_rng(0).integers(0, 256, (2560, 28, 28), np.uint8)
    labels = np.arange(2560, dtype=np.uint8) % 10
    for name, functions in calls.items():
        for function in functions:
            function()
        rounds = [[best_us(function, 3) for function in functions] for _ in range(5)]
        ours, theirs = np.min(rounds, axis=0)
        print(f"{name}: built-in {ours:.0f} us, outside {theirs:.0f} us, speed {ours / theirs:.1%}")
    seconds = {}
    for layer in (GELU, OutsideGELU) * 3:
        model = Sequential([Flatten(), Dense(256), layer(), Dense(256), layer(), Dense(10)], device="cpu")
        history = model.fit(images, labels, epochs=6, validation=0, verbose=0)
        seconds.setdefault(layer.__name__, []).extend(history["seconds"][2:])
    ours, theirs = (min(times) for times in seconds.values())
    print(f"epoch of 2,560 images: built-in {ours:.3f} s, outside {theirs:.3f} s, speed {ours / theirs:.1%}")


if __name__ == "__main__":
    main()

"""Run kernels in several Python threads at once, with all cores and with one, and print what happened as JSON.

Numba's threading layer is that of the environment. No temporary folder can be used.
"""

import hashlib
import json
import tempfile
import threading

THREADS, CALLS = 4, 30


def no_folder() -> str:
    raise FileNotFoundError("No usable temporary directory found")


tempfile._get_default_tempdir = no_folder


def main() -> None:
    from fastdigits import ops
    from fastdigits.doctor import cpu
    from fastdigits.ops.runtime import pool

    all_cores, one_core = ops.load("cpu"), ops.load("cpu", threads=1)
    import numba
    import numpy as np

    x = np.linspace(-3, 3, 300 * all_cores.lanes, dtype=np.float32).reshape(-1, all_cores.lanes)
    expected = np.maximum(x, 0)
    start, right, counts = threading.Barrier(THREADS), [], set()

    def run() -> None:
        start.wait()
        for call in range(CALLS):
            own = (all_cores, one_core)[call % 2]
            y = np.empty_like(x)
            own.relu_forward(x, y)
            right.append(np.array_equal(y, expected))
            counts.add((own.threads, numba.get_num_threads()))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = cpu.threading_layer()
    print(
        json.dumps(
            {
                "layer": pool.layer(),
                "doctor": found.value,
                "right": sum(right),
                "counts": sorted(counts),
                "cores": all_cores.threads,
                "bits": hashlib.sha256(trained_weights()).hexdigest(),
            }
        )
    )


def trained_weights() -> bytes:
    """The parameters of a small network after an epoch."""
    import numpy as np

    from fastdigits import Dense, Flatten, ReLU, Sequential

    model = Sequential([Flatten(), Dense(16), ReLU(), Dense(10)], device="cpu")
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (500, 28, 28), np.uint8)
    model.fit(images, generator.integers(0, 10, 500, np.uint8), epochs=1, seed=1)
    return b"".join(value.tobytes() for _, value in sorted(model.network.weights().items()))


if __name__ == "__main__":
    main()

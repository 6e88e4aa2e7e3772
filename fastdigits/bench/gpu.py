"""The GPU: its name, and the most that its cores and its memory can do, measured."""

from dataclasses import dataclass

from fastdigits.bench.machine import shortest

WARPS, REPEATS = 2**14, 2**13  # more warps than any GPU runs at once; some ten milliseconds
VECTORS = 2**22  # 512 MiB in each of three arrays: far more than a GPU's caches hold
RUNS = 10


@dataclass(frozen=True)
class Gpu:
    """What was measured on, and its measured rates."""

    name: str
    compute_capability: str
    memory_bytes: int
    driver_cuda: str
    peak_flops: float
    bytes_per_second: float


def measure() -> Gpu:
    """The facts of the first GPU; takes some seconds where the kernels must be compiled."""
    from fastdigits.ops.cuda import driver

    here = driver.examine()
    device = here.devices[0]
    return Gpu(
        name=device.name,
        compute_capability=".".join(map(str, device.capability)),
        memory_bytes=device.memory_bytes,
        driver_cuda=".".join(map(str, here.cuda)),
        peak_flops=peak_flops(),
        bytes_per_second=bytes_per_second(),
    )


def peak_flops(warps: int = WARPS, repeats: int = REPEATS) -> float:
    """Floating-point operations per second of multiply-adds on registers: the best run, for it is a bound."""
    from fastdigits.ops.peak import cuda

    work, flops = cuda.multiply_adds_work(warps, repeats)
    return flops / shortest(work, RUNS)


def bytes_per_second(vectors: int = VECTORS) -> float:
    """Bytes read and written per second by a = b + 3 c on arrays in the GPU's memory: the best run."""
    from fastdigits.ops.peak import cuda

    work, moved_bytes = cuda.triad_work(vectors)
    return moved_bytes / shortest(work, RUNS)

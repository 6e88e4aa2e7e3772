"""Name the GPU and measure its peak arithmetic rate and memory bandwidth."""

from dataclasses import dataclass

from fastdigits.bench.machine import shortest

WARPS, REPEATS = 2**14, 2**13  # more warps than any GPU can hold at once; about ten milliseconds
VECTORS = 2**22  # 512 MiB in each of three arrays: far more than the caches of a GPU
RUNS = 10


@dataclass(frozen=True)
class Gpu:
    """A GPU and its measured rates."""

    name: str
    compute_capability: str
    memory_bytes: int
    driver_cuda: str
    peak_flops: float
    bytes_per_second: float


def measure() -> Gpu:
    """Describe and measure the first GPU; this takes a few seconds if the kernels must be compiled."""
    from fastdigits.ops.cuda import driver

    found = driver.examine()
    device = found.devices[0]
    return Gpu(
        name=device.name,
        compute_capability=".".join(map(str, device.capability)),
        memory_bytes=device.memory_bytes,
        driver_cuda=".".join(map(str, found.cuda)),
        peak_flops=peak_flops(),
        bytes_per_second=bytes_per_second(),
    )


def peak_flops(warps: int = WARPS, repeats: int = REPEATS) -> float:
    """Return the floating-point operations per second of multiply-adds on registers, in the fastest run."""
    from fastdigits.ops.peak import cuda

    work, flops = cuda.multiply_adds_work(warps, repeats)
    return flops / shortest(work, RUNS)


def bytes_per_second(vectors: int = VECTORS) -> float:
    """Return the bytes read and written per second by a = b + 3 c in the GPU's memory, in the fastest run."""
    from fastdigits.ops.peak import cuda

    work, moved_bytes = cuda.triad_work(vectors)
    return moved_bytes / shortest(work, RUNS)

"""Kernels compiled to PTX, the assembly that the driver of every newer GPU translates for itself."""

import hashlib
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba import config, cuda
from numba.cuda import types as numba_types

MIN_RESIDENT_THREADS = 512  # threads that a processor must have room for: with its 65,536 registers, 128 for each

Capability = tuple[int, int]


def compile_kernel(function: Callable, types: tuple[Any, ...], threads: int, capability: Capability) -> str:
    """The PTX of a kernel for arguments of these numba types and blocks of so many threads."""
    bounds = threads, MIN_RESIDENT_THREADS // threads
    signature = numba_types.void(*types)
    ptx, _ = cuda.compile_ptx(function, signature, cc=capability, device=False, launch_bounds=bounds)
    return ptx


def cached(function: Callable, types: tuple[Any, ...], threads: int, capability: Capability) -> Path:
    """The file with `compile_kernel`'s PTX in numba's cache folder, whose name is that of these sources' hash."""
    constants = [cell.cell_contents for cell in function.__closure__ or ()]
    numbers = [value for value in constants if not callable(value)]
    identity = function.__module__, function.__qualname__, numbers, types, threads, capability, version("numba-cuda")
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    path = Path(config.CACHE_DIR) / f"{function.__name__}-{digest}.ptx"
    if not path.exists():
        written = path.with_suffix(f".{os.getpid()}")
        written.write_text(compile_kernel(function, types, threads, capability))
        written.replace(path)
    return path

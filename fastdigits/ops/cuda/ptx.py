"""Compile kernels to PTX, the assembly language that the driver translates for its GPU."""

import hashlib
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from threading import get_ident
from typing import Any

from numba import config, cuda
from numba.cuda import types as numba_types

MIN_RESIDENT_THREADS = 512  # threads that a multiprocessor must have room for; with 65,536 registers, 128 for each

Capability = tuple[int, int]


def compile_kernel(function: Callable, types: tuple[Any, ...], threads: int, capability: Capability) -> str:
    """Return the PTX of a kernel, for the Numba types of its arguments and a number of threads per block."""
    bounds = threads, MIN_RESIDENT_THREADS // threads
    signature = numba_types.void(*types)
    ptx, _ = cuda.compile_ptx(function, signature, cc=capability, device=False, launch_bounds=bounds)
    return ptx


def cached(function: Callable, types: tuple[Any, ...], threads: int, capability: Capability) -> Path:
    """Return the file in the kernel cache with the PTX of a kernel; compile it if it does not exist."""
    constants = [cell.cell_contents for cell in function.__closure__ or ()]
    numbers = [value for value in constants if not callable(value)]
    identity = function.__module__, function.__qualname__, numbers, types, threads, capability, version("numba-cuda")
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    settings: Any = config  # Numba sets its attributes at run time
    path = Path(settings.CACHE_DIR) / f"{function.__name__}-{digest}.ptx"
    if not path.exists():
        written = path.with_suffix(f".{os.getpid()}-{get_ident()}")
        try:
            written.write_text(compile_kernel(function, types, threads, capability))
            written.replace(path)
        finally:
            written.unlink(missing_ok=True)  # of an incomplete file
    return path

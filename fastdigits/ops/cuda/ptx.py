"""Compile kernels to PTX, the assembly language that the driver translates for its GPU."""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba import cuda
from numba.cuda import types as numba_types

from fastdigits.ops.runtime import kernel_cache

MIN_RESIDENT_THREADS = 512  # threads that a multiprocessor must have room for; with 65,536 registers, 128 for each
CHECKSUM = "\n// SHA-256 "
EMPTY_PROGRAM = """
target triple = "nvptx64-nvidia-cuda"
target datalayout = "e-p:64:64:64-i1:8:8-i8:8:8-i16:16:16-i32:32:32-i64:64:64-i128:128:128-f32:32:32-f64:64:64-\
v16:16:16-v32:32:32-v64:64:64-v128:128:128-n16:32:64"
!nvvmir.version = !{{!0}}
!0 = !{{i32 {}, i32 {}, i32 {}, i32 {}}}
"""

Capability = tuple[int, int]


def compile_kernel(function: Callable, types: tuple[Any, ...], threads: int, capability: Capability) -> str:
    """Return the PTX of a kernel, for the Numba types of its arguments and a number of threads per block."""
    threads = 1 << (threads - 1).bit_length()  # 384 threads may have no more registers each than 512
    bounds = threads, MIN_RESIDENT_THREADS // threads
    signature = numba_types.void(*types)
    ptx, _ = cuda.compile_ptx(function, signature, cc=capability, device=False, launch_bounds=bounds)
    return ptx


def cached(function: Callable, types: tuple[Any, ...], threads: int, capability: Capability) -> Path:
    """Return a file with the PTX of a kernel: that in the kernel cache, or a new one if it is missing or damaged."""
    constants = [cell.cell_contents for cell in function.__closure__ or ()]
    numbers = [value for value in constants if not callable(value)]
    versions = kernel_cache.own_sources_hash(), version("numba-cuda"), nvvm_release()
    identity = function.__module__, function.__qualname__, numbers, types, threads, capability, *versions
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    name = f"{function.__name__}-{digest}.ptx"
    path = (kernel_cache.folder() or _temporary_folder()) / name
    if _is_intact(path):
        return path
    content = with_checksum(compile_kernel(function, types, threads, capability))
    try:
        kernel_cache.write(path, content)
    except OSError:  # the cache cannot be written
        path = _temporary_folder() / name
        path.write_bytes(content)
    return path


@cache
def nvvm_release() -> str:
    """Return the PTX that NVVM makes of a program without kernels, which names its release and the version of its PTX.

    The library has no function that returns them. A driver loads PTX up to the version that it was made for.
    """
    from cuda.bindings import nvvm

    program = nvvm.create_program()
    text = EMPTY_PROGRAM.format(*nvvm.ir_version()).encode()
    nvvm.add_module_to_program(program, text, len(text), "empty")
    nvvm.compile_program(program, 0, [])
    content = bytearray(nvvm.get_compiled_result_size(program))
    nvvm.get_compiled_result(program, content)
    nvvm.destroy_program(program)
    return content.decode()


def with_checksum(ptx: str) -> bytes:
    """Return PTX with its SHA-256 in a comment at the end."""
    return f"{ptx}{CHECKSUM}{hashlib.sha256(ptx.encode()).hexdigest()}\n".encode()


def _is_intact(path: Path) -> bool:
    """Return whether a file exists and ends with the checksum of the rest."""
    with suppress(OSError, UnicodeDecodeError):
        content = path.read_bytes()
        return with_checksum(content.decode().rpartition(CHECKSUM)[0]) == content
    return False


@cache
def _temporary_folder() -> Path:
    """Create a folder that is removed at exit."""
    path = tempfile.mkdtemp(prefix="fastdigits-kernels-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)

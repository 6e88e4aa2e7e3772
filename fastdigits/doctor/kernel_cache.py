"""Examine the cache of compiled kernels."""

import os
import shutil
from pathlib import Path

from fastdigits.ops.runtime import kernel_cache
from fastdigits.ops.runtime.diagnosis import Finding, first_line

MIN_FREE_BYTES = 50_000_000  # the kernels of a network take a few million bytes


def kernel_folder() -> list[Finding]:
    """Return the cache folder, its content, and the folders of other versions."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    try:
        path = kernel_cache.create_folder()
    except OSError as error:
        return [*_read_only(given, error), *_other_cpus(given)]
    return [_folder(path, given), _content(path), *_other_cpus(given), *_others()]


def _read_only(given: str | None, error: OSError) -> list[Finding]:
    """Return what is in a folder that cannot be written, which is a problem only if no kernels are in it."""
    folder = kernel_cache.current()
    if folder and folder.kernels:
        return [Finding("folder", f"{folder.path}, which cannot be written"), _content(folder.path)]
    problem = f"compiled kernels cannot be cached ({first_line(error)}), so every command compiles them again"
    variable = "NUMBA_CACHE_DIR" if given else "XDG_CACHE_HOME"
    return [Finding("folder", given or "none", problem, f"export {variable}=/a/folder/of/yours")]


def _folder(path: Path, given: str | None) -> Finding:
    free = shutil.disk_usage(path).free
    value = f"{path}{', set by NUMBA_CACHE_DIR' if given else ''}"
    if free < MIN_FREE_BYTES:
        return Finding("folder", value, f"only {_megabytes(free)} are free for the kernel cache", "free some space")
    return Finding("folder", value)


def _content(path: Path) -> Finding:
    folder = kernel_cache.examine(path)
    if not folder.kernels:
        return Finding("kernels", "none yet", None, "fastdigits warmup")
    return Finding("kernels", f"{folder.kernels}, {_megabytes(folder.size_bytes)}")


def _other_cpus(given: str | None) -> list[Finding]:
    """Say that there are kernels for other kinds of CPU, such as that of the machine that built an image."""
    try:
        folders = [] if given else [folder for folder in kernel_cache.of_other_cpus() if folder.kernels]
    except RuntimeError:  # no home folder
        return []
    if not folders:
        return []
    count = sum(folder.kernels for folder in folders)
    return [Finding("other CPUs", f"{count} kernels for another kind of CPU, which this one cannot use")]


def _others() -> list[Finding]:
    others = kernel_cache.outdated()
    if not others:
        return []
    size = _megabytes(sum(folder.size_bytes for folder in others))
    return [Finding("other versions", f"{len(others)} folders, {size}", None, "fastdigits doctor --clean")]


def _megabytes(size_bytes: int) -> str:
    """Format a size."""
    return f"{size_bytes / 1e6:.1f} MB"

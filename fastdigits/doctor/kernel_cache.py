"""The folder of compiled kernels."""

import os
import shutil
from pathlib import Path

from fastdigits.ops.runtime import kernel_cache
from fastdigits.ops.runtime.diagnosis import Part, first_line

MIN_FREE_BYTES = 50_000_000  # the kernels of a network take a few millions


def kernel_folder() -> list[Part]:
    """The folder, what is in it, and what other versions have left."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    try:
        path = Path(given) if given else kernel_cache.make_folder()
        path.mkdir(parents=True, exist_ok=True)
        with kernel_cache.locked(path):
            pass
    except (OSError, RuntimeError, NotImplementedError) as error:
        problem = f"compiled kernels cannot be kept ({first_line(error)}), so every command compiles anew"
        variable = "NUMBA_CACHE_DIR" if given else "XDG_CACHE_HOME"
        return [Part("folder", given or "none", problem, f"export {variable}=/a/folder/of/yours")]
    return [_folder(path, given), _content(path), *_others()]


def _folder(path: Path, given: str | None) -> Part:
    free = shutil.disk_usage(path).free
    value = f"{path}{', as NUMBA_CACHE_DIR says' if given else ''}"
    if free < MIN_FREE_BYTES:
        return Part("folder", value, f"only {megabytes(free)} are free where kernels are kept", "free some space")
    return Part("folder", value)


def _content(path: Path) -> Part:
    folder = kernel_cache.examine(path)
    if not folder.kernels:
        return Part("kernels", "none yet", None, "fastdigits warmup")
    return Part("kernels", f"{folder.kernels}, {megabytes(folder.size_bytes)}")


def _others() -> list[Part]:
    others = kernel_cache.of_other_versions()
    if not others:
        return []
    size = megabytes(sum(folder.size_bytes for folder in others))
    return [Part("other versions", f"{len(others)} folders, {size}", None, "fastdigits doctor --clean")]


def megabytes(size_bytes: int) -> str:
    """A size in words."""
    return f"{size_bytes / 1e6:.1f} MB"

"""Examine the libraries of the CUDA toolkit that compile kernels: their paths, and whether their versions match."""

import json
import os
import re
from contextlib import suppress
from ctypes import CDLL, byref, c_int
from pathlib import Path

from fastdigits.ops.cuda.driver import Driver
from fastdigits.ops.cuda.packages import install, numbers, version, wanted_cuda
from fastdigits.ops.runtime.diagnosis import Finding, first_line

# The packages that contain each library, for CUDA 13 and 12
LIBRARIES = {
    "nvvm": ("nvidia-nvvm", "nvidia-cuda-nvcc-cu12"),
    "nvrtc": ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12"),
    "nvJitLink": ("nvidia-nvjitlink", "nvidia-nvjitlink-cu12"),
    "cudart": ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12"),
}

SYSTEM_TOOLKIT = "/usr/local/cuda"

Version = tuple[int, int]


def findings(driver: Driver | None) -> list[Finding]:
    """Examine each library of the toolkit."""
    try:
        from cuda import pathfinder
    except Exception as error:  # a broken package can raise anything
        problem = f"cuda-pathfinder cannot be imported ({first_line(error)})"
        return [Finding("toolkit", "not examined", problem, install(wanted_cuda(driver)))]
    found: list[Finding] = []
    versions: dict[str, Version | None] = {}
    for name in LIBRARIES:
        try:
            path = pathfinder.load_nvidia_dynamic_lib(name).abs_path
            own = versions[name] = version_of(name, path)
            number = ".".join(map(str, own)) if own else "unknown version"
            found.append(Finding(name, f"{number}, {path}", *_misfit(name, versions, driver)))
            if name == "nvvm":
                found += _libdevice_findings(path)
        except Exception as error:
            problem = f"the toolkit's {name} cannot be loaded ({first_line(error)})"
            found.append(Finding(name, "not found", problem, install(wanted_cuda(driver))))
    return found


def _libdevice_findings(nvvm: str) -> list[Finding]:
    """Examine the library of mathematical functions that belongs to nvvm, unless both are of one package.

    numba-cuda looks for it in the folder CUDA_HOME or else in /usr/local/cuda, also if nvvm is elsewhere.
    """
    if "site-packages" in nvvm or "CONDA_PREFIX" in os.environ:
        return []
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or SYSTEM_TOOLKIT
    path = Path(home) / "nvvm" / "libdevice" / "libdevice.10.bc"
    if path.exists():
        return [Finding("libdevice", str(path))]
    remedy = f"export CUDA_HOME={Path(nvvm).resolve().parents[2]}"
    return [Finding("libdevice", "not found", f"the toolkit's libdevice is not found in {home}", remedy)]


def version_of(name: str, path: str) -> Version | None:
    """Return the version of the toolkit that a library belongs to; None if it is unknown."""
    library, major, minor = CDLL(path), c_int(), c_int()
    if name in ("nvrtc", "nvJitLink") and getattr(library, f"{name}Version")(byref(major), byref(minor)) == 0:
        return major.value, minor.value
    if name == "cudart" and library.cudaRuntimeGetVersion(byref(major)) == 0:
        return major.value // 1000, major.value % 1000 // 10
    return _version_by_path(name, path)


def _version_by_path(name: str, path: str) -> Version | None:
    """Return the version of the package or folder of a library. nvvm has no function that returns it."""
    if "site-packages" in path:
        found = version(LIBRARIES[name]["cu13" not in path])
        return numbers(found) if found else None
    for folder in Path(path).resolve().parents:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            return numbers(json.loads((folder / "version.json").read_text())["cuda"]["version"])
        if named := re.fullmatch(r"cuda-(\d+)\.(\d+)", folder.name):
            return int(named[1]), int(named[2])
    return None


def _misfit(name: str, versions: dict[str, Version | None], driver: Driver | None) -> tuple[str | None, str | None]:
    """Return why a library does not match the driver or the libraries before it, and the command that fixes it."""
    own, command = versions[name], install(wanted_cuda(driver))
    if not own:
        return None, None
    if driver and (reason := driver.why_not(own[0])):
        return f"{name} is for CUDA {own[0]}, but {reason}", command
    if driver and name == "nvvm" and own > driver.cuda:
        older, newer = (".".join(map(str, pair)) for pair in (driver.cuda, own))
        return (
            f"nvvm {newer} generates PTX that a driver for CUDA {older} cannot load",
            f"pip install cuda-toolkit=={older}.*",
        )
    for other, theirs in versions.items():
        if theirs and theirs[0] != own[0]:
            return f"{name} is for CUDA {own[0]}, but {other} is for CUDA {theirs[0]}", command
        if theirs and name == "nvJitLink" and theirs > own:
            older, newer = (".".join(map(str, pair)) for pair in (own, theirs))
            return f"nvJitLink {older} cannot link the output of {other} {newer}", command
    return None, None

"""The parts of NVIDIA's toolkit that compile kernels: where they lie, their versions, and whether these suit."""

import json
import re
from contextlib import suppress
from ctypes import CDLL, byref, c_int
from pathlib import Path

from fastdigits.ops.cuda.driver import Driver
from fastdigits.ops.cuda.packages import install, numbers, version, wanted_cuda
from fastdigits.ops.runtime.diagnosis import Part, first_line

# The packages that bring each library, for CUDA 13 and 12
LIBRARIES = {
    "nvvm": ("nvidia-nvvm", "nvidia-cuda-nvcc-cu12"),
    "nvrtc": ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12"),
    "nvJitLink": ("nvidia-nvjitlink", "nvidia-nvjitlink-cu12"),
    "cudart": ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12"),
}

Version = tuple[int, int]


def parts(driver: Driver | None) -> list[Part]:
    """Each part of the toolkit; `driver` where there is one."""
    try:
        from cuda import pathfinder
    except Exception as error:  # whatever a broken package raises
        problem = f"cuda-pathfinder cannot be imported ({first_line(error)})"
        return [Part("toolkit", "not looked for", problem, install(wanted_cuda(driver)))]
    found, versions = [], {}
    for name in LIBRARIES:
        try:
            path = pathfinder.load_nvidia_dynamic_lib(name).abs_path
            versions[name] = version_of(name, path)
            number = ".".join(map(str, versions[name])) if versions[name] else "unknown version"
            found.append(Part(name, f"{number}, {path}", *_misfit(name, versions, driver)))
        except Exception as error:
            problem = f"the toolkit's {name} cannot be loaded ({first_line(error)})"
            found.append(Part(name, "not found", problem, install(wanted_cuda(driver))))
    return found


def version_of(name: str, path: str) -> Version | None:
    """The version of the toolkit that a library is from; None where nothing tells."""
    library, major, minor = CDLL(path), c_int(), c_int()
    if name in ("nvrtc", "nvJitLink") and getattr(library, f"{name}Version")(byref(major), byref(minor)) == 0:
        return major.value, minor.value
    if name == "cudart" and library.cudaRuntimeGetVersion(byref(major)) == 0:
        return major.value // 1000, major.value % 1000 // 10
    return _version_by_place(name, path)


def _version_by_place(name: str, path: str) -> Version | None:
    """That of the package or the toolkit's folder that a library lies in: nvvm itself tells its language's only."""
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
    """(what is wrong with a part beside those before it and the driver, the command that mends it)."""
    own, command = versions[name], install(wanted_cuda(driver))
    if not own:
        return None, None
    if driver and (reason := driver.why_not(own[0])):
        return f"{name} is of CUDA {own[0]}, but {reason}", command
    if driver and name == "nvvm" and own > driver.cuda:
        older, newer = (".".join(map(str, pair)) for pair in (driver.cuda, own))
        return (
            f"nvvm {newer} makes PTX that a driver for CUDA {older} cannot read",
            f"pip install cuda-toolkit=={older}.*",
        )
    for other, theirs in versions.items():
        if theirs and theirs[0] != own[0]:
            return f"{name} is of CUDA {own[0]}, but {other} of CUDA {theirs[0]}", command
        if theirs and name == "nvJitLink" and theirs > own:
            older, newer = (".".join(map(str, pair)) for pair in (own, theirs))
            return f"nvJitLink {older} cannot link what {other} {newer} makes", command
    return None, None

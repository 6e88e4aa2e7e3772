"""Examine Python and the packages that fastdigits needs, and whether their versions are compatible."""

import importlib.metadata
import platform
import sys

from fastdigits import __version__
from fastdigits.ops.cuda.packages import CUPY, version
from fastdigits.ops.runtime.diagnosis import Finding

NEEDED = ("numba", "llvmlite", "numpy", "scipy", "h5py", "pillow", "click", "rich", "matplotlib", "jinja2", "filelock")
FOR_CUDA = ("numba-cuda", "cuda-core", "cuda-bindings", *CUPY)


def versions() -> list[Finding]:
    """Return the versions of Python and of the packages that fastdigits imports."""
    python = f"{platform.python_version()}, {sys.executable}"
    found = [Finding("fastdigits", __version__), Finding("Python", python)]
    for package in NEEDED:
        number = version(package)
        missing = None if number else f"{package} is not installed"
        found.append(Finding(package, number or "not installed", missing, missing and f"pip install {package}"))
    return found


def conflicts() -> list[Finding]:
    """Return a finding for each installed version that another package's requirements exclude."""
    from packaging.requirements import Requirement

    found = []
    for package in filter(version, (*NEEDED, *FOR_CUDA)):
        for line in importlib.metadata.requires(package) or []:
            requirement = Requirement(line)
            installed = version(requirement.name)
            applies = not requirement.marker or requirement.marker.evaluate({"extra": ""})
            if installed and applies and not requirement.specifier.contains(installed, prereleases=True):
                needs = f"{requirement.name}{requirement.specifier}"
                problem = f"{package} {version(package)} needs {needs}"
                found.append(Finding(requirement.name, installed, problem, f"pip install '{needs}'"))
    return found

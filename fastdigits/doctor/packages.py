"""Python and the packages that fastdigits needs, and whether their versions go together."""

import importlib.metadata
import platform
import sys

from fastdigits import __version__
from fastdigits.ops.cuda.packages import CUPY, version
from fastdigits.ops.runtime.diagnosis import Part

NEEDED = ("numba", "llvmlite", "numpy", "scipy", "h5py", "pillow", "click", "rich", "matplotlib", "jinja2", "filelock")
FOR_CUDA = ("numba-cuda", "cuda-core", "cuda-bindings", *CUPY)


def versions() -> list[Part]:
    """Of Python and of what fastdigits imports."""
    python = f"{platform.python_version()}, {sys.executable}"
    found = [Part("fastdigits", __version__), Part("Python", python)]
    for package in NEEDED:
        number = version(package)
        missing = None if number else f"{package} is not installed"
        found.append(Part(package, number or "not installed", missing, missing and f"pip install {package}"))
    return found


def conflicts() -> list[Part]:
    """A part for each version that an installed package does not go together with."""
    from packaging.requirements import Requirement

    found = []
    for package in filter(version, (*NEEDED, *FOR_CUDA)):
        for line in importlib.metadata.requires(package) or []:
            requirement = Requirement(line)
            there = version(requirement.name)
            wanted = there and (not requirement.marker or requirement.marker.evaluate({"extra": ""}))
            if wanted and not requirement.specifier.contains(there, prereleases=True):
                needs = f"{requirement.name}{requirement.specifier}"
                problem = f"{package} {version(package)} needs {needs}"
                found.append(Part(requirement.name, there, problem, f"pip install '{needs}'"))
    return found

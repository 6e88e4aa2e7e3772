"""Examine the Python packages that CUDA needs: whether they are compatible with each other and the driver."""

import importlib.metadata
import re
import shlex
import sys

from fastdigits.ops.cuda.driver import Driver
from fastdigits.ops.runtime.diagnosis import Finding

# What pip must install for each version of CUDA, as in the extras of setup.cfg. The toolkit is an old one, because a
# driver cannot load PTX from a toolkit that is newer than itself.
WANTED = {
    12: ("cupy-cuda12x", "numba-cuda[cu12] >= 0.30, < 0.32", "numpy < 2.5", "cuda-toolkit == 12.2.*"),
    13: (
        "cupy-cuda13x",
        "numba-cuda[cu13] >= 0.30, < 0.32",
        "numpy < 2.5",
        "cuda-toolkit == 13.0.*",
        "nvidia-nvjitlink == 13.0.*",
    ),
}
MIN_NUMBA_CUDA = 0, 30
CUPY = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-5-0", "cupy-rocm-7-0")


def version(package: str) -> str | None:
    """Return the version of an installed package without importing it; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def install(cuda: int) -> str:
    """Return the command that installs all packages for CUDA 12 or 13."""
    return shlex.join(["pip", "install", *(name.replace(" ", "") for name in WANTED[cuda])])


def wanted_cuda(driver: Driver | None) -> int:
    """Return the newest CUDA version that runs here; if no driver is found, that of the installed CuPy."""
    if driver:
        return max((cuda for cuda in WANTED if not driver.why_not(cuda)), default=min(WANTED))
    return next((cuda for cuda in WANTED if version(f"cupy-cuda{cuda}x")), max(WANTED))


def numbers(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version such as 13.0.88."""
    major, minor = re.findall(r"\d+", version)[:2]
    return int(major), int(minor)


def findings(driver: Driver | None) -> list[Finding]:
    """Examine CuPy, numba-cuda and its bindings."""
    return [_cupy(driver), _numba_cuda(driver), _bindings(driver)]


def _cupy(driver: Driver | None) -> Finding:
    found = [name for name in CUPY if version(name)]
    command = install(wanted_cuda(driver))
    if not found:
        return Finding("CuPy", "not installed", "CuPy is not installed", command)
    value = ", ".join(f"{name} {version(name)}" for name in found)
    if len(found) > 1:
        uninstall = f"pip uninstall {' '.join(found)}"
        return Finding("CuPy", value, f"several builds of CuPy are installed, {value}", f"{uninstall}, then: {command}")
    return Finding("CuPy", value, *_misfit(found[0], _cuda_of(found[0]), driver))


def _numba_cuda(driver: Driver | None) -> Finding:
    found = version("numba-cuda")
    if not found:
        return Finding("numba-cuda", "not installed", "numba-cuda is not installed", install(wanted_cuda(driver)))
    if "_numba_cuda_redirector" not in sys.modules:  # imported by a .pth file when Python starts
        problem = "numba-cuda does not replace Numba's built-in CUDA, as its .pth file is ignored on PYTHONPATH"
        return Finding("numba-cuda", found, problem, "import _numba_cuda_redirector in that folder's sitecustomize.py")
    if numbers(found) < MIN_NUMBA_CUDA:
        oldest = ".".join(map(str, MIN_NUMBA_CUDA))
        problem = f"numba-cuda {found} is too old; {oldest} or newer is required"
        return Finding("numba-cuda", found, problem, install(wanted_cuda(driver)))
    if numbers(found) < (0, 31) and _lacks_row_stack():
        return Finding("numba-cuda", found, f"numba-cuda {found} needs NumPy below 2.5", "pip install 'numpy<2.5'")
    return Finding("numba-cuda", found)


def _bindings(driver: Driver | None) -> Finding:
    found = version("cuda-bindings")
    if not found:
        return Finding("cuda-bindings", "not installed", "cuda-bindings is not installed", install(wanted_cuda(driver)))
    cuda = numbers(found)[0]
    problem, remedy = _misfit("cuda-bindings", cuda, driver)
    cupy = next((name for name in CUPY if version(name)), None)
    if not problem and cupy and _cuda_of(cupy) not in (None, cuda):
        problem = f"cuda-bindings {found} is for another CUDA than {cupy}"
        cuda_of_cupy = _cuda_of(cupy)
        remedy = install(cuda_of_cupy if cuda_of_cupy in WANTED else wanted_cuda(driver))
    return Finding("cuda-bindings", found, problem, remedy)


def _cuda_of(cupy: str) -> int | None:
    """Return the CUDA version of a build of CuPy, such as 12 for cupy-cuda12x; None if its name does not tell."""
    digits = cupy.partition("-cuda")[2].removesuffix("x")
    return int(digits) if digits else None


def _misfit(package: str, cuda: int | None, driver: Driver | None) -> tuple[str | None, str | None]:
    """Return why a package does not run with the driver and its devices, and the command that fixes it."""
    reason = driver.why_not(cuda) if driver and cuda else None
    if not reason:
        return None, None
    return (
        f"{package} is for CUDA {cuda}, but {reason}",
        f"pip uninstall {package}, then: {install(wanted_cuda(driver))}",
    )


def _lacks_row_stack() -> bool:
    import numpy

    return not hasattr(numpy, "row_stack")

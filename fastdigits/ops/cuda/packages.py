"""The Python packages that CUDA needs, and whether they suit each other and the driver."""

import importlib.metadata
import re
import shlex
import sys

from fastdigits.ops.cuda.driver import Driver
from fastdigits.ops.runtime.diagnosis import Part

# What pip must install for each version of CUDA; the same as the extras of setup.cfg. A driver reads the PTX of no
# newer toolkit than itself, so the toolkit is an old one.
WANTED = {
    12: ("cupy-cuda12x", "numba-cuda[cu12]", "numpy < 2.5", "cuda-toolkit == 12.2.*"),
    13: (
        "cupy-cuda13x",
        "numba-cuda[cu13]",
        "numpy < 2.5",
        "cuda-toolkit == 13.0.*",
        "nvidia-nvjitlink == 13.0.*",
    ),
}
CUPY = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-5-0", "cupy-rocm-7-0")


def version(package: str) -> str | None:
    """The version of an installed package; the package itself stays as it is."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def install(cuda: int) -> str:
    """The command that installs all packages for CUDA 12 or 13."""
    return shlex.join(["pip", "install", *(name.replace(" ", "") for name in WANTED[cuda])])


def wanted_cuda(driver: Driver | None) -> int:
    """The newest CUDA that runs here, or, where that is unknown, that of the installed CuPy."""
    if driver:
        return max((cuda for cuda in WANTED if not driver.why_not(cuda)), default=min(WANTED))
    return next((cuda for cuda in WANTED if version(f"cupy-cuda{cuda}x")), max(WANTED))


def parts(driver: Driver | None) -> list[Part]:
    """CuPy, numba-cuda and its bindings; `driver` where there is one."""
    return [_cupy(driver), _numba_cuda(driver), _bindings(driver)]


def _cupy(driver: Driver | None) -> Part:
    found = [name for name in CUPY if version(name)]
    command = install(wanted_cuda(driver))
    if not found:
        return Part("CuPy", "not installed", "CuPy is not installed", command)
    value = ", ".join(f"{name} {version(name)}" for name in found)
    if len(found) > 1:
        uninstall = f"pip uninstall {' '.join(found)}"
        return Part("CuPy", value, f"several builds of CuPy are installed, {value}", f"{uninstall}, then: {command}")
    return Part("CuPy", value, *_misfit(found[0], _cuda_of(found[0]), driver))


def _numba_cuda(driver: Driver | None) -> Part:
    found = version("numba-cuda")
    if not found:
        return Part("numba-cuda", "not installed", "numba-cuda is not installed", install(wanted_cuda(driver)))
    if "_numba_cuda_redirector" not in sys.modules:  # which a .pth file imports when Python starts
        problem = "numba-cuda does not take over numba's own CUDA, as from a folder on PYTHONPATH"
        return Part("numba-cuda", found, problem, "import _numba_cuda_redirector in that folder's sitecustomize.py")
    if numbers(found) < (0, 31) and _lacks_row_stack():
        return Part("numba-cuda", found, f"numba-cuda {found} needs NumPy below 2.5", "pip install 'numpy<2.5'")
    return Part("numba-cuda", found)


def _bindings(driver: Driver | None) -> Part:
    found = version("cuda-bindings")
    if not found:
        return Part("cuda-bindings", "not installed", "cuda-bindings is not installed", install(wanted_cuda(driver)))
    cuda = numbers(found)[0]
    problem, remedy = _misfit("cuda-bindings", cuda, driver)
    cupy = next((name for name in CUPY if version(name)), None)
    if not problem and cupy and _cuda_of(cupy) not in (None, cuda):
        problem = f"cuda-bindings {found} is for another CUDA than {cupy}"
        remedy = install(_cuda_of(cupy) if _cuda_of(cupy) in WANTED else wanted_cuda(driver))
    return Part("cuda-bindings", found, problem, remedy)


def numbers(version: str) -> tuple[int, int]:
    """The first two numbers of a version such as 13.0.88."""
    major, minor = re.match(r"(\d+)\.(\d+)", version).groups()
    return int(major), int(minor)


def _cuda_of(cupy: str) -> int | None:
    """The CUDA that a build of CuPy is for: 12 for cupy-cuda12x; None where the name does not tell."""
    digits = cupy.partition("-cuda")[2].removesuffix("x")
    return int(digits) if digits else None


def _misfit(package: str, cuda: int | None, driver: Driver | None) -> tuple[str | None, str | None]:
    """(why a package does not run with the driver and its device, the command that mends it)."""
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

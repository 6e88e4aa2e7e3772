"""What this machine has, what it lacks, and the commands that mend it.

`why_no_cuda` is asked whenever a command chooses its device: it looks for the cheapest obstacles first.
"""

from collections.abc import Callable

from fastdigits.ops.diagnosis import driver, packages, toolkit
from fastdigits.ops.diagnosis.part import Obstacle, Part, first_line

__all__ = ["Part", "cuda_parts", "obstacle", "sections", "why_no_cuda"]


def why_no_cuda(try_kernel: Callable[[], None]) -> str | None:
    """Why CUDA cannot be used here, in half a sentence, or None if a trial kernel computes what it should."""
    lacking = obstacle()
    if lacking:
        return lacking
    try:
        try_kernel()
    except Exception as error:  # of any package, driver or compiler
        missing = (part.problem for part in toolkit.parts(driver.examine()) if part.problem)
        return next(missing, f"a trial kernel fails ({type(error).__name__}: {first_line(error)})")
    return None


def obstacle() -> str | None:
    """What is wrong with the driver or the packages, so that no kernel need be tried, or None."""
    try:
        found = packages.parts(driver.examine())
    except Obstacle as lacking:
        return lacking.problem
    except Exception as error:  # of a driver or a package that is not what it seems
        return f"the driver and the packages cannot be looked at ({type(error).__name__}: {first_line(error)})"
    return next((part.problem for part in found if part.problem), None)


def sections() -> dict[str, list[Part]]:
    """All that can be told without trying a kernel; what cannot even be looked at is a part with that problem."""
    from fastdigits.ops.diagnosis import cpu, kernels, software

    looks = {
        "software": (software.versions, software.conflicts),
        "processor": (cpu.processor, cpu.cores, cpu.vector_unit, cpu.threading_layer, cpu.settings),
        "compiled kernels": (kernels.kernel_folder,),
        "CUDA, for NVIDIA GPUs": (cuda_parts,),
    }
    return {name: [part for look in group for part in _seen(look)] for name, group in looks.items()}


def cuda_parts() -> list[Part]:
    """Driver, devices, packages and toolkit."""
    here = None
    try:
        here = driver.examine()
        found = driver.parts(here)
    except Obstacle as lacking:
        found = [Part("driver", "cannot be used", lacking.problem, lacking.remedy)]
    return [*found, *packages.parts(here), *toolkit.parts(here)]


def _seen(look: Callable[[], list[Part]]) -> list[Part]:
    from fastdigits.ops.diagnosis.trial import remedy

    try:
        return look()
    except Exception as error:  # of whatever is broken
        name = look.__name__.replace("_", " ")
        problem = f"the {name} cannot be looked at ({type(error).__name__}: {first_line(error)})"
        return [Part(name, "unknown", problem, remedy(problem))]

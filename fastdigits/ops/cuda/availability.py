"""Why CUDA cannot be used on this machine, asked whenever a command chooses its device: cheapest obstacles first."""

from collections.abc import Callable

from fastdigits.ops.cuda import driver, packages, toolkit
from fastdigits.ops.runtime.diagnosis import Obstacle, first_line


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

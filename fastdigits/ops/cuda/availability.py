"""Find out why CUDA cannot be used. Commands do this when they choose a device, so the cheapest checks come first."""

from collections.abc import Callable

from fastdigits.ops.cuda import driver, packages, toolkit
from fastdigits.ops.runtime.diagnosis import Unavailable, first_line


def why_no_cuda(run_test_kernel: Callable[[], None]) -> str | None:
    """Return why CUDA cannot be used here, in half a sentence; None if `run_test_kernel` succeeds."""
    if problem := static_problem():
        return problem
    try:
        run_test_kernel()
    except Exception as error:  # from any package, driver or compiler
        problems = (finding.problem for finding in toolkit.findings(driver.examine()) if finding.problem)
        return next(problems, f"a test kernel fails ({type(error).__name__}: {first_line(error)})")
    return None


def static_problem() -> str | None:
    """Return what is wrong with the driver or the packages, without running a kernel; None if nothing is."""
    try:
        found = packages.findings(driver.examine())
    except Unavailable as error:
        return error.problem
    except Exception as error:  # a broken driver or package can raise anything
        return f"the driver and the packages cannot be examined ({type(error).__name__}: {first_line(error)})"
    return next((finding.problem for finding in found if finding.problem), None)

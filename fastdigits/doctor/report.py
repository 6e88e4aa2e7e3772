"""Examine this machine: what works, what does not, and the commands that fix it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fastdigits import ops
from fastdigits.doctor import cpu, graphics_card, kernel_cache, packages, trial
from fastdigits.ops.cuda import availability, driver, toolkit
from fastdigits.ops.cuda import packages as cuda_packages
from fastdigits.ops.runtime.diagnosis import Finding, Unavailable, first_line


@dataclass(frozen=True)
class Report:
    """The findings by section; the last section is "devices"."""

    sections: dict[str, list[Finding]]

    @property
    def why_no_cpu(self) -> str | None:
        """Why the CPU cannot compute; None if it can."""
        return self.sections["devices"][0].problem

    def remedies(self) -> dict[str, list[str]]:
        """Return the commands to run, each with the problems that it fixes."""
        found: dict[str, list[str]] = {}
        for finding in (finding for findings in self.sections.values() for finding in findings):
            if not finding.remedy:
                continue
            reasons = found.setdefault(finding.remedy, [])
            reason = finding.problem or f"{finding.name}: {finding.value}"
            if reason not in reasons:
                reasons.append(reason)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return {
            "works": not self.why_no_cpu,
            "devices": {finding.name: finding.problem for finding in self.sections["devices"]},
            "sections": {name: [asdict(finding) for finding in findings] for name, findings in self.sections.items()},
            "remedies": [{"command": command, "for": reasons} for command, reasons in self.remedies().items()],
        }


def examine(say: Callable[[str], Any]) -> Report:
    """Examine everything and run a test kernel on each device; report slow steps with `say`."""
    found, devices = sections(), []
    for device in ops.DEVICES:
        problem = ops.why_incomplete(device) or (availability.static_problem() if device == "cuda" else None)
        if problem:
            devices.append(Finding(device, "cannot be used", problem))
        else:
            say(f"running a test kernel on {device} ...")
            devices.append(trial.try_device(device))
    return Report({**found, "devices": devices})


def sections() -> dict[str, list[Finding]]:
    """Return the findings that need no kernel to run. An examination that fails becomes a finding."""
    examinations = {
        "software": (packages.versions, packages.conflicts),
        "processor": (cpu.processor, cpu.cores, cpu.vector_unit, cpu.threading_layer, cpu.settings),
        "compiled kernels": (kernel_cache.kernel_folder,),
        "CUDA, for NVIDIA GPUs": (cuda_stack,),
    }
    return {
        name: [finding for examination in group for finding in _findings(examination)]
        for name, group in examinations.items()
    }


def cuda_stack() -> list[Finding]:
    """Examine the driver, its devices, the packages and the toolkit. Without driver and NVIDIA card, give no advice."""
    installed = None
    try:
        installed = driver.examine()
        found = driver.findings(installed)
    except Unavailable as error:
        if graphics_card.is_certainly_missing():
            return [Finding("graphics card", "none of NVIDIA, so CUDA is not needed")]
        found = [Finding("driver", "cannot be used", error.problem, error.remedy)]
    return [*found, *cuda_packages.findings(installed), *toolkit.findings(installed)]


def _findings(examine: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return examine()
    except Exception as error:  # a broken installation can raise anything
        name = examine.__name__.replace("_", " ")
        problem = f"the {name} cannot be examined ({type(error).__name__}: {first_line(error)})"
        return [Finding(name, "unknown", problem, trial.remedy(problem))]

"""Whether fastdigits can work on this machine, and what mends it where it cannot."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fastdigits import ops
from fastdigits.doctor import cpu, kernel_cache, packages, trial
from fastdigits.ops.cuda import availability, driver, toolkit
from fastdigits.ops.cuda import packages as cuda_packages
from fastdigits.ops.runtime.diagnosis import Obstacle, Part, first_line


@dataclass(frozen=True)
class Report:
    """All parts that were looked at, by section; the last section has the devices."""

    sections: dict[str, list[Part]]

    @property
    def why_no_cpu(self) -> str | None:
        """Why nothing can be computed on the CPU, or None if it can."""
        return self.sections["devices"][0].problem

    def remedies(self) -> dict[str, list[str]]:
        """The commands to run, each with what it is for."""
        found: dict[str, list[str]] = {}
        for part in (part for parts in self.sections.values() for part in parts if part.remedy):
            reasons = found.setdefault(part.remedy, [])
            reason = part.problem or f"{part.name}: {part.value}"
            if reason not in reasons:
                reasons.append(reason)
        return found

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        return {
            "works": not self.why_no_cpu,
            "devices": {part.name: part.problem for part in self.sections["devices"]},
            "sections": {name: [asdict(part) for part in parts] for name, parts in self.sections.items()},
            "remedies": [{"command": command, "for": reasons} for command, reasons in self.remedies().items()],
        }


def examine(say: Callable[[str], Any]) -> Report:
    """Look at everything and try a kernel on each device; `say` is told what takes time."""
    found = sections()
    devices = []
    for device in ops.DEVICES:
        lacking = ops.why_incomplete(device) or (availability.obstacle() if device == "cuda" else None)
        if lacking:
            devices.append(Part(device, "cannot be used", lacking))
        else:
            say(f"trying a kernel on {device} ...")
            devices.append(trial.part(device))
    return Report({**found, "devices": devices})


def sections() -> dict[str, list[Part]]:
    """All that can be told without trying a kernel; what cannot even be looked at is a part with that problem."""
    looks = {
        "software": (packages.versions, packages.conflicts),
        "processor": (cpu.processor, cpu.cores, cpu.vector_unit, cpu.threading_layer, cpu.settings),
        "compiled kernels": (kernel_cache.kernel_folder,),
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
    return [*found, *cuda_packages.parts(here), *toolkit.parts(here)]


def _seen(look: Callable[[], list[Part]]) -> list[Part]:
    try:
        return look()
    except Exception as error:  # of whatever is broken
        name = look.__name__.replace("_", " ")
        problem = f"the {name} cannot be looked at ({type(error).__name__}: {first_line(error)})"
        return [Part(name, "unknown", problem, trial.remedy(problem))]

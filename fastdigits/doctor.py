"""Whether fastdigits can work on this machine, and what mends it where it cannot."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fastdigits import ops
from fastdigits.ops import diagnosis
from fastdigits.ops.diagnosis import Part, trial


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

    def figures(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        return {
            "works": not self.why_no_cpu,
            "devices": {part.name: part.problem for part in self.sections["devices"]},
            "sections": {name: [asdict(part) for part in parts] for name, parts in self.sections.items()},
            "remedies": [{"command": command, "for": reasons} for command, reasons in self.remedies().items()],
        }


def examine(say: Callable[[str], Any]) -> Report:
    """Look at everything and try a kernel on each device; `say` is told what takes time."""
    found = diagnosis.sections()
    devices = []
    for device in ops.DEVICES:
        lacking = ops.why_incomplete(device) or (diagnosis.obstacle() if device == "cuda" else None)
        if lacking:
            devices.append(Part(device, "cannot be used", lacking))
        else:
            say(f"trying a kernel on {device} ...")
            devices.append(trial.part(device))
    return Report({**found, "devices": devices})

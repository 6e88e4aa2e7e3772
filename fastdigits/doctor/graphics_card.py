"""Whether an NVIDIA card is in this machine, so that nobody is told to install CUDA without one."""

from contextlib import suppress
from pathlib import Path

PCI = Path("/sys/bus/pci/devices")  # on Linux
WINDOWS_SUBSYSTEM = Path("/dev/dxg")  # there, the cards of Windows are no PCI devices
NVIDIA = "0x10de"


def is_certainly_missing() -> bool:
    """Return whether the list of PCI devices is known and has none of NVIDIA."""
    vendors = []
    with suppress(OSError):
        vendors = [path.read_text().strip() for path in PCI.glob("*/vendor")]
    return bool(vendors) and NVIDIA not in vendors and not WINDOWS_SUBSYSTEM.exists()

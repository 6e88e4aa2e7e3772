"""Examine the NVIDIA driver and its devices through ctypes, which is fast and needs no package."""

import os
import platform
import sys
from ctypes import CDLL, byref, c_char_p, c_int, c_size_t, create_string_buffer
from typing import Any, NamedTuple

from fastdigits.ops.runtime.diagnosis import Finding, Unavailable

DOWNLOAD = "https://www.nvidia.com/drivers"
MIN_CUDA = 12, 0
MIN_CAPABILITY = {12: (5, 0), 13: (7, 5)}  # of the devices that each CUDA toolkit compiles for
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR

# Commands that fix errors of the driver
REMEDIES = {
    34: "remove the toolkit's folder 'stubs' from LD_LIBRARY_PATH",
    100: "check whether 'nvidia-smi' lists a GPU; start containers with '--gpus all'",
    803: "sudo reboot",  # the driver was updated, but the old kernel module is still loaded
    804: "remove the toolkit's folder 'compat' from LD_LIBRARY_PATH",
    999: "sudo nvidia-modprobe -u, or sudo reboot",
}


class Device(NamedTuple):
    """A GPU."""

    name: str
    capability: tuple[int, int]
    memory_bytes: int


class Driver(NamedTuple):
    """The newest CUDA version that the driver supports, and its devices."""

    cuda: tuple[int, int]
    devices: list[Device]

    def why_not(self, cuda: int) -> str | None:
        """Return why software for CUDA 12 or 13 cannot run here; None if it can."""
        if cuda > self.cuda[0]:
            return f"the driver supports CUDA up to {self.cuda[0]}.{self.cuda[1]}"
        first = self.devices[0]  # the one that computes
        if first.capability < MIN_CAPABILITY.get(cuda, (0, 0)):
            return f"the {first.name} is too old for CUDA {cuda}"
        return None


def examine() -> Driver:
    """Return the driver with its devices.

    Raises
    ------
    Unavailable
        If no driver is installed, or it is too old or finds no device.
    """
    library = _library()
    number = c_int()
    _call(library, "cuDriverGetVersion", byref(number))
    cuda = number.value // 1000, number.value % 1000 // 10
    if cuda < MIN_CUDA:
        raise Unavailable(
            f"the NVIDIA driver is too old: it supports CUDA {cuda[0]}.{cuda[1]}, but "
            f"{MIN_CUDA[0]}.{MIN_CUDA[1]} is required",
            f"install a newer driver: {DOWNLOAD}",
        )
    _call(library, "cuInit", 0)
    count = c_int()
    _call(library, "cuDeviceGetCount", byref(count))
    return Driver(cuda, [_device(library, number) for number in range(count.value)])


def findings(driver: Driver) -> list[Finding]:
    """Describe a driver and its devices."""
    found = [Finding("driver", f"for CUDA up to {driver.cuda[0]}.{driver.cuda[1]}")]
    for number, device in enumerate(driver.devices):
        major, minor = device.capability
        memory = f"{device.memory_bytes / 2**30:.0f} GiB"
        found.append(Finding(f"device {number}", f"{device.name}, compute capability {major}.{minor}, {memory}"))
    return found


def _library() -> Any:
    if sys.platform == "darwin":
        raise Unavailable("macOS has no CUDA")
    names = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")
    for name in names:
        try:
            return CDLL(name)
        except OSError:
            continue
    host = " on Windows, not in WSL" if "microsoft" in platform.release().lower() else ""
    raise Unavailable(
        f"no NVIDIA driver is installed ({names[0]} is not found)", f"install the driver{host}: {DOWNLOAD}"
    )


def _device(library: Any, number: int) -> Device:
    handle, name, memory = c_int(), create_string_buffer(256), c_size_t()
    _call(library, "cuDeviceGet", byref(handle), number)
    _call(library, "cuDeviceGetName", name, len(name), handle)
    _call(library, "cuDeviceTotalMem_v2", byref(memory), handle)
    major, minor = c_int(), c_int()
    for value, attribute in ((major, MAJOR), (minor, MINOR)):
        _call(library, "cuDeviceGetAttribute", byref(value), attribute, handle)
    return Device(name.value.decode(errors="replace"), (major.value, minor.value), memory.value)


def _call(library: Any, function: str, *arguments: Any) -> None:
    """Call a function of the driver. Raises Unavailable if it fails."""
    error = getattr(library, function)(*arguments)
    if not error:
        return
    if error == 100 and "CUDA_VISIBLE_DEVICES" in os.environ:
        raise Unavailable("CUDA_VISIBLE_DEVICES hides all devices", "unset CUDA_VISIBLE_DEVICES")
    text = c_char_p()
    known = library.cuGetErrorString(error, byref(text)) == 0
    message = text.value.decode(errors="replace") if known and text.value else "unknown"
    raise Unavailable(f"the NVIDIA driver fails with error {error}, {message}", REMEDIES.get(error))

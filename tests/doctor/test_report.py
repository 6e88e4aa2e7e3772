"""What is said of every way in which CUDA can be unusable, with a driver and packages that are pretended."""

import configparser
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numba
import pytest

from fastdigits import ops
from fastdigits.doctor import cpu, graphics_card, kernel_cache, report, trial
from fastdigits.doctor import packages as software
from fastdigits.errors import UserError
from fastdigits.ops.cuda import availability, driver, packages, toolkit
from fastdigits.ops.runtime.diagnosis import Finding

SETUP = Path(__file__).parents[2] / "setup.cfg"
H200 = "NVIDIA H200", (9, 0), 150_000_000_000
OLD = "Quadro P600", (6, 1), 2_000_000_000


class FakeDriver:
    """The functions of NVIDIA's library that are called, for a driver of that version with these devices."""

    def __init__(self, cuda=13000, devices=(H200,), error=0):
        self.cuda, self.devices, self.error = cuda, devices, error

    def cuDriverGetVersion(self, version):
        version._obj.value = self.cuda
        return 0

    def cuInit(self, flags):
        return self.error

    def cuDeviceGetCount(self, count):
        count._obj.value = len(self.devices)
        return 0

    def cuDeviceGet(self, handle, number):
        handle._obj.value = number
        return 0

    def cuDeviceGetName(self, name, size, handle):
        name.value = self.devices[handle.value][0].encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory, handle):
        memory._obj.value = self.devices[handle.value][2]
        return 0

    def cuDeviceGetAttribute(self, value, attribute, handle):
        value._obj.value = self.devices[handle.value][1][attribute - driver.MAJOR]
        return 0

    def cuGetErrorString(self, error, text):
        text._obj.value = b"a text of NVIDIA's"
        return 0


@pytest.fixture
def pretend(monkeypatch):
    """pretend(library, "cupy-cuda12x 14.2.0", ..) stands in for the driver's library and all installed packages."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "_numba_cuda_redirector", ModuleType("_numba_cuda_redirector"))
    monkeypatch.setattr(packages, "_lacks_row_stack", lambda: False)
    monkeypatch.setattr(graphics_card, "PCI", Path("nowhere"))

    def pretend(library, *installed):
        versions = dict(line.split() for line in installed)

        def version(package):
            if package not in versions:
                raise importlib.metadata.PackageNotFoundError(package)
            return versions[package]

        monkeypatch.setattr(importlib.metadata, "version", version)
        if library is None:
            monkeypatch.setattr(driver, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
        else:
            monkeypatch.setattr(driver, "CDLL", lambda name: library)

    return pretend


@pytest.fixture
def pretend_toolkit(monkeypatch):
    """pretend_toolkit(nvvm=(13, 0), ..) stands in for the libraries of the toolkit; others are not found."""

    def pretend_toolkit(**versions):
        def load(name):
            if name not in versions:
                raise RuntimeError(f"{name} is nowhere\nand many more lines")
            return SimpleNamespace(abs_path=f"/lib/site-packages/{name}")

        package = ModuleType("cuda")
        package.pathfinder = SimpleNamespace(load_nvidia_dynamic_lib=load)
        monkeypatch.setitem(sys.modules, "cuda", package)
        monkeypatch.setattr(toolkit, "version_of", lambda name, path: versions[name])

    return pretend_toolkit


def why_no_cuda(run_test_kernel=lambda: None):
    return availability.why_no_cuda(run_test_kernel)


def problems(findings):
    return {finding.name: finding.problem for finding in findings if finding.problem}


def remedies(findings):
    return {finding.name: finding.remedy for finding in findings if finding.remedy}


CUDA_12 = "cupy-cuda12x 14.2.0", "numba-cuda 0.30.4", "cuda-bindings 12.9.10"
CUDA_13 = "cupy-cuda13x 14.2.0", "numba-cuda 0.30.4", "cuda-bindings 13.5.0"


@pytest.mark.parametrize("installed", [CUDA_12, CUDA_13])
def test_nothing_is_wrong(installed, pretend):
    pretend(FakeDriver(), *installed)
    assert why_no_cuda() is None
    findings = driver.findings(driver.examine())
    assert [finding.value for finding in findings] == [
        "for CUDA up to 13.0",
        "NVIDIA H200, compute capability 9.0, 140 GiB",
    ]
    assert problems(packages.findings(driver.examine())) == {}


@pytest.mark.skipif(sys.platform == "darwin", reason="there is another sentence")
@pytest.mark.parametrize(
    ("library", "problem", "remedy"),
    [
        (None, "no NVIDIA driver is installed", "nvidia.com/drivers"),
        (
            FakeDriver(cuda=11080),
            "the NVIDIA driver is too old: it supports CUDA 11.8, but 12.0 is required",
            "newer driver",
        ),
        (FakeDriver(error=100), "error 100, a text of NVIDIA's", "--gpus all"),
        (FakeDriver(error=803), "error 803, a text of NVIDIA's", "sudo reboot"),
        (FakeDriver(error=12345), "error 12345, a text of NVIDIA's", None),
    ],
)
def test_what_is_wrong_with_the_driver(library, problem, remedy, pretend):
    pretend(library, *CUDA_13)
    assert problem in why_no_cuda()
    found = report.cuda_stack()[0]
    assert problem in found.problem
    assert found.remedy is None if remedy is None else remedy in found.remedy


def test_macos_has_no_cuda(pretend, monkeypatch):
    pretend(FakeDriver())
    monkeypatch.setattr(sys, "platform", "darwin")
    assert why_no_cuda() == "macOS has no CUDA"


@pytest.mark.parametrize(
    ("vendors", "advised"), [(["0x8086", "0x1af4"], False), (["0x8086", "0x10de"], True), ([], True)]
)
def test_cuda_is_advised_only_where_an_nvidia_card_may_be(vendors, advised, pretend, monkeypatch, tmp_path):
    pretend(None)
    monkeypatch.setattr(graphics_card, "PCI", tmp_path)
    monkeypatch.setattr(graphics_card, "WINDOWS_SUBSYSTEM", tmp_path / "dxg")
    for number, vendor in enumerate(vendors):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "vendor").write_text(f"{vendor}\n")
    found = report.cuda_stack()
    assert any(finding.remedy for finding in found) == advised
    assert (found[0].name == "graphics card") != advised


def test_hidden_devices(pretend, monkeypatch):
    pretend(FakeDriver(error=100), *CUDA_13)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert why_no_cuda() == "CUDA_VISIBLE_DEVICES hides all devices"


@pytest.mark.parametrize(
    ("library", "installed", "problem", "remedy"),
    [
        (FakeDriver(), (), "CuPy is not installed", packages.install(13)),
        (FakeDriver(12040), (), "CuPy is not installed", packages.install(12)),
        (FakeDriver(devices=(OLD,)), (), "CuPy is not installed", packages.install(12)),
        (FakeDriver(), CUDA_13[:1], "numba-cuda is not installed", packages.install(13)),
        (FakeDriver(), CUDA_13[:2], "cuda-bindings is not installed", packages.install(13)),
        (
            FakeDriver(12040),
            CUDA_13,
            "cupy-cuda13x is for CUDA 13, but the driver supports CUDA up to 12.4",
            f"pip uninstall cupy-cuda13x, then: {packages.install(12)}",
        ),
        (
            FakeDriver(devices=(OLD,)),
            CUDA_13,
            "cupy-cuda13x is for CUDA 13, but the Quadro P600 is too old for CUDA 13",
            f"pip uninstall cupy-cuda13x, then: {packages.install(12)}",
        ),
        (
            FakeDriver(),
            (*CUDA_12[:2], "cuda-bindings 13.5.0"),
            "cuda-bindings 13.5.0 is for another CUDA than cupy-cuda12x",
            packages.install(12),
        ),
        (
            FakeDriver(),
            (*CUDA_12, "cupy-cuda13x 14.2.0"),
            "several builds of CuPy are installed, cupy-cuda12x 14.2.0, cupy-cuda13x 14.2.0",
            f"pip uninstall cupy-cuda12x cupy-cuda13x, then: {packages.install(13)}",
        ),
    ],
)
def test_what_is_wrong_with_the_packages(library, installed, problem, remedy, pretend):
    pretend(library, *installed)
    assert why_no_cuda() == problem
    found = packages.findings(driver.examine())
    assert problem in problems(found).values()
    assert remedy in remedies(found).values()


def test_a_numba_cuda_that_is_too_old(pretend):
    pretend(FakeDriver(), *CUDA_13[::2], "numba-cuda 0.29.0")
    assert why_no_cuda() == "numba-cuda 0.29.0 is too old; 0.30 or newer is required"
    assert packages.install(13) in remedies(packages.findings(driver.examine())).values()


def test_an_old_device_besides_the_first_one_does_not_matter(pretend):
    pretend(FakeDriver(devices=(H200, OLD)), *CUDA_13)
    assert why_no_cuda() is None
    pretend(FakeDriver(devices=(OLD, H200)), *CUDA_13)
    assert why_no_cuda() == "cupy-cuda13x is for CUDA 13, but the Quadro P600 is too old for CUDA 13"


def test_a_numpy_that_numba_cuda_does_not_know(pretend, monkeypatch):
    pretend(FakeDriver(), *CUDA_13)
    monkeypatch.setattr(packages, "_lacks_row_stack", lambda: True)
    assert why_no_cuda() == "numba-cuda 0.30.4 needs NumPy below 2.5"
    pretend(FakeDriver(), *CUDA_13[::2], "numba-cuda 0.31.0")
    assert why_no_cuda() is None


def test_numba_cuda_that_does_not_take_over(pretend, monkeypatch):
    pretend(FakeDriver(), *CUDA_13)
    monkeypatch.delitem(sys.modules, "_numba_cuda_redirector")
    assert "does not replace" in why_no_cuda()


def test_a_driver_that_is_none(pretend):
    pretend(object(), *CUDA_13)
    assert why_no_cuda().startswith("the driver and the packages cannot be examined (AttributeError:")


def fail():
    raise RuntimeError("\n\nCUDA_ERROR_OF_SOME_KIND\nand more")


def test_a_failing_kernel_is_explained_by_the_toolkit(pretend, pretend_toolkit):
    pretend(FakeDriver(), *CUDA_13)
    pretend_toolkit(nvvm=(13, 0), nvrtc=(13, 0), nvJitLink=(13, 0), cudart=(13, 4))
    assert why_no_cuda(fail) == "a test kernel fails (RuntimeError: CUDA_ERROR_OF_SOME_KIND)"
    pretend_toolkit(nvvm=(13, 0), nvrtc=(13, 0), cudart=(13, 0))
    assert why_no_cuda(fail) == "the toolkit's nvJitLink cannot be loaded (nvJitLink is nowhere)"


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({"nvvm": (13, 0), "nvrtc": (13, 0), "nvJitLink": (13, 5), "cudart": (13, 4)}, None),
        ({"nvvm": None, "nvrtc": None, "nvJitLink": None, "cudart": None}, None),
        (
            {"nvvm": (13, 4), "nvrtc": (13, 0), "nvJitLink": (13, 4), "cudart": (13, 0)},
            "nvvm 13.4 generates PTX that a driver for CUDA 13.0 cannot load",
        ),
        (
            {"nvvm": (13, 0), "nvrtc": (13, 4), "nvJitLink": (13, 1), "cudart": (13, 0)},
            "nvJitLink 13.1 cannot link the output of nvrtc 13.4",
        ),
        (
            {"nvvm": (12, 9), "nvrtc": (13, 0), "nvJitLink": (12, 9), "cudart": (12, 9)},
            "nvrtc is for CUDA 13, but nvvm is for CUDA 12",
        ),
        (
            {"nvvm": (14, 0), "nvrtc": (13, 0), "nvJitLink": (14, 0), "cudart": (13, 0)},
            "nvvm is for CUDA 14, but the driver supports CUDA up to 13.0",
        ),
    ],
)
def test_versions_of_the_toolkit(versions, problem, pretend, pretend_toolkit):
    pretend(FakeDriver(), *CUDA_13)
    pretend_toolkit(**versions)
    found = list(problems(toolkit.findings(driver.examine())).values())
    assert found[:1] == ([problem] if problem else [])


def test_a_toolkit_outside_of_the_usual_folder(tmp_path, monkeypatch):
    for name in ("CUDA_HOME", "CUDA_PATH", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(toolkit, "SYSTEM_TOOLKIT", "/nowhere")
    nvvm = str(tmp_path / "nvvm" / "lib64" / "libnvvm.so")
    (found,) = toolkit._libdevice_findings(nvvm)
    assert found.problem == "the toolkit's libdevice is not found in /nowhere"
    assert found.remedy == f"export CUDA_HOME={tmp_path}"
    (tmp_path / "nvvm" / "libdevice").mkdir(parents=True)
    (tmp_path / "nvvm" / "libdevice" / "libdevice.10.bc").touch()
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    (found,) = toolkit._libdevice_findings(nvvm)
    assert not found.problem


@pytest.mark.parametrize(("cuda", "extra"), [(12, "cuda"), (13, "cuda13")])
def test_the_extras_are_what_is_said(cuda, extra):
    config = configparser.ConfigParser()
    config.read(SETUP, encoding="utf8")
    assert tuple(config["options.extras_require"][extra].strip().splitlines()) == packages.WANTED[cuda]


def test_without_pathfinder(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda", None)
    (found,) = toolkit.findings(None)
    assert found.problem.startswith("cuda-pathfinder cannot be imported")


def test_version_by_the_folder(tmp_path):
    toolkit_13 = tmp_path / "cuda-13.1" / "lib64"
    toolkit_13.mkdir(parents=True)
    assert toolkit._version_by_path("nvvm", str(toolkit_13 / "libnvvm.so")) == (13, 1)
    (tmp_path / "cuda-13.1" / "version.json").write_text('{"cuda": {"version": "13.0.2"}}')
    assert toolkit._version_by_path("nvvm", str(toolkit_13 / "libnvvm.so")) == (13, 0)
    assert toolkit._version_by_path("nvvm", "/lib/libnvvm.so") is None


def test_the_reason_is_given_where_the_device_is_chosen(monkeypatch):
    ops._why_no_cuda.cache_clear()
    monkeypatch.setattr(ops, "why_incomplete", lambda device: None)
    monkeypatch.setattr(availability, "why_no_cuda", lambda run_test_kernel: "the moon is full")
    try:
        assert ops.choose_device() == ("cpu", "cpu, because cuda cannot be used: the moon is full")
        with pytest.raises(UserError, match="'cuda' cannot be used: the moon is full; use device='cpu'"):
            ops.load("cuda")
        ops._why_no_cuda.cache_clear()
        monkeypatch.setattr(availability, "why_no_cuda", lambda run_test_kernel: None)
        assert ops.choose_device()[0] == "cuda"
    finally:
        ops._why_no_cuda.cache_clear()


def test_a_kernel_that_computes_something_else(monkeypatch):
    monkeypatch.setattr("fastdigits.ops.activation.reference.relu_forward", lambda x, y: y.fill(1))
    with pytest.raises(ArithmeticError, match="wrong numbers"):
        ops.run_test_kernel("reference")


def test_choosing_a_device_without_a_driver_is_light():
    """Neither numba nor CuPy is imported to find that there is no driver."""
    program = (
        "import sys; from fastdigits import ops; from fastdigits.ops.cuda import driver\n"
        "ops.why_incomplete = lambda device: None\n"
        "def missing(name): raise OSError\n"
        "driver.CDLL = missing; print(ops.choose_device()[0], *sys.modules)"
    )
    variables = os.environ | {"PYTHONPATH": str(Path(ops.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True, timeout=60
    )
    chosen, *modules = done.stdout.split()
    assert chosen == "cpu"
    assert {"numba", "numpy", "cupy"} & set(modules) == set()


def test_a_kernel_is_tried_in_a_process_of_its_own():
    assert trial.try_device("reference") == Finding("reference", "works")


@pytest.mark.parametrize(
    ("program", "problem", "remedy"),
    [
        ("import os; os.abort()", "crashes (Aborted)", None),
        ("raise ImportError('Numba needs NumPy 2.4 or less.')", "Numba needs NumPy 2.4 or less.", "numba numpy"),
        ("import sys; sys.exit(3)", "exit code 3", None),
        ("import time; time.sleep(60)", "does not return within 1 s", None),
    ],
)
def test_a_kernel_that_fails(program, problem, remedy, monkeypatch):
    monkeypatch.setattr(trial, "PROGRAM", program)
    monkeypatch.setattr(trial, "LIMIT_S", 1 if "sleep" in program else 60)
    found = trial.try_device("reference")
    assert found.value == "fails"
    assert problem in found.problem
    assert found.remedy is None if remedy is None else remedy in found.remedy


def test_conflicting_versions_are_named(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["numpy<2", "absent>9"] if name == "numba" else [])
    (found,) = software.conflicts()
    assert found.problem.endswith("needs numpy<2")
    assert found.remedy == "pip install 'numpy<2'"


def test_the_threading_layer_is_that_of_numba():
    (found,) = cpu.threading_layer()
    assert found.value == numba.threading_layer()


def test_tbb_and_openmp_are_missing(monkeypatch):
    monkeypatch.delenv("NUMBA_THREADING_LAYER", raising=False)
    monkeypatch.setattr(cpu.pool, "layer", lambda: "workqueue")
    (found,) = cpu.threading_layer()
    assert found.problem.startswith("neither TBB nor OpenMP can be used")
    assert "pip install tbb" in found.remedy or sys.platform == "darwin"


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        ("NUMBA_THREADING_LAYER is 'tbb', which needs TBB, but TBB is not installed", "pip install tbb"),
        ("NUMBA_THREADING_LAYER is 'x'; set it to one of these, or unset it.", "unset NUMBA_THREADING_LAYER"),
        ("NUMBA_THREADING_LAYER_PRIORITY must name tbb", "unset NUMBA_THREADING_LAYER_PRIORITY"),
    ],
)
def test_a_threading_layer_that_does_not_exist(problem, remedy, monkeypatch):
    def fail():
        raise UserError(problem)

    monkeypatch.setattr(cpu.pool, "layer", fail)
    (found,) = cpu.threading_layer()
    assert problem.rstrip(".") in found.problem
    assert found.remedy == remedy


def test_a_folder_of_kernels_that_cannot_be_written(monkeypatch, tmp_path):
    """As in a container: a problem only if there are no kernels."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    def fail():
        raise OSError("Read-only file system")

    monkeypatch.setattr(kernel_cache.kernel_cache, "create_folder", fail)
    (found,) = kernel_cache.kernel_folder()
    assert "so every command compiles them again" in found.problem
    (tmp_path / "a.kernel").write_bytes(bytes(1000))
    folder, kernels = kernel_cache.kernel_folder()
    assert (folder.problem, folder.value) == (None, f"{tmp_path}, which cannot be written")
    assert kernels.value == "1, 0.0 MB"


def test_kernels_that_cannot_be_kept(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    (found,) = kernel_cache.kernel_folder()
    assert "so every command compiles them again" in found.problem
    assert found.remedy.startswith("export XDG_CACHE_HOME=")


def test_a_full_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernel_cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert kernel_cache.kernel_folder()[0].problem.startswith("only 0.0 MB are free")


def test_nothing_that_is_broken_stops_the_rest(monkeypatch):
    looks = {
        software: ("versions", "conflicts"),
        cpu: ("processor", "cores", "vector_unit", "threading_layer", "settings"),
        kernel_cache: ("kernel_folder",),
        report: ("cuda_stack",),
    }
    for module, names in looks.items():
        for name in names:

            def broken():
                raise SystemError("broken")

            broken.__name__ = name
            monkeypatch.setattr(module, name, broken)
    findings = [finding for section in report.sections().values() for finding in section]
    assert len(findings) == 9
    assert all(finding.problem.endswith("cannot be examined (SystemError: broken)") for finding in findings)


def test_kernels_for_another_kind_of_cpu_are_told(monkeypatch, tmp_path):
    """As in an image that was built on another machine, from whose folder nothing is used here."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = kernel_cache.kernel_cache.create_folder()
    other = own.with_name(f"{own.name[:-8]}{'0' * 8}")
    other.mkdir()
    assert [finding.name for finding in kernel_cache.kernel_folder()] == ["folder", "kernels"]
    (other / "dense.kernel").write_bytes(b"kernel")
    found = kernel_cache.kernel_folder()
    assert [finding.value for finding in found if finding.name == "other CPUs"] == [
        "1 kernels for another kind of CPU, which this one cannot use"
    ]
    assert [finding.problem for finding in found if finding.name == "other CPUs"] == [None]


def test_a_read_only_image_for_another_kind_of_cpu(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = kernel_cache.kernel_cache.folder()
    other = own.with_name(f"{own.name[:-8]}{'0' * 8}")
    other.mkdir(parents=True)
    (other / "dense.kernel").write_bytes(b"kernel")

    def fail():
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(kernel_cache.kernel_cache, "create_folder", fail)
    folder, other_cpus = kernel_cache.kernel_folder()
    assert folder.problem.startswith("compiled kernels cannot be cached")
    assert other_cpus.value.startswith("1 kernels for another kind of CPU")

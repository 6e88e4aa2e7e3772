"""Whatever fails while a file is written: the old file or the new one, never half of one, and nothing else is left."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import faults
import pytest
from faults import KINDS, WRITERS, Faults, Trial

import fastdigits
from fastdigits.errors import UserError

PACKAGE = Path(fastdigits.__file__).parent
WRITING_CALLS = {"write_text", "write_bytes", "savefig", "to_csv", "mkstemp", "NamedTemporaryFile"}
WRITING_MODES = set("wax+")
# Files that are written by other means: files.py itself, the caches of kernels, and figures, which go to memory first
WRITING_FILES = {"files.py", "ops/runtime/kernel_cache.py", "ops/cuda/ptx.py", "plots/style.py"}
TEMPORARY_FILES = {"bench/rivals/ncnn.py"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks, and no fork")


@pytest.mark.parametrize(
    ("writer", "exists"),
    [("weights", True), ("statistics", True), ("table", True), ("table", False), ("kernel", True)],
)
def test_every_call_may_fail(tmp_path, writer, exists):
    check_faults(tmp_path, writer, exists)


def test_the_calls_of_a_process_may_be_its_last(tmp_path, environment):
    check_crashes(tmp_path, environment, ["table", "kernel"])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_stands_every_fault(tmp_path, environment, writer):
    for exists in (False, True):
        place = tmp_path / str(exists)
        place.mkdir()
        check_faults(place, writer, exists)
    (tmp_path / "crashes").mkdir()
    check_crashes(tmp_path / "crashes", environment, [writer])


def check_faults(tmp_path, writer, exists):
    """Let each call fail in each way: files are old or new, and new if no error was raised."""
    trial = Trial(writer, tmp_path, exists)
    assert {"open", "write", "replace"} <= set(trial.calls)
    assert "fsync" in trial.calls or writer == "kernel"  # a damaged kernel is compiled again
    for kind in KINDS:
        for at, name in enumerate(trial.calls):
            if kind in ("short", "torn") and name != "write":
                continue
            trial.reset()
            outcome = "done"
            try:
                with Faults(kind, at).injected():
                    trial.write(tmp_path, 2)
            except (UserError, KeyboardInterrupt) as raised:
                outcome = type(raised).__name__
            case = f"{kind} at call {at}, {name}: {outcome}"
            assert trial.problems() == [], case
            assert outcome != "done" or trial.files() == trial.new, case
            assert outcome == "done" or kind != "short", case
            assert (outcome == "KeyboardInterrupt") == (kind == "interrupt"), case


def check_crashes(tmp_path, environment, writers):
    """End a process at each call: files are old or new, and the next write removes what is left."""
    command = [sys.executable, faults.__file__, str(tmp_path), *writers]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    crashes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [crash for crash in crashes if crash[-1]] == []
    assert {(crash[0], crash[1]) for crash in crashes} == {(writer, exists) for writer in writers for exists in (0, 1)}
    assert len(crashes) >= 9 * len(writers)


def test_every_file_is_written_by_one_function():
    """All other modules hand their bytes to write_atomically, so that the faults above are those of all files."""
    writers = set()
    for path in PACKAGE.rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf8"))) if isinstance(node, ast.Call)):
            if writes_file(call):
                writers.add(path.relative_to(PACKAGE).as_posix())
    assert writers <= WRITING_FILES | TEMPORARY_FILES


def writes_file(call):
    """Return whether a call writes a file; the module hdf5 writes to memory."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "open":
        texts = [str(one.value) for one in ast.walk(call) if isinstance(one, ast.Constant)]
        return any(len(text) < 4 and WRITING_MODES & set(text) for text in texts)
    return name in WRITING_CALLS and not ast.unparse(call.func).startswith("hdf5.")

"""The helpers of the tests: signals reach the processes they start, and none of these outlives its test."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import python_process
from zoo import kinds_in, without

from fastdigits.nn import Conv2D, Dense, Dropout, Flatten, Residual

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_reach_processes_even_if_the_runner_ignores_them(name):
    """A runner ignores SIGINT and SIGHUP under nohup, and its children inherit that."""
    program = f"""if True:
        import signal, subprocess, sys
        sys.path.insert(0, {str(Path(__file__).parent / "helpers")!r})
        from processes import python_process
        signal.signal(signal.{name}, signal.SIG_IGN)
        with python_process("-c", {SLEEP!r}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
            running.stdout.readline()
            running.send_signal(signal.{name})
            print(running.wait(30))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str(-getattr(signal, name)), done.stderr


def test_a_process_ends_with_its_block():
    with python_process("-c", SLEEP, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        assert running.poll() is None
    assert running.returncode is not None


def test_layers_can_be_left_out_of_residual_blocks_too():
    layers = [Flatten(), Residual([Dropout(0.1)]), Residual([Dense(3), Dropout(0.2)]), Dropout()]
    kept = without((Dropout,), layers)
    assert [type(layer).__name__ for layer in kept] == ["Flatten", "Residual"]
    assert kinds_in(kept) == {"Flatten", "Residual", "Dense"}
    assert kinds_in([Residual([Residual([Conv2D(1, 1)])])]) == {"Residual", "Conv2D"}

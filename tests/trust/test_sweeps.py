"""No run of a sweep is lost or stored twice: killed workers, schedulers and sweeps, Ctrl-C, full disks."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from processes import TIME_LIMIT_S, python_process

pytest.importorskip("distributed")
pytest.importorskip("optuna")
import psutil

from fastdigits.cli.actions.sweep_jobs import Jobs
from fastdigits.data import load_digits
from fastdigits.storage.history import TIMING_FIELDS
from fastdigits.sweeps.spec import read
from fastdigits.sweeps.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]
RUNS = 8
# Short and long runs in turn: when one ends, the other worker is in the middle of its own.
SPEC = """
[train]
data = "digits.npz"
device = "reference"
model = "linear"
[grid]
lr = [0.001, 0.003, 0.01, 0.03]
epochs = [10, 150]
"""
# A command that cannot write files of more than some bytes, as on a disk that is full
FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
from fastdigits.cli import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a description and 300 training and 100 test images."""
    folder, mnist = tmp_path_factory.mktemp("sweep"), load_digits()
    np.savez(
        folder / "digits.npz",
        x_train=mnist.train_images[:300],
        y_train=mnist.train_labels[:300],
        x_test=mnist.test_images[:100],
        y_test=mnist.test_labels[:100],
    )
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    """The table of the sweep, computed in this process, one run after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        spec = read("spec.toml")
        jobs = Jobs(spec)
        rows = [job.run(jobs.sets[job.training.data], 1, lambda event: None)[0]
                for settings in spec.settings() for job in jobs.of(settings)]  # fmt: skip
    assert len(rows) == RUNS
    return table(rows)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def sweep(folder, store, environment):
    """sweep(*options) is the context of a running sweep with pipes."""

    def sweep(*options, program=("-m", "fastdigits"), kind="sweep"):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        arguments = *program, kind, "spec.toml", "--store", store, *options
        return python_process(*arguments, cwd=folder, env=environment, **pipes)

    return sweep


@pytest.fixture
def finish(sweep, store, expected):
    """finish() resumes the sweep, and checks that the store has every run once, with the expected figures."""

    def finish(*options):
        with sweep("--resume", *options) as running:
            output, errors = running.communicate()
        assert running.returncode == 0, errors
        assert errors == ""
        with Store(store) as opened:
            rows = opened.rows()
        assert len(rows) == RUNS
        assert table(rows) == expected
        return output

    return finish


def table(rows):
    """What a sweep has found out, without times and machines."""
    return {
        row.key: (row.settings, row.seed, row.status, row.validation_accuracy, row.validation_loss, without_times(row))
        for row in rows
    }


def without_times(row):
    return [{name: value for name, value in epoch.items() if name not in TIMING_FIELDS} for epoch in row.epochs]


def stored(store):
    with Store(store) as opened:
        return len(opened.rows())


def wait_for_run(running, number=1):
    """Read the output until a number of runs have ended."""
    for line in running.stdout:
        if line.startswith(f"run {number} of"):
            return
    pytest.fail(f"the sweep ended: {running.stderr.read()}")


def workers_of(running):
    """The processes that train, which multiprocessing starts."""
    children = psutil.Process(running.pid).children(recursive=True)
    return [child for child in children if any("spawn_main" in word for word in child.cmdline())]


def ended(processes):
    """Whether all processes end by themselves."""
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


def test_a_killed_worker_is_replaced_and_its_run_done_again(sweep, store, expected):
    with sweep("--workers", "2") as running:
        wait_for_run(running)
        workers = workers_of(running)
        assert len(workers) == 2
        for worker in workers:
            worker.kill()
        _, errors = running.communicate()
    assert (running.returncode, errors) == (0, "")
    with Store(store) as opened:
        assert table(opened.rows()) == expected
        assert len(opened.rows()) == RUNS


def test_ctrl_c_lets_runs_end_and_the_sweep_goes_on_later(sweep, store, finish):
    with sweep() as running:
        wait_for_run(running)
        workers = workers_of(running)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate()
    assert (running.returncode, errors.strip()) == (130, "Interrupted.")
    assert "a second signal stops at once" in output
    assert "spec.toml --store" in output
    assert ended(workers)
    before = stored(store)
    assert 1 <= before < RUNS
    assert f"{before} of {RUNS} runs are stored" in output
    assert f"{before} of them in" in finish()


@pytest.mark.long
def test_ctrl_c_of_a_terminal_reaches_the_workers_and_loses_no_run(sweep, store, finish):
    with sweep() as running:
        wait_for_run(running)
        os.killpg(running.pid, signal.SIGINT)
        output, _ = running.communicate()
    assert running.returncode == 130
    assert stored(store) >= 2, output  # those in progress have ended
    finish()


@pytest.mark.long
def test_a_second_ctrl_c_stops_at_once(sweep, store, finish):
    with sweep() as running:
        wait_for_run(running)
        workers = workers_of(running)
        os.killpg(running.pid, signal.SIGINT)
        for line in running.stdout:
            if line.startswith("stopping"):
                break
        os.killpg(running.pid, signal.SIGINT)
        running.wait(timeout=60)
        assert ended(workers)
    assert running.returncode == -signal.SIGINT
    assert 1 <= stored(store) < RUNS
    finish()


@pytest.mark.long
def test_a_killed_sweep_goes_on(sweep, store, finish):
    with sweep() as running:
        wait_for_run(running, 2)
        workers = workers_of(running)
        running.kill()
        assert ended(workers)
    assert 2 <= stored(store) < RUNS
    finish()


@pytest.mark.long
def test_a_full_disk_is_one_sentence_and_the_sweep_goes_on(sweep, store, finish):
    with sweep(program=("-c", FULL_DISK)) as running:
        output, errors = running.communicate()
    assert running.returncode == 1
    assert errors.startswith("Error: The store ")
    assert errors.count("\n") == 1
    assert "to go on: fastdigits sweep" in output
    assert 1 <= stored(store) < RUNS
    finish()


@pytest.mark.long
def test_two_sweeps_share_a_store(sweep, store, expected):
    with sweep("--workers", "1", "--resume") as one, sweep("--workers", "1", "--resume") as other:
        for running in (one, other):
            _, errors = running.communicate()
            assert (running.returncode, errors) == (0, "")
    with Store(store) as opened:
        assert table(opened.rows()) == expected
        assert len(opened.rows()) == RUNS


@pytest.mark.long
def test_a_store_that_has_runs_of_the_sweep_needs_resume(sweep, store):
    with sweep("--workers", "1") as running:
        wait_for_run(running)
        running.kill()
    with sweep() as running:
        _, errors = running.communicate()
    assert running.returncode == 1
    assert re.fullmatch(r"Error: .* has \d runs? of this sweep already; give --resume .*\n", errors)


@contextmanager
def dask_cluster(folder, environment, workers=2):
    """Start a scheduler and workers with Dask's own commands; yield its address and process."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    options = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    common = "--scheduler-file", file, "--no-dashboard"
    with ExitStack() as stack:
        command = "-m", "dask", "scheduler", *common, "--host", "127.0.0.1", "--port", "0"
        scheduler = stack.enter_context(python_process(*command, **options))
        command = "-m", "dask", "worker", *common, "--nworkers", str(workers), "--nthreads", "1"
        stack.enter_context(python_process(*command, **options))  # waits for the file
        while not (file.exists() and file.read_text().endswith("}")):
            assert scheduler.poll() is None
            subprocess.run([sys.executable, "-c", ""], timeout=TIME_LIMIT_S)
        yield json.loads(file.read_text())["address"], scheduler


@pytest.mark.long
def test_workers_that_dask_has_started_give_the_same(sweep, store, tmp_path, environment, expected):
    with dask_cluster(tmp_path, environment) as (address, _), sweep("--scheduler", address) as running:
        _, errors = running.communicate()
    assert (running.returncode, errors) == (0, "")
    with Store(store) as opened:
        assert table(opened.rows()) == expected


@pytest.mark.long
def test_a_killed_scheduler_is_one_sentence_and_the_sweep_goes_on(sweep, store, tmp_path, environment, finish):
    with dask_cluster(tmp_path, environment) as (address, scheduler), sweep("--scheduler", address) as running:
        wait_for_run(running)
        scheduler.kill()
        output, errors = running.communicate()
    assert running.returncode == 1
    assert errors == "Error: The scheduler of the workers is gone; start it again.\n"
    assert f"--scheduler {address}" in output
    assert 1 <= stored(store) < RUNS
    with dask_cluster(tmp_path, environment) as (address, _):
        finish("--scheduler", address)


@pytest.mark.long
def test_without_a_scheduler_there_is_one_sentence(sweep):
    with sweep("--scheduler", "tcp://127.0.0.1:1") as running:
        _, errors = running.communicate()
    assert running.returncode == 1
    assert errors == "Error: No scheduler of Dask answers at tcp://127.0.0.1:1; start one with 'dask scheduler'.\n"

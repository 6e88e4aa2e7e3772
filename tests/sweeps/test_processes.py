"""Workers that are processes: what they run, what they raise, and what happens when they are killed."""

import errno
import multiprocessing
import os
import signal

import numpy as np
import pytest
from tasks import Fail, Kill, Look

from fastdigits import UserError
from fastdigits.data import DigitSet
from fastdigits.sweeps import processes
from fastdigits.sweeps.processes import check_workers

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} if hasattr(signal, "pthread_sigmask") else set()


@pytest.fixture(scope="module")
def worker():
    """A worker with an empty data set."""
    images, labels = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8)
    with processes.local(1, 1, "reference") as workers:
        workers.send("images", DigitSet("empty", images, labels, images, labels))
        yield workers


@pytest.fixture
def run(worker):
    """run(task) returns the result of a task."""

    def run(task):
        future = worker.submit(task, "token")
        while (message := worker.messages.get(timeout=60))[0] != "done":
            assert message == ("event", {"epoch": 1, "name": "token"})
        assert message == ("done", ("token", future))
        return worker.result(future)

    return run


def test_there_are_as_many_workers_as_cores(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "8")
    assert check_workers(None, 1) == 8
    assert check_workers(None, 3) == 2
    assert check_workers(2, 4) == 2
    with pytest.raises(UserError, match=r"3 workers of 4 threads need more than the 8 cores .* --workers 2 or fewer"):
        check_workers(3, 4)


@pytest.mark.slow
def test_a_process_runs_one_task_after_the_other(run, worker):
    results = [run(Look()) for _ in range(2)]
    assert results[0] == results[1]
    process, *known = results[0]
    assert process != os.getpid()
    assert known == [1, "empty", SIGNALS]
    assert worker.slots() == 1


@pytest.mark.slow
def test_errors_of_a_task_are_its_own(run):
    with pytest.raises(ZeroDivisionError) as raised:
        run(Fail("bug"))
    assert "in run\n" in raised.value.__notes__[0]  # where it was raised
    with pytest.raises(UserError, match=r"^It needs the layer 'mine'"):
        run(Fail("for users"))  # an exception that pickle cannot restore
    with pytest.raises(KeyError):
        run(Look(data="missing"))


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_its_task_done_again(run, tmp_path):
    before, *known = run(Look())
    after, *known_after = run(Kill(processes.ATTEMPTS - 1, tmp_path / "kills"))
    assert after != before
    assert known_after == known  # signals are blocked there, too
    assert run(Look())[0] == after


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_one_sentence(run, tmp_path):
    with pytest.raises(UserError, match=r"^A training has killed 4 workers, .* start fewer of them\.$"):
        run(Kill(100, tmp_path / "kills"))
    assert run(Look())[1] == 1  # the next task has a worker


def test_a_process_that_the_system_does_not_allow_is_one_sentence(monkeypatch):
    def refuse(process):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.context.SpawnProcess, "_Popen", staticmethod(refuse))
    expected = r"^A worker does not start \(.*unavailable\); start fewer of them\.$"
    with pytest.raises(UserError, match=expected), processes.local(2, 1, "reference"):
        pass


@pytest.mark.slow
def test_this_process_keeps_its_signals_and_variables(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with processes.local(1, 1, "reference"):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]) == ("7", "1")
        if SIGNALS:
            assert not SIGNALS & signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ

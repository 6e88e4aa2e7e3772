"""Workers: how many there may be, and what is said when they are lost."""

import os
import signal
from functools import partial

import pytest

pytest.importorskip("distributed")

from distributed.scheduler import KilledWorker

from fastdigits import UserError
from fastdigits.sweeps import cluster
from fastdigits.sweeps.cluster import Cluster, check_workers


class FakeClient:
    """A client whose futures have ended as a test says."""

    status = "running"

    def subscribe_topic(self, topic, handler):
        pass


class FakeFuture:
    def __init__(self, error=None):
        self.error = error

    def cancelled(self):
        return self.error is None

    def result(self, timeout):
        raise self.error


@pytest.fixture
def workers():
    return Cluster(FakeClient(), is_local=False)


def test_there_are_as_many_workers_as_cores(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "8")
    assert check_workers(None, 1) == 8
    assert check_workers(None, 3) == 2
    assert check_workers(2, 4) == 2
    with pytest.raises(UserError, match=r"3 workers of 4 threads need more than the 8 cores .* --workers 2 or fewer"):
        check_workers(3, 4)


def test_a_training_that_kills_its_workers_is_one_sentence(workers):
    with pytest.raises(UserError, match="has killed 4 workers"):
        workers.result(FakeFuture(KilledWorker("key", None, 3)))


@pytest.mark.parametrize("error", [None, OSError("connection refused"), TimeoutError()])
def test_a_lost_scheduler_is_one_sentence(workers, error):
    with pytest.raises(UserError, match="is gone"):
        workers.result(FakeFuture(error))
    workers._client.status = "connecting"
    with pytest.raises(UserError, match="is gone"):
        workers.check()


def test_errors_of_a_training_are_its_own(workers):
    with pytest.raises(ZeroDivisionError):
        workers.result(FakeFuture(ZeroDivisionError()))


def test_variables_for_workers_are_not_left_in_this_process(monkeypatch):
    monkeypatch.setenv("KEPT", "1")
    with cluster._environment_kept():
        os.environ["OMP_FOR_WORKERS"] = "1"
    assert "OMP_FOR_WORKERS" not in os.environ
    assert os.environ["KEPT"] == "1"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks")
def test_ctrl_c_never_reaches_a_worker_even_while_it_starts():
    """Its signal mask comes from the process that started it, so that there is no moment without it."""
    blocked = partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())
    with cluster.local(1, 1) as workers:
        assert [signal.SIGINT in found for found in workers._client.run(blocked).values()] == [True]
        [nanny] = workers._client.cluster.workers.values()
        workers._client.cluster.sync(nanny.kill)
        workers._client.cluster.sync(nanny.instantiate)
        workers._client.wait_for_workers(1, timeout=60)
        assert [signal.SIGINT in found for found in workers._client.run(blocked).values()] == [True]
    assert signal.SIGINT not in blocked()

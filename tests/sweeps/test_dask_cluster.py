"""Workers of a Dask scheduler: what is said when they are lost."""

import pytest

pytest.importorskip("distributed")

from distributed.scheduler import KilledWorker

from fastdigits import UserError
from fastdigits.sweeps.dask_cluster import DaskCluster, connected


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


@pytest.mark.parametrize("address", ["", "localhost", "http://127.0.0.1:8786", "tcp://127.0.0.1:port"])
def test_what_is_no_address_is_one_sentence(address):
    with pytest.raises(UserError, match=r"is no address; give one such as tcp://.* shows\.$"), connected(address):
        pass


@pytest.fixture
def workers():
    return DaskCluster(FakeClient())


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

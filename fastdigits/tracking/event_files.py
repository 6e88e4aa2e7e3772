"""Log trainings for TensorBoard: a folder per training with files of events. It needs the package tensorboardX.

Each write ends with a flush to the disk. If it fails, the file is cut to what was complete, and the next write goes on
in another file of the folder, as TensorBoard reads them one after the other.
"""

import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import hparams, scalar

from fastdigits.errors import UserError
from fastdigits.files import StrPath, check_writable, make_folder
from fastdigits.storage.history import Epoch
from fastdigits.tracking import FINISHED, METRICS

COMPARED = ("validation_accuracy", "test_accuracy", "seconds_total")  # next to the settings, in the tab HParams
END_TAG = "_hparams_/session_end_info"


class Log:
    """See `tracking.Log`; the place is a folder."""

    def __init__(self, place: str):
        if "://" in place:
            raise UserError(f"'{place}' is no folder; give one, such as tensorboard:runs.")
        make_folder(place)
        self.folder = Path(place).absolute()
        check_writable(self.folder / "events")

    def run(self, name: str, settings: Mapping[str, Any]) -> "EventsRun":
        return EventsRun(self.folder, name, settings)


class EventsRun:
    """See `tracking.RunLog`. The folder of the run has its name, with a number if there is one of that name."""

    def __init__(self, parent: Path, name: str, settings: Mapping[str, Any]):
        self.parent, self.name, self.settings = parent, name, settings
        self.folder: Path | None = None
        self.file: RecordWriter | None = None
        self.complete_bytes = 0  # of the file
        self.files, self.begun, self.epochs = 0, False, 0  # written so far

    def write(self, epochs: Sequence[Epoch]) -> None:
        self._append(self._events(epochs[self.epochs :]))
        self.begun, self.epochs = True, len(epochs)

    def end(self, status: str, result: Mapping[str, float]) -> None:
        last = [_event(scalar(name, value), self.epochs) for name, value in result.items()]
        self._append([*last, _event(_session_end(status))])
        self._close()

    def add_file(self, path: StrPath) -> None:
        """Do nothing: TensorBoard stores no files."""

    def _events(self, epochs: Sequence[Epoch]) -> Iterator[Event]:
        if not self.begun:
            experiment, session_start, _ = hparams(dict(self.settings), dict.fromkeys(COMPARED, 0.0))
            yield from map(_event, (experiment, session_start))
        for epoch in epochs:
            for name in METRICS:
                if (value := getattr(epoch, name)) is not None:
                    yield _event(scalar(name, value), epoch.epoch)

    def _append(self, events: Iterable[Event]) -> None:
        try:
            file = self.file or self._open()
            for event in events:
                file.write(event.SerializeToString())
            file.flush()
            self.complete_bytes = os.path.getsize(file.path)
        except OSError as error:
            self._close()
            raise _failure(self.folder or self.parent, error) from error
        except BaseException:  # such as Ctrl-C within a record
            self._close()
            raise

    def _open(self) -> RecordWriter:
        folder = self.folder = self.folder or _new_folder(self.parent, self.name)
        self.files += 1
        stem = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self.complete_bytes = 0
        self.file = RecordWriter(str(folder / f"{stem}.{self.files}"))
        self.file.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        return self.file

    def _close(self) -> None:
        """Close the file, and cut what is not complete."""
        if self.file is None:
            return
        file, self.file = self.file, None
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            os.truncate(file.path, self.complete_bytes)


def _new_folder(parent: Path, name: str) -> Path:
    """Make the folder NAME, or NAME-2, NAME-3, ..., the first that does not exist."""
    for number in count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("count has no end")


def _event(summary: Summary, step: int = 0) -> Event:
    return Event(wall_time=time.time(), step=step, summary=summary)


def _session_end(status: str) -> Summary:
    """Return what tells TensorBoard that the training has ended, and how."""
    name = "STATUS_SUCCESS" if status == FINISHED else "STATUS_FAILURE"
    content = HParamsPluginData(session_end_info=SessionEndInfo(status=Status.Value(name)), version=0)
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
    return Summary(value=[Summary.Value(tag=END_TAG, metadata=SummaryMetadata(plugin_data=plugin))])


def _failure(place: Path, error: OSError) -> UserError:
    return UserError(
        f"Cannot write {place} ({error.strerror or error}); free space or give permission there, or choose another "
        "folder."
    )

"""`rows.jsonl`: the rows of a study, append-only, written by its driver alone.

It is the only source of results: the tables of `gansweep.results.tables` can be rebuilt from it at any time.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gansweep.errors import UserError
from gansweep.files import retry_io
from gansweep.results.decoding import decode
from gansweep.results.folder import StudyFolder
from gansweep.results.records import Manifest
from gansweep.results.row import Cell, Outcome, Row, to_json

BLOCK_BYTES = 1_000_000  # read at a time to find the end of the last whole line


class RowWriter:
    """Appends rows to `rows.jsonl`; they are durable when `append` returns.

    A measurement is written at most once per (trial_id, step), an outcome at most once per trial. The rows of
    a trial come in the order of their steps, so its last row tells which have come. Of finished trials only
    the id is kept in memory; of crashed ones the last row, too.
    """

    def __init__(self, folder: Path) -> None:
        self.path = StudyFolder(folder).rows
        self._size = self._drop_torn_line()
        self.latest: dict[str, Row] = {}  # the last row of every unfinished trial, by trial_id
        self.ended: set[str] = set()  # the ids of the finished trials
        self.crashed: list[Row] = []  # the last rows of trials that crashed or ran out of time
        for row in read_rows(folder):
            self._note(row)

    def append(self, rows: Iterable[Row]) -> list[Row]:
        """Write the rows that are new; return them."""
        new = []
        for row in rows:
            known = self.latest.get(row.trial_id)
            repeated = row.outcome is None and known is not None and row.step <= known.step
            if repeated or row.trial_id in self.ended:
                continue
            self._note(row)
            new.append(row)
        if new:
            text = "".join(f"{to_json(row)}\n" for row in new)
            retry_io(lambda: self._write(text.encode()), f"{self.path} cannot be written")
        return new

    def _write(self, content: bytes) -> None:
        """Append, replacing what an earlier attempt may have written in part.

        Raises:
            OSError: it failed, or this is not the file that was written so far: its disk is not mounted.
        """
        with self.path.open("rb+" if self._size else "ab") as file:
            if file.seek(0, os.SEEK_END) < self._size:
                raise OSError("it is shorter than what was written to it")
            file.truncate(self._size)
            file.seek(self._size)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(content)

    def _note(self, row: Row) -> None:
        if row.outcome is None:
            self.latest[row.trial_id] = row
            return
        self.latest.pop(row.trial_id, None)
        self.ended.add(row.trial_id)
        if row.outcome in (Outcome.CRASHED, Outcome.TIMEOUT):
            self.crashed.append(row)

    def _drop_torn_line(self) -> int:
        """Cut off an unfinished last line, which a driver leaves that is killed while writing.

        Returns the remaining bytes.
        """
        if not self.path.exists():
            return 0
        size = self.path.stat().st_size
        with self.path.open("rb+") as file:
            while size:
                start = max(0, size - BLOCK_BYTES)
                file.seek(start)
                end = file.read(size - start).rfind(b"\n") + 1
                size = start + end
                if end:
                    break
            file.truncate(size)
        return size


class RowReader:
    """Reads the rows of a study that may be growing: each once."""

    def __init__(self, folder: Path) -> None:
        self.path = StudyFolder(folder).rows
        self.position, self.number = 0, 0  # of the end of the last whole line
        self._decoder = msgspec.json.Decoder(Row)

    def new(self) -> Iterator[Row]:
        """Yields the rows that were added since the last call; an unfinished last line is left for the next.

        Raises:
            UserError: a line is not a row.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.position)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.position += len(line)
                self.number += 1
                yield self._decode(line)

    def _decode(self, line: bytes) -> Row:
        try:
            return decode(line, Row, "row", self._decoder)
        except UserError as error:
            raise UserError(f"{self.path}, line {self.number}, is {error}; restore it from a copy") from None


def read_rows(folder: str | Path) -> Iterator[Row]:
    """Yields the rows of a study in the order they were written; an unfinished last line is ignored.

    Raises:
        UserError: a line is not a row.
    """
    return RowReader(Path(folder)).new()


def require_known(folder: Path, cells: Iterable[Cell], manifest: Manifest) -> None:
    """Raise UserError if rows are of a data set or a variant that the manifest does not have."""
    for dataset, variant in cells:
        if dataset not in manifest.datasets or variant not in manifest.variants:
            raise UserError(
                f"{folder} holds rows of {variant} on {dataset}, which its manifest.json does not describe: "
                "the two are of different studies; restore the right one from a copy"
            )

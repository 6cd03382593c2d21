"""`rows.jsonl`: the rows of a study, append-only, written by its driver alone.

It is the only source of results: the tables of `gansweep.results.tables` can be rebuilt from it at any time.

Every line ends with `check`: 16 hexadecimal digits of a hash of this line, all lines before it, and the
study. So a changed digit is noticed, and a line that is lost, doubled, moved, or of another study. Lines that
gansweep 0.1.0 wrote have none; the first line after them vouches for them.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from gansweep.errors import Damaged, UserError
from gansweep.files import free_name, open_file, retry_io, sync_folder, write_atomically
from gansweep.results.decoding import decode
from gansweep.results.folder import StudyFolder
from gansweep.results.phases import Finished
from gansweep.results.records import Manifest, fingerprint_of
from gansweep.results.row import Cell, Outcome, Row, to_json

LONGEST_LINE = 2**24  # bytes
CHECK = re.compile(rb', "check": "([0-9a-f]{16})"}$')
LENGTH_OF_CHECK = 30
FIRST, ROW_BEGINS = b'{"study": ', b'"trial_id": '  # how a row begins; what stands in every row once


class RowWriter:
    """Appends rows to `rows.jsonl`; they are durable when `append` returns.

    A measurement is written at most once per (trial_id, step), an outcome at most once per trial. The rows of
    a trial come in the order of their steps, so its last row tells which have come. Of finished trials only
    what `finished` has is kept in memory; of crashed ones the last row, too. The file is read once, when it
    is opened, for all who need it: `each` is called with every row that it has then.

    torn: where the beginning of a row was moved that a killed driver had not finished; None: there was none.

    Raises:
        UserError: the file is damaged; nothing has been changed.
    """

    def __init__(self, folder: Path, each: Callable[[Row], object] = lambda row: None) -> None:
        self.path = StudyFolder(folder).rows
        self.finished = Finished()
        self.latest: dict[str, Row] = {}  # the last row of every unfinished trial, by trial_id
        self.ended: set[str] = set()  # the ids of the finished trials
        self.crashed: list[Row] = []  # the last rows of trials that crashed or ran out of time
        reader = RowReader(folder)
        for row in reader.new():
            self._note(row)
            each(row)
        self._size = reader.position
        self.torn = self._mend_end(folder, reader)
        self._folder, self._link = folder, reader.link

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
            lines, link = [], self._link or fingerprint_of(self._folder)
            for row in new:
                content = to_json(row).encode()
                link = next_link(link, content)
                lines.append(b'%s, "check": "%s"}\n' % (content[:-1], link.encode()))
            retry_io(lambda: self._write(b"".join(lines)), f"{self.path} cannot be written")
            self._link = link
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
        if not self._size:
            sync_folder(self.path.parent)
        self._size += len(content)

    def _note(self, row: Row) -> None:
        self.finished.note(row)
        if row.outcome is None:
            self.latest[row.trial_id] = row
            return
        self.latest.pop(row.trial_id, None)
        self.ended.add(row.trial_id)
        if row.outcome in (Outcome.CRASHED, Outcome.TIMEOUT):
            self.crashed.append(row)

    def _mend_end(self, folder: Path, reader: "RowReader") -> Path | None:
        """Move a row aside that a driver began which was killed while writing; returns where it is.

        Raises:
            UserError: what follows the last whole line is not the beginning of a row.
        """
        rest = reader.rest()
        if not rest:
            return None
        begun = rest.rstrip(b"\0")[: len(FIRST)]  # a machine that lost its power may have written zeros
        if rest.count(ROW_BEGINS) > 1 or not FIRST.startswith(begun):
            raise Damaged(
                f"{self.path} is damaged: what follows line {reader.number} is not the beginning of a row; "
                "restore it from a copy"
            )
        place = free_name(StudyFolder(folder).aside, "rows.jsonl.torn")
        retry_io(lambda: write_atomically(place, rest), f"{place} cannot be written")
        sync_folder(place.parent)
        retry_io(lambda: os.truncate(self.path, self._size), f"{self.path} cannot be written")
        return place


class RowReader:
    """Reads the rows of a study that may be growing: each once.

    link: the hash of all lines so far, see the module; empty before the first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, StudyFolder(folder).rows
        self.position, self.number = 0, 0  # of the end of the last whole line
        self.link = ""
        self._is_checked = False  # whether a line had a check
        self._steps: dict[str, int] = {}  # of the last row of every unfinished trial
        self._ended: set[str] = set()
        self._decoder = msgspec.json.Decoder(Row)

    def new(self) -> Iterator[Row]:
        """Yields the rows that were added since the last call; an unfinished last line is left for the next.

        Raises:
            Damaged: a line is not a row, or not the one that was written there.
            OSError: the file cannot be read.
        """
        try:
            file = open_file(self.path)
        except FileNotFoundError:
            return
        with file:
            file.seek(self.position)
            while (line := file.readline(LONGEST_LINE)).endswith(b"\n"):
                self.number += 1
                row = self._row(line[:-1])
                self.position += len(line)
                yield row

    def rest(self) -> bytes:
        """Returns what follows the last whole line."""
        try:
            file = open_file(self.path)
        except FileNotFoundError:
            return b""
        with file:
            file.seek(self.position)
            return file.read()

    def _row(self, line: bytes) -> Row:
        try:
            row = self._decoded(line)
            self._require_place(row)
            self._require_link(line)
        except UserError as error:
            raise Damaged(f"{self.path}, line {self.number}, is {error}; restore it from a copy") from None
        return row

    def _decoded(self, line: bytes) -> Row:
        try:
            return self._decoder.decode(line)
        except msgspec.MsgspecError:  # a text that msgspec refuses, or damage, which is said in one sentence
            return decode(line, Row, "row", self._decoder)

    def _require_place(self, row: Row) -> None:
        """Raise UserError if a row cannot come here: the rows of a trial are in the order of their steps."""
        before = self._steps.get(row.trial_id, -1)
        if row.trial_id in self._ended or row.step < before or (row.step == before and row.outcome is None):
            raise UserError(f"damaged: it is a row of {row.trial_id} that an earlier line contradicts")
        self._steps[row.trial_id] = row.step
        if row.outcome is not None:
            del self._steps[row.trial_id]
            self._ended.add(row.trial_id)

    def _require_link(self, line: bytes) -> None:
        """Raise UserError if the line, or one before it, is not what was written."""
        found = CHECK.match(line, len(line) - LENGTH_OF_CHECK)
        content = line[: found.start()] + b"}" if found else line
        self.link = next_link(self.link or fingerprint_of(self.folder), content)
        if found and found[1].decode() != self.link:
            raise UserError(
                "not what was written: it was changed, lines before it are missing or changed, or they are "
                "of another study"
            )
        if self._is_checked and not found:
            raise UserError("damaged: it has no check, unlike the lines before it")
        self._is_checked = bool(found)


def next_link(link: str, content: bytes) -> str:
    """Returns the check of a line. link: of the line before it. content: without its check."""
    return hashlib.sha256(link.encode() + content).hexdigest()[:16]


def read_rows(folder: str | Path) -> Iterator[Row]:
    """Yields the rows of a study in the order they were written; an unfinished last line is ignored.

    Raises:
        Damaged: a line is not a row, or not the one that was written there.
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

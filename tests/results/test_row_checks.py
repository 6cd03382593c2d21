"""The checks of rows: a line that was changed, lost, doubled, moved, or is of another study is noticed."""

import json
import random
from contextlib import suppress

import pytest
from rows import a_row, a_study, json_rows, without_checks

from gansweep.errors import Damaged, UserError
from gansweep.results.decoding import sealed_json
from gansweep.results.records import fingerprint_of
from gansweep.results.row_file import RowReader, RowWriter, next_link, read_rows


def study_in(folder, n=6, **known):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(sealed_json(a_study(**known).to_json()))
    writer = RowWriter(folder)
    for number in range(n):
        writer.append([a_row(number, fid=3.5 + number, step=50), a_row(number, fid=2.0, outcome="ok")])
    return folder


def lines_of(folder):
    return (folder / "rows.jsonl").read_bytes().splitlines(keepends=True)


def test_the_checks_are_hashes_of_all_before_and_of_the_study(tmp_path):
    link = a_study().fingerprint
    for line in lines_of(study_in(tmp_path)):
        row = json.loads(line)
        check = row.pop("check")
        link = next_link(link, json.dumps(row).encode())
        assert check == link
    assert len(list(read_rows(tmp_path))) == 12


CHANGES = {
    "a digit": lambda lines: [lines[0].replace(b"3.5", b"3.4"), *lines[1:]],
    "a lost line": lambda lines: [*lines[:4], *lines[5:]],
    "a lost first line": lambda lines: lines[1:],
    "a doubled line": lambda lines: [*lines[:3], *lines[2:]],
    "two lines in the other order": lambda lines: [*lines[:2], lines[4], lines[3], lines[2], *lines[5:]],
    "all lines in the other order": lambda lines: lines[::-1],
    "a line without a check": lambda lines: [
        *lines[:3],
        lines[3].partition(b', "check"')[0] + b"}\n",
        *lines[4:],
    ],
    "a trial of another name": lambda lines: [line.replace(b"ns-0003", b"ns-0007") for line in lines],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_lines_is_noticed(tmp_path, change):
    study_in(tmp_path)
    changed = b"".join(CHANGES[change](lines_of(tmp_path)))
    (tmp_path / "rows.jsonl").write_bytes(changed)
    with pytest.raises(Damaged, match=r"rows\.jsonl, line \d+, is .*; restore it from a copy"):
        list(read_rows(tmp_path))
    with pytest.raises(Damaged):
        RowWriter(tmp_path)
    assert (tmp_path / "rows.jsonl").read_bytes() == changed


def test_no_changed_bit_gives_another_number(tmp_path):
    study_in(tmp_path)
    whole, expected = (tmp_path / "rows.jsonl").read_bytes(), list(read_rows(tmp_path))
    chance = random.Random(0)
    for _ in range(400):
        changed = bytearray(whole)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        (tmp_path / "rows.jsonl").write_bytes(changed)
        found = []
        with suppress(UserError):  # a changed end of a line is no error before the file goes on
            found.extend(read_rows(tmp_path))
        assert found == expected[: len(found)]


def test_rows_of_another_study_are_not_taken(tmp_path):
    mine, other = study_in(tmp_path / "mine"), study_in(tmp_path / "other", seed=1)
    (mine / "rows.jsonl").write_bytes((other / "rows.jsonl").read_bytes())
    with pytest.raises(Damaged, match=r"line 1, is not what was written: .* of another study"):
        list(read_rows(mine))


def test_a_longer_search_and_another_question_keep_the_checks(tmp_path):
    study_in(tmp_path)
    longer = a_study(trials=50, question="and now?")
    (tmp_path / "study.json").write_text(sealed_json(longer.to_json()))
    RowWriter(tmp_path).append([a_row(6, fid=1.0)])
    assert len(list(read_rows(tmp_path))) == 13
    assert fingerprint_of(tmp_path) == a_study().fingerprint


def test_lines_without_checks_are_vouched_for_by_the_first_line_after_them(tmp_path):
    study_in(tmp_path)
    without_checks(tmp_path)
    old = lines_of(tmp_path)
    assert len(list(read_rows(tmp_path))) == 12
    RowWriter(tmp_path).append([a_row(6, fid=1.0)])
    assert lines_of(tmp_path)[:12] == old and len(list(read_rows(tmp_path))) == 13
    (tmp_path / "rows.jsonl").write_bytes(b"".join(lines_of(tmp_path)).replace(b"3.5", b"3.4", 1))
    with pytest.raises(Damaged, match="line 13, is not what was written"):
        list(read_rows(tmp_path))


def test_the_beginning_of_a_row_is_kept_aside(tmp_path):
    study_in(tmp_path)
    lines = lines_of(tmp_path)
    for n, end in enumerate((lines[-1][:-1], lines[-1][:40], b"{", lines[-1][:60] + bytes(500))):
        (tmp_path / "rows.jsonl").write_bytes(b"".join(lines[:-1]) + end)
        writer = RowWriter(tmp_path)
        assert writer.torn and writer.torn.read_bytes() == end
        assert len(list((tmp_path / "set-aside").iterdir())) == n + 1
        assert lines_of(tmp_path) == lines[:-1]
        writer.append([a_row(5, fid=2.0, outcome="ok")])
        assert [row["metrics"] for row in json_rows(tmp_path)][-1] == {"fid": 2.0}


@pytest.mark.parametrize("joined", [b" ", b"", b"\x0b"])
def test_rows_without_ends_of_lines_are_refused_and_not_cut(tmp_path, joined):
    study_in(tmp_path)
    content = joined.join(line.strip() for line in lines_of(tmp_path))
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(Damaged, match="what follows line 0 is not the beginning of a row"):
        RowWriter(tmp_path)
    assert (tmp_path / "rows.jsonl").read_bytes() == content
    assert not (tmp_path / "set-aside").exists()


def test_a_reader_of_a_growing_file_reads_each_row_once(tmp_path):
    study_in(tmp_path)
    lines = lines_of(tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:20])
    reader = RowReader(tmp_path)
    assert len(list(reader.new())) == 3
    (tmp_path / "rows.jsonl").write_bytes(b"".join(lines))
    assert len(list(reader.new())) == 9 and list(reader.new()) == []


def test_a_row_that_cannot_be_written_leaves_the_checks_as_they_are(tmp_path):
    writer = RowWriter(study_in(tmp_path))
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.append([a_row(6, fid=1.0), a_row(7, fid=float("inf"))])
    writer.append([a_row(8, fid=1.0)])
    assert len(list(read_rows(tmp_path))) == 13


def test_a_link_is_not_followed(tmp_path):
    study_in(tmp_path / "mine")
    outside = tmp_path / "rows.jsonl"
    (tmp_path / "mine" / "rows.jsonl").rename(outside)
    before = outside.read_bytes() + b'{"study": '
    outside.write_bytes(before)
    (tmp_path / "mine" / "rows.jsonl").symlink_to(outside)
    for read in (RowWriter, lambda folder: list(read_rows(folder))):
        with pytest.raises(
            UserError, match=r"rows\.jsonl is a link, and nothing inside the folder of a study"
        ):
            read(tmp_path / "mine")
    assert outside.read_bytes() == before

"""Files of weights are the published ones, or are checked before they are read."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from gansweep.errors import UserError
from gansweep.evaluation import weights
from gansweep.evaluation.extractors import build
from gansweep.evaluation.weights import BUNDLED, PUBLISHED, file_hash, weights_file


class Exploit:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of downloads, without a network."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for name in PUBLISHED:
        monkeypatch.delenv(PUBLISHED[name].variable, raising=False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_whole_hash_is_known_and_begins_as_the_name_of_the_file_says(name):
    known = PUBLISHED[name]
    assert len(known.sha256) == 64 and int(known.sha256, 16)
    assert known.url.endswith(f"-{known.sha256[:8]}.pth")


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("n_equal", [8, 63])
def test_a_file_whose_hash_only_begins_as_the_published_one_is_not_run(tmp_path, monkeypatch, name, n_equal):
    file, mark = tmp_path / "weights.pth", tmp_path / "mark"
    torch.save(Exploit(mark), file)
    whole = file_hash(file)
    other = whole[:n_equal] + "".join("1" if digit == "0" else "0" for digit in whole[n_equal:])
    monkeypatch.setitem(PUBLISHED, name, dataclasses.replace(PUBLISHED[name], sha256=other))
    with pytest.raises(UserError, match=r"does not hold .*'s weights in the form"):
        build(name, ["2048" if name == "inception" else "fc2_relu"], file, "cpu")
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x80\x04K\x01.", b"PK\x03\x04 no archive", b"(I9\n" * 9])
def test_whatever_stands_in_a_file_of_weights_is_a_sentence(tmp_path, content):
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    with pytest.raises(UserError, match="does not hold Inception's weights in the form"):
        build("inception", ["2048"], file, "cpu")


@pytest.mark.parametrize("name", PUBLISHED)
def test_another_file_in_the_cache_of_downloads_is_refused(hub, name):
    file = hub / PUBLISHED[name].url.rpartition("/")[2]
    file.write_bytes(b"half a file")
    with pytest.raises(UserError, match=rf"{file} is not the published file of .* delete it"):
        weights_file(name, None)


def test_the_published_file_is_taken_from_the_cache(hub, monkeypatch):
    known = PUBLISHED["inception"]
    file = hub / known.url.rpartition("/")[2]
    file.write_bytes(b"the published file")
    monkeypatch.setitem(PUBLISHED, "inception", dataclasses.replace(known, sha256=file_hash(file)))
    assert weights_file("inception", None) == file


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_a_damaged_bundled_file_is_refused(tmp_path, monkeypatch, name):
    bundled = shutil.copytree(BUNDLED, tmp_path / "bundled")
    monkeypatch.setattr(weights, "BUNDLED", bundled)
    assert weights_file(name, None) == bundled / f"{name}.pt"
    content = bytearray((bundled / f"{name}.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (bundled / f"{name}.pt").write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}\.pt is damaged: install gansweep again"):
        weights_file(name, None)


def test_a_file_of_weights_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="there is no file of Inception's weights at"):
        weights_file("inception", str(tmp_path))
    with pytest.raises(UserError, match="cannot be read: No such file"):
        file_hash(tmp_path / "nothing")

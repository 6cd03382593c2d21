"""`gansweep fetch`, and downloads that several processes want at once."""

import gzip
import hashlib
import http.server
import re
import struct
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from gansweep import data
from gansweep.cli import main
from gansweep.data.downloads import download
from gansweep.errors import UserError
from gansweep.evaluation import weights

FILES = {"train-images-idx3-ubyte": (5, 28, 28), "train-labels-idx1-ubyte": (5,)}
FILES |= {"t10k-images-idx3-ubyte": (3, 28, 28), "t10k-labels-idx1-ubyte": (3,)}


def idx(shape: tuple[int, ...]) -> bytes:
    values = np.arange(np.prod(shape)).astype(np.uint8)
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape) + values.tobytes()


@pytest.fixture
def mirror(monkeypatch):
    """A server on the loopback with MNIST's four archives, in place of torchvision's; the paths asked for."""
    from torchvision.datasets import MNIST

    archives = {f"/{name}.gz": gzip.compress(idx(shape), mtime=0) for name, shape in FILES.items()}
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            time.sleep(0.02)
            self.send_response(200)
            self.send_header("Content-Length", str(len(archives[self.path])))
            self.end_headers()
            self.wfile.write(archives[self.path])

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    resources = [(path[1:], hashlib.md5(content).hexdigest()) for path, content in archives.items()]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        monkeypatch.setattr(MNIST, "resources", resources)
        monkeypatch.setattr("urllib.request._opener", None)  # it remembers the proxies of earlier tests
        yield asked
        server.shutdown()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("urllib.request._opener", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GANSWEEP_DATA", str(tmp_path / "data"))


def test_who_wants_a_data_set_at_once_gets_it_by_one_download(mirror, tmp_path):
    with ThreadPoolExecutor(3) as threads:
        loaded = list(threads.map(lambda _: data.load("mnist", tmp_path), range(3)))
    assert [len(dataset.train) for dataset in loaded] == [5, 5, 5]
    # torchvision asks for redirections first
    assert Counter(mirror) == {f"/{name}.gz": 2 for name in FILES}
    assert {file.name for file in (tmp_path / "MNIST" / "raw").iterdir()} == set(FILES)
    assert {file.name for file in tmp_path.iterdir()} == {"MNIST", ".mnist.lock"}


def test_an_archive_that_the_user_has_brought_is_not_downloaded(mirror, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, shape in FILES.items():
        (raw / f"{name}.gz").write_bytes(gzip.compress(idx(shape), mtime=0))
    assert len(data.load("mnist", tmp_path).test) == 3 and mirror == []


def test_a_download_that_breaks_off_leaves_nothing(tmp_path):
    def fetch(scratch: Path) -> None:
        (scratch / "set" / "half").write_text("half of it")
        raise OSError("the connection is gone")

    with pytest.raises(UserError, match=r"'x' is not complete in .*set.*the connection is gone"):
        download("x", tmp_path, "set", lambda: False, fetch)
    assert [file.name for file in tmp_path.iterdir()] == [".x.lock"]


def test_files_in_parts_are_replaced_by_whole_ones(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "images" / "old").touch()

    def fetch(scratch: Path) -> None:
        (scratch / "set" / "images").mkdir()
        (scratch / "set" / "images" / "new").touch()
        (scratch / "set" / "images.zip").touch()

    download("x", tmp_path, "set", lambda: False, fetch)
    assert [file.name for file in (tmp_path / "set").iterdir()] == ["images"]
    assert [file.name for file in (tmp_path / "set" / "images").iterdir()] == ["new"]


def test_weights_are_downloaded_once_and_whole(tmp_path, monkeypatch):
    source = tmp_path / "x-6726825d.pth"
    source.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    given = weights.Weights("X", "x", source.as_uri(), digest, "GANSWEEP_X_WEIGHTS")
    monkeypatch.setitem(weights.PUBLISHED, "inception", given)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    file = weights.weights_file("inception", None)
    assert (
        file == tmp_path / "torch" / "hub" / "checkpoints" / source.name and file.read_bytes() == b"weights"
    )
    source.unlink()
    assert weights.weights_file("inception", None) == file


def test_fetch_says_where_everything_lies(capsys):
    assert main(["fetch", "quickstart", "digits", "ring"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "data set digits: 1,797 samples of 1×8×8"
    assert lines[1].startswith("extractor digits: weights in /") and lines[1].endswith("digits.pt")
    assert lines[2:] == ["data set ring: 60,000 samples of 2"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("quikstart", "unknown study, data set or extractor 'quikstart'; did you mean 'quickstart'?"),
        ("inception", "extractor inception: .* could not be downloaded .*GANSWEEP_INCEPTION_WEIGHTS"),
        ("mnist", "data set 'mnist' is not complete in .*data/MNIST/raw"),
        ("missing.py", "there is no study file 'missing.py'"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(name, sentence, offline, capsys):
    assert main(["fetch", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert re.search(sentence, line)


def test_results_are_where_the_environment_says(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANSWEEP_RESULTS", str(tmp_path / "shared"))
    assert main(["status", "nothing"]) == 2
    assert f"unknown study in {tmp_path / 'shared'}" in capsys.readouterr().err

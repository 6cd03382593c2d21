"""Reference statistics in files: never used unless they are those of the data and the evaluation."""

import random
import shutil

import pytest
import torch

from gansweep import data
from gansweep.evaluation import Evaluation
from gansweep.evaluation.reference import Reference, build_reference
from gansweep.evaluation.stored import shared_reference, stored_reference, study_reference

EVALUATION = Evaluation(n_images=100)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def made(digits):
    return build_reference(digits, EVALUATION)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "references"


def equal(one: Reference, other: Reference) -> bool:
    return torch.equal(one.mu, other.mu) and torch.equal(one.sigma, other.sigma) and one.floor == other.floor


def cached(cache, digits):
    shared_reference(digits, EVALUATION)
    (file,) = cache.glob("*.pt")
    return file


def test_changed_bits_of_a_cached_reference_change_no_score(cache, digits, made, caplog):
    file = cached(cache, digits)
    whole, chance = file.read_bytes(), random.Random(2)
    for _ in range(60):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        assert stored_reference(file, made.metric_id) is None
    assert equal(shared_reference(digits, EVALUATION), made)
    assert file.read_bytes() == whole
    assert "these reference statistics are computed again" in caplog.text


def moved_mean(content):
    content["mu"] = content["mu"] + 5


def without_mean(content):
    del content["mu"]


@pytest.mark.parametrize("change", [moved_mean, without_mean])
def test_a_reference_that_was_changed_and_saved_again_is_not_taken(cache, digits, made, change):
    file = cached(cache, digits)
    content = torch.load(file, weights_only=True)
    change(content)
    torch.save(content, file)
    assert equal(shared_reference(digits, EVALUATION), made)


def test_a_reference_of_another_number_of_images_is_not_taken(cache, digits, made):
    file = cached(cache, digits)
    other = shared_reference(digits, Evaluation(n_images=200))
    shutil.copy(cache / f"{other.metric_id}.pt", file)
    assert other.floor != made.floor
    assert equal(shared_reference(digits, EVALUATION), made)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half an archive"])
def test_what_is_no_reference_is_made_again(cache, digits, made, content, tmp_path):
    file = cached(cache, digits)
    file.write_bytes(content)
    assert equal(shared_reference(digits, EVALUATION), made)
    own = tmp_path / "digits.pt"
    own.write_bytes(content)
    assert equal(study_reference(own, digits, EVALUATION), made)
    assert own.read_bytes() == content


def test_a_folder_in_its_place_keeps_nobody_from_the_statistics(cache, digits, made):
    file = cached(cache, digits)
    file.unlink()
    file.mkdir()
    assert equal(shared_reference(digits, EVALUATION), made)


def test_a_cache_of_another_user_is_read(cache, digits, made, monkeypatch):
    file = cached(cache, digits)
    monkeypatch.setattr("gansweep.evaluation.stored.build_reference", None)  # it must not be needed

    def denied(lock):
        raise PermissionError(13, "Permission denied", str(lock))

    monkeypatch.setattr("gansweep.evaluation.stored.file_lock", denied)
    assert equal(shared_reference(digits, EVALUATION), made)
    assert file.exists()


def test_a_full_disk_under_the_cache_is_no_error(cache, digits, made, monkeypatch, caplog):
    def full(self, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Reference, "save", full)
    assert equal(shared_reference(digits, EVALUATION), made)
    assert "reference statistics are not kept" in caplog.text and "No space left" in caplog.text

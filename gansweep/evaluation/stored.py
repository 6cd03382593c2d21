"""Reference statistics in files, of a study and in a cache that all studies share.

A file is used only if it holds what was written, for the same data and evaluation; else they are computed
again.
"""

import logging
from pathlib import Path

import torch

from gansweep.data import Dataset
from gansweep.data.places import cache_root
from gansweep.errors import Damaged
from gansweep.evaluation.reference import Reference, build_reference, describe, metric_id
from gansweep.evaluation.settings import Evaluation
from gansweep.files import file_lock

_log = logging.getLogger(__name__)


def shared_reference(
    dataset: Dataset, evaluation: Evaluation, device: str | torch.device = "cpu"
) -> Reference:
    """Returns the result of `build_reference`, from `cache_root()` if stored; processes wait for the first.

    Raises:
        UserError: as for `build_reference`.
    """
    name = metric_id(describe(dataset, evaluation))
    file = cache_root() / "references" / f"{name}.pt"
    try:
        with file_lock(file.with_name(f".{file.name}.lock")):
            known = stored_reference(file, name)
            reference = known.completed(evaluation) if known else build_reference(dataset, evaluation, device)
            if reference is not known:
                _keep(reference, file)
            return reference
    except OSError:  # the cache is of another user
        known = stored_reference(file, name)
        return known.completed(evaluation) if known else build_reference(dataset, evaluation, device)


def study_reference(
    file: Path, dataset: Dataset, evaluation: Evaluation, device: str | torch.device = "cpu"
) -> Reference:
    """Returns the reference of a study from its file, else as `shared_reference`.

    Raises:
        UserError: as for `build_reference`.
    """
    known = stored_reference(file, metric_id(describe(dataset, evaluation)))
    return known.completed(evaluation) if known else shared_reference(dataset, evaluation, device)


def stored_reference(file: Path, metric_id: str) -> Reference | None:
    """Returns the reference in a file; None if there is none, or one that was damaged or is another."""
    try:
        return Reference.load(file, metric_id)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Damaged as error:
        _log.warning("%s: these reference statistics are computed again", error)
    except OSError as error:
        _log.warning("%s: %s: these reference statistics are computed again", file, error.strerror)
    return None


def _keep(reference: Reference, file: Path) -> None:
    try:
        reference.save(file)
    except OSError as error:  # of a full disk: nothing depends on the cache
        _log.warning("reference statistics are not kept: %s: %s", file, error.strerror)

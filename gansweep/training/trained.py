"""A trained generator, loaded from its checkpoint to draw samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gansweep.data import Dataset
from gansweep.errors import Damaged, UserError
from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.options import Binding
from gansweep.results.row import Trial, slug
from gansweep.results.study_file import ResolvedStudy
from gansweep.training.binding import options_of, sampling_labels
from gansweep.training.checkpoints import Checkpoints
from gansweep.training.job import member_of
from gansweep.training.member import Member
from gansweep.training.randomness import latents
from gansweep.training.sizing.estimate import samples_at_once


@dataclass(frozen=True)
class Trained:
    """A generator after the last step of its trial, with the batch-norm statistics of its last evaluation."""

    member: Member
    dataset: Dataset
    network: nn.Module
    device: torch.device

    def samples(self, n: int, seed: int) -> tuple[Tensor, Tensor | None]:
        """Returns n samples on the CPU, as `Pack.samples` draws them, and their labels [n] or None.

        Images lie in [0, 1] up to rounding. Equal seeds give equal samples; the seed of the study's
        evaluation gives the evaluated samples.
        """
        architecture = ARCHITECTURES[self.member.architecture]
        prior = architecture.prior or self.member.variant.prior
        z = latents((n, architecture.z_dim), prior, torch.Generator().manual_seed(seed))
        y = sampling_labels(self.dataset, n, seed) if self.member.is_conditional else None
        return torch.cat(list(self._chunks(z, y))), y

    @torch.no_grad()
    def _chunks(self, z: Tensor, y: Tensor | None) -> Iterator[Tensor]:
        size = samples_at_once(self.member.architecture, self.dataset.shape)
        for start in range(0, len(z), size):
            labels = None if y is None else y[start : start + size].to(self.device)
            yield self.network(z[start : start + size].to(self.device), Binding(y=labels)).cpu()


def load_trained(
    folder: Path, trial: Trial, study: ResolvedStudy, dataset: Dataset, device: torch.device
) -> Trained:
    """Returns the trained generator of a trial.

    Raises:
        UserError: the generator was not saved, or is damaged; the message lists the saved ones.
    """
    checkpoints = Checkpoints(folder)
    state = checkpoints.load_generator(study, trial)
    if state is None:
        cell = f"{slug(trial.dataset)}-{trial.variant}-"
        kept = ", ".join(name for name in checkpoints.generators() if name.startswith(cell))
        raise UserError(
            f"there is no generator of {trial.trial_id}: each phase saves that of its best trial, "
            f"here {kept or 'none'}"
        )
    member = member_of(trial, study)
    role = {"G": member.variant.networks["G"]}
    network = build(role, member.architecture, dataset.shape, options_of([member], dataset), seed=0)["G"]
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError):  # of a file without a hash
        raise Damaged(
            f"the generator of {trial.trial_id} does not fit its network: it is of another study"
        ) from None
    return Trained(member, dataset, network.to(device).eval(), device)

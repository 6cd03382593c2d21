"""An explanation of a demonstration, in sentences computed from it."""

import numpy as np

from gansweep.demos.discriminator.training import Training


def explanation(training: Training) -> list[str]:
    """Returns sentences to read beside the pictures."""
    first, last = training.snapshots[0], training.snapshots[-1]
    gaps = [snapshot.gap for snapshot in training.snapshots]
    return [
        f"{training.label} on {training.dataset_label}: data grey, samples of G in colour, D the black line; "
        f"dashed the best D against these samples, {training.ideal}.",
        _on_scale(training),
        f"The samples’ Jensen-Shannon divergence from the data goes from {first.jsd:.3f} to {last.jsd:.3f} "
        f"in {last.step} steps (0: the same, {np.log(2):.3f}: nothing in common).",
        f"D differs from the best D by {np.mean(gaps):.2f} on average, by {min(gaps):.2f} at least: the best "
        "D moves whenever G changes, and D follows with a delay.",
        _on_the_end(training),
    ]


def _on_scale(training: Training) -> str:
    if training.is_fitted:
        return (
            "The score of D has no scale of its own and is shifted and scaled to fit the best D: compare "
            "where it rises and falls, not its height."
        )
    return "The score of D is drawn as the p / (p + q) for which it would be optimal."


def _on_the_end(training: Training) -> str:
    if training.has_diverged:
        return (
            f"After step {training.snapshots[-1].step} the training diverged: a loss became infinite or NaN. "
            "Lower learning rates or a bounded divergence avoid it."
        )
    share = training.p / (training.p + training.snapshots[-1].q)
    distance = float(np.average(np.abs(share - 0.5), weights=training.p))
    if distance < 0.1:
        return (
            f"At the end p / (p + q) is within {distance:.2f} of ½ where the data are: samples and data are "
            "hardly distinguishable, and G has little left to learn from D."
        )
    return (
        f"At the end p / (p + q) still differs from ½ by {distance:.2f} where the data are: above ½ G draws "
        "too few samples, below ½ too many."
    )

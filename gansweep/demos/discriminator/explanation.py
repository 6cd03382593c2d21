"""What a demonstration teaches, in words computed from it."""

import numpy as np

from gansweep.demos.discriminator.training import Course


def lesson(course: Course) -> list[str]:
    """Sentences to read beside the pictures."""
    first, last = course.moments[0], course.moments[-1]
    gaps = [moment.gap for moment in course.moments]
    return [
        f"{course.label} on {course.dataset_label}: data grey, samples of G in colour, D the black line; "
        f"dashed the best D against these samples, {course.ideal}.",
        _on_reading(course),
        f"The samples’ Jensen-Shannon divergence from the data goes from {first.jsd:.3f} to {last.jsd:.3f} "
        f"in {last.step} steps (0: the same, {np.log(2):.3f}: nothing in common).",
        f"D is off the best one by {np.mean(gaps):.2f} on average, by {min(gaps):.2f} at best: that one "
        "moves whenever G does, and D follows.",
        _on_the_end(course),
    ]


def _on_reading(course: Course) -> str:
    if course.is_fitted:
        return (
            "Its score has no scale of its own and is moved and stretched to fit the best D: compare where "
            "it rises and falls, not its height."
        )
    return "Its score is drawn as the p / (p + q) for which that score would be the best answer."


def _on_the_end(course: Course) -> str:
    if course.has_diverged:
        return (
            f"After step {course.moments[-1].step} the training diverged: a loss grew beyond all numbers. "
            "Lower learning rates or a bounded divergence avoid it."
        )
    share = course.p / (course.p + course.moments[-1].q)
    distance = float(np.average(np.abs(share - 0.5), weights=course.p))
    if distance < 0.1:
        return (
            f"At the end p / (p + q) is within {distance:.2f} of ½ where the data are: samples and data can "
            "hardly be told apart, and D has little left to teach G."
        )
    return (
        f"At the end p / (p + q) is still {distance:.2f} away from ½ where the data are: above ½ G draws too "
        "little, below ½ too much."
    )

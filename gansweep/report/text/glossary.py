"""What the words of a report mean: shown on hover over a heading, and as a list."""

from gansweep.report.comparison import Comparison
from gansweep.report.text.numbers import fid_text


def glossary(comparison: Comparison) -> dict[str, str]:
    """Returns an explanation of each term that this report uses, in alphabetical order."""
    manifest, unit = comparison.manifest, comparison.unit
    noise = "noise" if manifest.fingerprint else "an untrained generator"
    limits = ", ".join(
        f"{fid_text(manifest.collapse_above[name])} on {comparison.dataset_label(name)}"
        for name in comparison.datasets
    )
    terms = {
        "Bad": "Failed or collapsed.",
        "Best FID": "The lowest FID that a trial of the search reached: lucky, and lower for more trials.",
        "Budget": f"Try k random {unit}s and keep the best: k is the budget.",
        "Collapsed": f"A trial that has learned nothing that counts: no FID is below that of {noise} "
        f"({limits}).",
        "Default": "The configuration that the authors of a variant suggest; shown, but not part of the "
        "search.",
        "Diverged": "A trial whose losses, weights or samples are no longer finite.",
        "Failed": "Diverged, frozen, crashed or out of time. Counts as worse than any FID; none is left out.",
        "FID": "Fréchet distance between the features of generated and of real images; lower is better. It "
        "is biased upwards for few images, so only values with one fingerprint compare.",
        "Fingerprint": "A hash of how a number was measured: images, their number, extractor, versions.",
        "Fresh seed": "A training run that took part in no choice, so its score is not optimistic.",
        "Frozen": "A trial whose generator, or every term of whose losses, no longer changes.",
        "Interval": "95 %, exact, from order statistics. It is of one number alone: whether two variants "
        "differ is decided by the tests of all pairs, not by whether intervals overlap.",
        "Leads": "In the leading group (●): the variant of the lowest median and all that it does not beat "
        "by the tests of all pairs, which does not mean that they are equal.",
        "Median best FID": f"The middle one of the lowest FIDs that searches of k {unit}s would find.",
        "Separable": "Told apart by the tests of all pairs of variants: rank-sum tests on fresh seeds, "
        "permutation tests of the best of k in the search, Holm-adjusted, at a level of 0.05.",
        "Trial": "One training run: one configuration of one variant on one data set with one seed.",
    }
    if comparison.is_halved:
        terms["Pruned"] = "A trial that was stopped early, since others were better at that step."
    if "validation" in manifest.selection.values():
        terms["Validation set"] = (
            "Held out of the training data; chooses checkpoints and configurations. FIDs to it and to the "
            "test images are of different images and do not compare."
        )
    return dict(sorted(terms.items(), key=lambda item: item[0].lower()))


def hint(heading: str, terms: dict[str, str]) -> str:
    """Returns the explanation of the longest term that a heading of a table begins with or has; else nothing.

    >>> hint("Bad seeds", {"Bad": "b", "FID": "f"}), hint("Seeds", {"Bad": "b"})
    ('b', '')
    """
    words = heading.lower()
    found = [term for term in terms if term.lower() in words]
    return terms[max(found, key=lambda term: (words.startswith(term.lower()), len(term)))] if found else ""

"""The table of metrics: what each one means, what it needs, and how tables and figures show it.

Plain values without torch, for the modules that compute and that show metrics. A new metric is
an entry here and a function in `gansweep.evaluation.metrics.COMPUTE`.
"""

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "neither"]
Needs = Literal[
    "samples",
    "logits",
    "labels",
    "own classes",
    "mixture",
    "1-D",
    "polygons",
    "validation",
    "second extractor",
]
Strips = Literal["none", "further", "conditional", "polygons", "coverage"]
"""The figures that show several metrics side by side."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that scores a generator."""

    label: str  # on axes and in texts of a report
    description: str  # of its column in the tables; `column` adds the range and what is better
    better: Better
    needs: Needs = "samples"
    share: bool = False  # lies in [0, 1]
    log: bool = False  # drawn on a logarithmic axis
    strips: Strips = "further"  # the figure of strips that shows it
    # Rank in the figure of agreement with FID, which draws FID against the lowest rank; 0: not shown.
    agreement: int = 9
    in_all_tables: bool = False  # has a column where it was not measured, too

    @property
    def higher(self) -> bool:
        """Whether a higher value is better."""
        return self.better == "higher"

    @property
    def column(self) -> str:
        """The description of its column.

        >>> METRICS["accuracy"].column
        'share of samples in the requested class, 0 to 1: higher is better'
        """
        preference = "" if self.better == "neither" else f": {self.better} is better"
        return f"{self.description}{', 0 to 1' if self.share else ''}{preference}"


METRICS = {
    "fid": Metric(
        label="FID",
        description="FID to the images that select (the test set, or a validation set)",
        better="lower",
        log=True,
        strips="none",
        agreement=0,
        in_all_tables=True,
    ),
    "test_fid": Metric(
        label="FID to the test images",
        description="FID to the test set, where a validation set selects",
        better="lower",
        needs="validation",
        log=True,
        strips="none",
        agreement=2,
    ),
    "second_fid": Metric(
        label="FID of a second extractor",
        description="FID of the features of a second extractor",
        better="lower",
        needs="second extractor",
        log=True,
        strips="none",
        agreement=1,
    ),
    "isc": Metric(
        label="Inception Score",
        description="Inception Score",
        better="higher",
        needs="logits",
        in_all_tables=True,
    ),
    "kid": Metric(
        label="KID",
        description="kernel distance (squared MMD) of features",
        better="lower",
        agreement=3,
        in_all_tables=True,
    ),
    "precision": Metric(
        label="precision (k-NN)",
        description="share of samples near the neighbourhoods of real features",
        better="higher",
        share=True,
        in_all_tables=True,
    ),
    "recall": Metric(
        label="recall (k-NN)",
        description="share of real samples near the neighbourhoods of generated features",
        better="higher",
        share=True,
        in_all_tables=True,
    ),
    "intra_fid": Metric(
        label="intra-class FID",
        description="mean over classes of the FID within the class",
        better="lower",
        needs="labels",
        log=True,
        strips="conditional",
    ),
    "accuracy": Metric(
        label="accuracy",
        description="share of samples in the requested class",
        better="higher",
        needs="own classes",
        share=True,
        strips="conditional",
    ),
    "polygon_f1": Metric(
        label="F1",
        description="harmonic mean of polygon precision and recall",
        better="higher",
        needs="polygons",
        share=True,
        strips="polygons",
    ),
    "polygon_precision": Metric(
        label="precision",
        description="share of samples near the manifold of polygons",
        better="higher",
        needs="polygons",
        share=True,
        strips="polygons",
        agreement=0,
    ),
    "polygon_recall": Metric(
        label="recall",
        description="share of test polygons that the generator can make",
        better="higher",
        needs="polygons",
        share=True,
        strips="polygons",
        agreement=0,
    ),
    "modes": Metric(
        label="number of modes",
        description="number of components with a sample of high quality",
        better="higher",
        needs="mixture",
        strips="coverage",
    ),
    "high_quality": Metric(
        label="high-quality share",
        description="share of samples within 3 sd of their nearest mean",
        better="higher",
        needs="mixture",
        share=True,
        strips="coverage",
        agreement=0,
    ),
    "mean": Metric(
        label="mean",
        description="mean of the samples",
        better="neither",
        needs="1-D",
    ),
    "sd": Metric(
        label="standard deviation",
        description="standard deviation of the samples",
        better="neither",
        needs="1-D",
    ),
}
"""Every metric by name; the modules that compute them state their sources. A study that lacks what a metric
needs is refused before training, except that the Inception Score of vectors is left out."""


def in_strips(figure: Strips) -> tuple[str, ...]:
    """Returns the names of the metrics that a figure of strips shows, in the order of the table.

    A metric of which neither a lower nor a higher value is better is in none.

    >>> in_strips("conditional")
    ('intra_fid', 'accuracy')
    """
    return tuple(
        name for name, metric in METRICS.items() if metric.strips == figure and metric.better != "neither"
    )


def compared_with_fid() -> tuple[str, ...]:
    """Returns the names of the metrics whose agreement with FID is shown, by rank.

    >>> compared_with_fid()[:4]
    ('second_fid', 'test_fid', 'kid', 'isc')
    """
    ranked = [name for name, metric in METRICS.items() if metric.agreement and metric.better != "neither"]
    return tuple(sorted(ranked, key=lambda name: METRICS[name].agreement))

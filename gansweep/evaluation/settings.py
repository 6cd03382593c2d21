"""What is measured, and with which features: plain values, without torch."""

from dataclasses import dataclass

from gansweep.errors import UserError, unknown

METRICS = ("fid", "isc", "kid", "precision", "recall")
ISC_SPLITS = 10
KID_SUBSETS = 100
KID_SUBSET_SIZE = 1000
NEIGHBOURS = 3  # k of precision and recall
MIN_IMAGES = 10 * ISC_SPLITS


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A network that turns samples into the features which metrics compare."""

    description: str
    features: str  # the layer of FID, KID, precision and recall
    logits: str  # the layer of the Inception Score; "": it has no classes
    shape: tuple[int, int, int] | None  # (C, H, W) of the images it takes; None: see `fits`
    resize: str
    batch_size: int

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it takes samples of this shape: (C, H, W) of images, (d,) of vectors."""
        if self.shape is not None:
            return shape == self.shape
        return len(shape) == (3 if self.logits else 1)


EXTRACTORS = {
    "inception": Extractor(
        description="Inception-v3 of 2015-12-05, 2,048 features: the usual FID",
        features="2048",
        logits="logits_unbiased",
        shape=None,
        resize="bilinear to 299x299 as TensorFlow 1 does, grey repeated to 3 channels",
        batch_size=64,
    ),
    "digits": Extractor(
        description="bundled classifier of 8×8 digits, 32 features",
        features="features",
        logits="logits",
        shape=(1, 8, 8),
        resize="none",
        batch_size=1000,
    ),
    "mnist": Extractor(
        description="bundled classifier of MNIST, 64 features",
        features="features",
        logits="logits",
        shape=(1, 28, 28),
        resize="none",
        batch_size=1000,
    ),
    "raw": Extractor(
        description="the coordinates of vectors themselves",
        features="features",
        logits="",
        shape=None,
        resize="none",
        batch_size=10_000,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How generators are scored.

    >>> Evaluation(n_images=50)
    Traceback (most recent call last):
    gansweep.errors.UserError: n_images >= 100 must hold, 10 for each split of the Inception Score, but got 50
    """

    extractor: str = "auto"  # a name in EXTRACTORS; "auto": the one made for the data set, else inception
    n_images: int = 10_000  # generated; the real side is the whole test set
    metrics: tuple[str, ...] = ("fid", "isc")
    weights: str | None = None  # a file of Inception's weights; by default it is downloaded
    seed: int = 2020  # of the latents, the same for all trials

    def __post_init__(self) -> None:
        if isinstance(self.metrics, str):
            raise UserError(f"metrics must be a tuple of names, as ('fid',), but got {self.metrics!r}")
        object.__setattr__(self, "metrics", tuple(self.metrics))  # JSON has lists
        if self.extractor not in ("auto", *EXTRACTORS):
            raise unknown("feature extractor", self.extractor, ("auto", *EXTRACTORS))
        for metric in self.metrics:
            if metric not in METRICS:
                raise unknown("metric", metric, METRICS)
        if not self.metrics:
            raise UserError(f"an evaluation needs one metric or more of {', '.join(METRICS)}, but got none")
        if self.n_images < MIN_IMAGES:
            raise UserError(
                f"n_images >= {MIN_IMAGES} must hold, 10 for each split of the Inception Score, "
                f"but got {self.n_images}"
            )

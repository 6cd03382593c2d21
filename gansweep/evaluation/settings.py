"""Settings of an evaluation and the table of feature extractors: plain values, without torch."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal, Self, TypeAlias

from gansweep.errors import refuse, unknown
from gansweep.fields import Count, Names, Positive, Seed, check_fields, field_mistakes, make_plain, whole
from gansweep.results.metrics import METRICS, Needs
from gansweep.results.study_file import ResolvedStudy

ISC_SPLITS = 10
KID_SUBSETS = 100
KID_SUBSET_SIZE = 1000
NEIGHBOURS = 3  # k of precision and recall
SELECTIONS = ("test", "validation")
PRECISIONS = ("float32", "bfloat16", "float16")  # of convolutions and matrix products in an extractor
MOST_IMAGES = 1_000_000  # generated for one evaluation: 20 times as many as published FIDs are of
Images: TypeAlias = Annotated[int, whole(1, MOST_IMAGES)]
N_LATENTS = 1024  # random latents from which the inversion of a generator may start


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A network that maps samples to the features that metrics compare."""

    description: str
    features: str  # layer of FID, KID, precision and recall
    logits: str  # layer of the Inception Score; "" if the extractor has no classes
    shape: tuple[int, int, int] | None  # (C, H, W) of its images; None: see `fits`
    resize: str
    batch_size: int
    n_features: int = 0  # 0: those of a sample itself
    kind: Literal["image", "vector"] = "image"
    max_side: float = math.inf  # pixels

    def count_features(self, shape: tuple[int, ...]) -> int:
        """Returns the number of features of a sample of a shape."""
        return self.n_features or math.prod(shape)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Returns whether it accepts samples of a shape: (C, H, W) of images, (d,) of vectors."""
        if self.shape is not None:
            return shape == self.shape
        if self.kind == "vector":
            return len(shape) == 1
        return len(shape) == 3 and max(shape[1:]) <= self.max_side


EXTRACTORS = {
    "inception": Extractor(
        description="Inception-v3 of 2015-12-05, 2,048 features: the usual FID",
        features="2048",
        logits="logits_unbiased",
        shape=None,
        resize="bilinear to 299x299 as TensorFlow 1 does, grey repeated to 3 channels",
        batch_size=64,
        n_features=2_048,
    ),
    "digits": Extractor(
        description="bundled classifier of 8×8 digits, 32 features",
        features="features",
        logits="logits",
        shape=(1, 8, 8),
        resize="none",
        batch_size=500,
        n_features=32,
    ),
    "mnist": Extractor(
        description="bundled classifier of MNIST, 64 features",
        features="features",
        logits="logits",
        shape=(1, 28, 28),
        resize="none",
        batch_size=500,
        n_features=64,
    ),
    "raw": Extractor(
        description="the coordinates of vectors themselves",
        features="features",
        logits="",
        shape=None,
        resize="none",
        batch_size=10_000,
        kind="vector",
    ),
    "pixels": Extractor(
        description="the pixels of images up to 32×32, in 0..1: what anyone can see, nothing learnt",
        features="features",
        logits="",
        shape=None,
        resize="none",
        batch_size=10_000,
        max_side=32,
    ),
    "vgg16": Extractor(
        description="VGG-16 trained on ImageNet, 4,096 features of the layer fc7",
        features="fc2_relu",
        logits="",
        shape=None,
        resize="bilinear to 224x224 as TensorFlow 1 does, grey repeated to 3 channels",
        batch_size=64,
        n_features=4_096,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Manifold:
    """The distance that an image may have from the manifold of polygons, and how the distance is found.

    >>> Manifold(restarts=0)
    Traceback (most recent call last):
    gansweep.errors.UserError: restarts must be a whole number from 1 to 1024, but got 0
    """

    threshold: Positive = 0.75  # squared distance between images in [0, 1], as in the paper
    n_precision: Images = 1024  # generated images, as in the paper; fewer if n_images is smaller
    n_recall: Images = 256  # test images
    restarts: Annotated[int, whole(1, N_LATENTS)] = 5  # as in the paper
    vertex_steps: Count = 50  # of descent, per restart
    vertex_lr: Positive = 0.3  # first step size [pixels]
    latent_steps: Count = 100  # of descent, per restart; more steps raise recall slightly
    latent_lr: Positive = 0.1  # first step size

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Settings of how generators are scored.

    >>> Evaluation(n_images=50)
    Traceback (most recent call last):
    gansweep.errors.UserError: n_images must be a whole number from 100 to 1000000, but got 50
    """

    extractor: str = "auto"  # key of EXTRACTORS; "auto": the classifier of the data set, else inception
    second_extractor: str = "none"  # key of EXTRACTORS; adds the metric "second_fid", to the test set
    n_images: Annotated[int, whole(10 * ISC_SPLITS, MOST_IMAGES)] = (
        10_000  # number of generated samples; all test samples are the real ones
    )
    metrics: Names = ("fid", "isc")
    # The set whose FID selects checkpoints and configurations: "test", as in the paper, or "validation", held
    # out of the training set, which adds the metric "test_fid", the reported one.
    selection: str = "test"
    weights: str | None = None  # file of Inception's weights; None downloads it
    # Precision of convolutions and matrix products in an extractor, for real and generated samples. Scores of
    # different precisions are never compared. Hardware with instructions for a short precision takes half the
    # time. With random weights in Inception's shape, "float16" changes features by 0.5 % and FID by 1 %,
    # "bfloat16" by 1.5 % and 3 %. FIDs of digits and MNIST change by 0.02 % and 0.15 % at most.
    precision: str = "float32"
    seed: Seed = 2020  # of the latents, which are the same for all trials
    manifold: Manifold = Manifold()  # of the polygon metrics

    def __post_init__(self) -> None:
        if isinstance(self.metrics, list):  # from JSON: lists, and dicts in place of dataclasses
            object.__setattr__(self, "metrics", tuple(self.metrics))
        if isinstance(self.manifold, dict):
            object.__setattr__(self, "manifold", Manifold(**self.manifold))
        make_plain(self)
        if wrong := field_mistakes(self):
            refuse(*wrong.values())
            return
        refuse(*self._unknown_names())
        if self.validates and "test_fid" not in self.metrics:
            object.__setattr__(self, "metrics", (*self.metrics, "test_fid"))
        if self.second_extractor != "none" and "second_fid" not in self.metrics:
            object.__setattr__(self, "metrics", (*self.metrics, "second_fid"))

    def _unknown_names(self) -> Iterator[str]:
        for kind, name, known in (
            ("selection", self.selection, SELECTIONS),
            ("precision", self.precision, PRECISIONS),
            ("feature extractor", self.extractor, ("auto", *EXTRACTORS)),
            ("second feature extractor", self.second_extractor, ("none", *EXTRACTORS)),
            *(("metric", metric, METRICS) for metric in self.metrics),
        ):
            if name not in known:
                yield str(unknown(kind, name, known))

    @property
    def validates(self) -> bool:
        """Whether a validation set selects."""
        return self.selection == "validation"

    @property
    def second(self) -> "Evaluation | None":
        """The settings of the second extractor, if there is one."""
        if self.second_extractor == "none":
            return None
        return replace(
            self,
            extractor=self.second_extractor,
            second_extractor="none",
            weights=None,
            selection="test",
            metrics=("fid",),
        )

    def to_json(self) -> dict[str, object]:
        """Returns the fields as JSON values, without the default precision, which old files do not have."""
        values = asdict(self)
        return {k: v for k, v in values.items() if (k, v) != ("precision", "float32")}

    @classmethod
    def of(cls, study: ResolvedStudy, dataset: str) -> Self:
        """Returns how a study measures on a data set."""
        return cls(**study.evaluation[dataset])

    def asks(self, *metrics: str) -> bool:
        """Returns whether one of these metrics is requested."""
        return not set(metrics).isdisjoint(self.metrics)

    def needs(self, what: Needs) -> bool:
        """Returns whether a requested metric has this need."""
        return any(METRICS[metric].needs == what for metric in self.metrics)

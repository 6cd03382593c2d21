"""What it costs to score a trial, beside what it cannot cost less than and beside torch-fidelity itself.

CPU seconds of one thread, measured in turns in one process, medians. Three tables:

- FID and Inception Score of a pack. The floor is sampling by the pack and the extractor's forward pass alone.
  torch-fidelity gets the same samples in memory, at the same cost of sampling; "warm" finds the features and
  statistics of real images in its cache, "cold" does not.
- KID alone, precision and recall alone, of given features, beside torch-fidelity's functions.
- Inception (`--inception N` images): time by memory format and precision, and what precision does to features
  and FID. The weights are random, so times are Inception's but errors only of their kind.

    python benchmarks/evaluation.py [--tasks digits/16 mnist/1 mnist/4] [--images 10000 1000] [--turns 5]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch_fidelity
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.generative_model_modulewrapper import GenerativeModelModuleWrapper
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from training import TASKS, packed

from gansweep import data
from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, build_reference, to_uint8
from gansweep.evaluation.extractors import build, extract
from gansweep.evaluation.fidelity import registered_name
from gansweep.evaluation.metrics import features as metrics
from gansweep.evaluation.metrics import pairwise
from gansweep.evaluation.settings import PRECISIONS
from gansweep.training.pack import Pack
from gansweep.training.randomness import latents
from gansweep.training.samples import draw_samples

FEATURE_SEED = 0


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


class InTurn(nn.Module):
    """A generative model that hands out given images, as many as it gets latents."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images, self.at = images, 0

    def forward(self, z: Tensor) -> Tensor:
        self.at += len(z)
        return self.images[self.at - len(z) : self.at]


class Images(torch.utils.data.Dataset[Tensor]):
    """A tensor as torch-fidelity takes it."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Tensor:
        return self.images[i]


def by_library(samples: Tensor, dataset: Dataset, batch_size: int, cache: Path | None) -> dict[str, float]:
    found: dict[str, float] = torch_fidelity.calculate_metrics(
        input1=GenerativeModelModuleWrapper(InTurn(samples), 1, "normal", 0, cuda=False),
        input1_model_num_samples=len(samples),
        input2=Images(dataset.test),
        input2_cache_name=cache and dataset.name,
        cache_root=cache and str(cache),
        cache=cache is not None,
        feature_extractor=registered_name(dataset.name),
        batch_size=batch_size,
        save_cpu_ram=True,  # no processes that only copy
        cuda=False,
        verbose=False,
        fid=True,
        isc=True,
    )
    return found


def sample(pack: Pack, n: int) -> None:
    z = latents((n, pack.z_dim), pack.prior, torch.Generator().manual_seed(0))
    for _ in pack.samples(z):
        pass


@torch.no_grad()
def forward(evaluator: Evaluator, samples: Tensor) -> None:
    for part in samples.flatten(0, 1).split(evaluator.spec.batch_size):
        evaluator.network(part)


def compare_scores(name: str, n_members: int, n: int, turns: int, cache: Path) -> None:
    dataset = data.load(name)
    evaluation = Evaluation(extractor=name, n_images=n)
    evaluator = Evaluator(build_reference(dataset, evaluation), evaluation)
    pack, size = packed(dataset, TASKS[name], n_members), evaluator.spec.batch_size
    samples = draw_samples(pack, evaluation)[0]
    scores = evaluator.score_pack(samples)
    theirs = by_library(samples[0], dataset, size, cache)["frechet_inception_distance"]
    rows = []
    for _ in range(turns):
        sampling = cpu_seconds(lambda: sample(pack, n)) / n_members
        floor = sampling + cpu_seconds(lambda: forward(evaluator, samples)) / n_members
        ours = cpu_seconds(lambda: evaluator.score_pack(draw_samples(pack, evaluation)[0])) / n_members
        warm = sampling + cpu_seconds(lambda: by_library(samples[0], dataset, size, cache))
        cold = sampling + cpu_seconds(lambda: by_library(samples[0], dataset, size, None))
        rows.append((floor, ours, warm, cold))
    floor, *others = (1e3 * statistics.median(column) for column in zip(*rows, strict=True))
    text = f"{name:<8}{n_members:>5}{n:>8,}{floor:>10.1f}"
    for i, milliseconds in enumerate(others, 1):
        text += f"{milliseconds:>10.1f} {ratio([row[i] / row[0] for row in rows]):>18}"
    print(f"{text}{abs(scores[0]['fid'] - theirs) / theirs:>10.0e}", flush=True)


def ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"


def compare_pairs(n: int, n_features: int, turns: int) -> None:
    """Of features drawn from two Gaussians that differ a little, n generated and n real ones."""
    generator = torch.Generator().manual_seed(FEATURE_SEED)
    real, generated = torch.randn(2, n, n_features, generator=generator)
    generated = 1.05 * generated + 0.02
    options = metrics.settings(n, n)
    means, radii = pairwise.kernel_means(real, n), pairwise.radii(real)
    calls: dict[str, tuple[Callable[[], list[float]], Callable[[], list[float]]]] = {
        "KID": (
            lambda: [pairwise.kernel_distance(generated, real, means)],
            lambda: [
                kid_features_to_metric(generated, real, verbose=False, **options)[
                    "kernel_inception_distance_mean"
                ]
            ],
        ),
        "precision, recall": (
            lambda: list(pairwise.precision_recall(generated, real, radii).values()),
            lambda: [*prc_features_to_metric(generated, real, verbose=False, **options).values()][:2],
        ),
    }
    for name, (ours, theirs) in calls.items():
        found, expected = ours(), theirs()
        off = max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))
        times = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(turns)]
        a, b = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
        print(
            f"{name:<20}{n:>8,}{n_features:>6}{a:>10.0f}{b:>12.0f}"
            f"{ratio([a / b for a, b in times]):>20}{off:>10.0e}",
            flush=True,
        )


class Blank(FeatureExtractorInceptionV3):
    def load_state_dict(self, state: object, **_: object) -> None:  # type: ignore[override]
        """Keep the initial weights."""


def random_inception(path: Path) -> Path:
    """A file of random weights in the shape of Inception's, that keep the size of what goes through them."""
    torch.save({}, path)
    torch.manual_seed(0)
    network = Blank("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(network.state_dict(), path)
    return path


def compare_inceptions(n: int, turns: int, folder: Path) -> None:
    """Features of n digits and of as many with noise, by each way of running the same network."""
    weights = random_inception(folder / "random.pth")
    digits = data.load("digits")
    noise = 0.3 * torch.randn(digits.test[:n].shape, generator=torch.Generator().manual_seed(1))
    both = torch.cat([digits.test[:n], to_uint8(digits.train[:n].float() / 255 + noise)])
    networks = {"plain": torch.contiguous_format, "channels_last": torch.channels_last}
    ways = [("plain", "float32"), *(("channels_last", precision) for precision in PRECISIONS)]
    built = {
        form: build("inception", ["2048"], weights, "cpu").to(memory_format=networks[form])
        for form in networks
    }
    times: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    features = {}
    for _ in range(turns):
        for way in ways:
            started = time.process_time()
            features[way] = extract(built[way[0]], both, 64, "cpu", way[1])["2048"]
            times[way].append((time.process_time() - started) / len(both))
    first = features[ways[0]]
    for way in ways:
        seen = features[way]
        fid = metrics.frechet(metrics.statistics(seen[n:]), metrics.statistics(seen[:n]))
        own = metrics.frechet(metrics.statistics(first[n:]), metrics.statistics(first[:n]))
        print(
            f"{way[0]:<16}{way[1]:<10}{1e3 * statistics.median(times[way]):>12.1f}"
            f"{ratio([b / a for a, b in zip(times[way], times[ways[0]], strict=True)]):>20}"
            f"{((seen - first).norm() / first.norm()).item():>16.1e}{abs(fid - own) / own:>12.1e}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", default=["digits/16", "mnist/1", "mnist/4"])
    parser.add_argument("--images", nargs="+", type=int, default=[10_000, 1000])
    parser.add_argument("--features", nargs="*", type=int, default=[32, 64])
    parser.add_argument("--inception", type=int, default=0)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}, one thread, medians of {options.turns} turns, CPU milliseconds a trial"
    )
    with tempfile.TemporaryDirectory() as scratch:
        if options.tasks:
            heads = "".join(f"{name:>10} {'times the floor':>18}" for name in ("ours", "warm", "cold"))
            print(f"{'task':<8}{'pack':>5}{'images':>8}{'floor':>10}{heads}{'FID off':>10}")
        for task in options.tasks:
            name, n_members = task.split("/")
            for n in options.images:
                compare_scores(name, int(n_members), n, options.turns, Path(scratch))
        if options.features:
            print(f"{'metric':<20}{'samples':>8}{'D':>6}{'ours':>10}{'library':>12}{'ratio':>20}{'off':>10}")
        for n_features in options.features:
            compare_pairs(max(options.images), n_features, options.turns)
        if options.inception:
            heads = f"{'an image':>12}{'times as fast':>20}{'features off':>16}{'FID off':>12}"
            print(f"{'Inception':<26}{heads}")
            compare_inceptions(options.inception, options.turns, Path(scratch))


if __name__ == "__main__":
    main()

"""Synthetic studies: the folder that a search leaves behind, without any training."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import structs
from PIL import Image
from rows import as_rows, without_checks

from gansweep.files import dump_json, write_atomically
from gansweep.results import phases
from gansweep.results.halving import HalvingState
from gansweep.results.plan import Plan
from gansweep.results.row import Outcome, Phase, Row, config_id, finite
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.results.tables import write_tables

FIRST_EIGHT = {
    "mm": ("MM GAN", "blue", "diamond"),
    "ns": ("NS GAN", "blue", "circle"),
    "lsgan": ("LS GAN", "green", "circle"),
    "wgan": ("WGAN", "orange", "circle"),
    "wgan_gp": ("WGAN GP", "orange", "diamond"),
    "dragan": ("DRAGAN", "purple", "circle"),
    "began": ("BEGAN", "verm", "circle"),
    "vae": ("VAE", "sky", "circle"),
}
FGANS = {
    "fgan_kl": ("f-GAN KL", "blue", "square"),
    "fgan_reverse_kl": ("f-GAN reverse KL", "green", "square"),
    "fgan_pearson": ("f-GAN Pearson", "orange", "square"),
    "fgan_js": ("f-GAN JS", "purple", "square"),
}
LOOKS = FIRST_EIGHT | FGANS
DATASETS = {"digits": "Digits 8×8", "fashion": "Fashion-MNIST", "polygons": "Polygons", "rings": "Rings"}
DATASETS |= {"mnist": "MNIST"}
VECTORS = {"ring": ("Ring of 8", 2), "mixture_1d": ("Mixture 1-D", 1)}  # label, dimensions
# quality at the best configuration, best log10(lr), tolerance in decades, chance to fail
NATURE = {
    "mm": (9.0, -3.8, 0.5, 0.12),
    "ns": (6.5, -3.7, 0.6, 0.06),
    "lsgan": (7.5, -3.5, 0.6, 0.10),
    "wgan": (8.0, -4.0, 0.6, 0.05),
    "wgan_gp": (5.5, -3.6, 0.9, 0.02),
    "dragan": (6.0, -3.6, 0.8, 0.04),
    "began": (11.0, -3.9, 0.4, 0.25),
    "vae": (18.0, -3.3, 1.2, 0.01),
} | dict.fromkeys(FGANS, (7.0, -3.7, 0.8, 0.05))
STEPS, EVALUATIONS, COLLAPSE = 5_000, 5, 200.0
PENALISED = ("wgan_gp", "dragan")


@dataclass(frozen=True)
class Made:
    """One synthetic trial: its hyperparameters, its FID per evaluation (NaN: not finite) and how it ended."""

    hp: dict[str, Any]
    fids: list[float]
    outcome: str | None
    failure: dict[str, Any] | None


def make_study(
    folder: Path,
    variants: int | tuple[str, ...] = 8,
    datasets: int | tuple[str, ...] = 2,
    trials: int = 30,
    seed: int = 0,
    fail: tuple[str, ...] = (),
    running: tuple[str, ...] = (),
    empty: tuple[str, ...] = (),
    short: tuple[str, ...] = (),
    samples: bool = True,
    metrics: tuple[str, ...] = (),
    confirm: dict[str, int] | None = None,
    replicate: dict[str, int] | None = None,
    halving: dict[str, int] | None = None,
    same_configurations: bool = False,
    finalists: bool = False,
    **manifest: Any,
) -> Path:
    """Write a study's folder and return it.

    The first trial of each cell is the default. Of the variants, every trial of those in `fail` crashes, a
    third of those in `running` still runs, those in `empty` have no trial and those in `short` only half.
    `metrics` are measured besides FID; with "test_fid" among them a validation set selects. `confirm` and
    `replicate` are as a resolved study has them, and their trials are there too. With `same_configurations`
    all data sets have the same ones; with `halving` the search prunes trials, which are else the same; with
    `finalists` the best trial of each cell is measured again.
    Further keywords replace entries of the manifest.
    """
    names = tuple(FIRST_EIGHT)[:variants] if isinstance(variants, int) else variants
    sets = tuple(DATASETS)[:datasets] if isinstance(datasets, int) else datasets
    base = _manifest(names, sets, trials)
    base["budget"] |= {"confirm": confirm, "replicate": replicate}
    base["budget"] |= {"halving": halving} if halving else {}
    plan = plan_of(sets, names, base["budget"])
    base["planned_trials"] = phases.n_planned(plan) * len(plan.cells)
    base |= {"same_configurations": same_configurations} | manifest
    base["selection"] = dict.fromkeys(sets, "validation" if "test_fid" in metrics else "test")
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    writer = RowWriter(folder)
    for dataset in sets:
        _write_sample(folder / "samples" / f"real-{dataset}.{_suffix(dataset)}", generator, 0.0)
        for variant in names:
            count = 0 if variant in empty else trials // 2 if variant in short else trials
            cell: list[dict[str, Any]] = []
            for number in range(count):
                key = [seed, names.index(variant), number]
                drawn = np.random.default_rng(key) if same_configurations else generator
                made = _trial(generator, dataset, variant, number, _configuration(drawn, variant, number))
                if variant in fail:
                    failure = {"kind": "exception", "message": "RuntimeError: broken", "step": 0}
                    made = Made(made.hp, [np.nan], "crashed", failure)
                if variant in running and number % 3 == 2:
                    made = Made(made.hp, made.fids[:1], None, None)
                rows = _rows(base, dataset, variant, number, made, samples)
                for row in rows:
                    row["metrics"] |= {name: _measure(name, row) for name in metrics}
                cell += rows
                if samples and rows[-1]["files"]["sample"]:
                    _write_sample(folder / rows[-1]["files"]["sample"], generator, made.fids[-1])
            writer.append(_halved(as_rows(cell), plan) if halving else as_rows(cell))
    _write_phases(writer, generator, base, plan, metrics, samples)
    without_checks(folder)
    if finalists:
        _write_finalists(folder, generator, samples)
    write_tables(folder, base["collapse_above"])
    write_atomically(folder / "manifest.json", dump_json(base))
    return folder


def plan_of(datasets: Iterable[str], variants: Iterable[str], budget: dict[str, Any], seed: int = 0) -> Plan:
    """A plan. budget: as a manifest has it."""
    cells = {"datasets": list(datasets), "variants": list(variants), "seed": seed}
    return msgspec.convert({"confirm": None, "replicate": None} | budget | cells, Plan)


def _halved(rows: list[Row], plan: Plan) -> list[Row]:
    """The rows of a cell's trials as they are if it prunes them."""
    assert plan.halving
    halving = HalvingState(plan.halving, plan.evaluations)
    for row in rows:
        halving.add(row.trial_number)
        halving.note(row)
    while halving.decide():
        pass
    found = []
    for number, until in halving.until.items():
        mine = [row for row in rows if row.trial_number == number]
        if number in halving.pruned and halving.is_paused(number):
            mine = [structs.replace(row, outcome=None, failure=None) for row in mine[:until]]
            end = {"metrics": {}, "terms": {}, "outcome": Outcome.PRUNED}
            mine.append(structs.replace(mine[-1], **end))
        found += mine
    return found


def _write_phases(
    writer: RowWriter,
    generator: np.random.Generator,
    base: dict[str, Any],
    plan: Plan,
    metrics: tuple[str, ...],
    samples: bool,
) -> None:
    """What ran again on fresh seeds, with samples of those that confirm."""
    for stage in phases.stages(plan):
        for phase in stage:
            finished = phases.finished_trials(read_rows(writer.path.parent))
            for trial in phases.planned(phase, plan, finished):
                made = _trial(generator, trial.dataset, trial.variant, 1, trial.hp)
                rows = _rows(base, trial.dataset, trial.variant, trial.trial_number, made, False)
                for row in rows:
                    row |= {
                        name: getattr(trial, name) for name in ("phase", "trial_id", "seed", "is_default")
                    }
                    row["metrics"] |= {name: _measure(name, row) for name in metrics}
                if samples and phase == Phase.CONFIRM and np.isfinite(made.fids[-1]):
                    sample = f"samples/{trial.trial_id}.{_suffix(trial.dataset)}"
                    rows[-1]["files"]["sample"] = sample
                    _write_sample(writer.path.parent / sample, generator, made.fids[-1])
                writer.append(as_rows(rows))


def _write_finalists(folder: Path, generator: np.random.Generator, samples: bool) -> None:
    """Three more draws of samples, and FIDs of n images: 300 / n above what infinitely many give."""
    entries = []
    finished = phases.finished_trials(read_rows(folder))
    for _, best in sorted(phases.finalists(finished).items()):
        draws = [best.score * float(generator.lognormal(0, 0.01)) for _ in range(3)]
        sizes = np.linspace(500, 1000, 6).round().astype(int).tolist()
        neighbours = f"samples/neighbours-{best.trial_id}.png" if samples else None
        if neighbours:
            _write_sample(folder / neighbours, generator, best.score)
        entries.append(
            {name: getattr(best, name) for name in ("dataset", "variant", "trial_id", "phase")}
            | {"metric_id": f"fid-{best.dataset}"}
            | {"draws": draws, "sizes": sizes, "fids": [best.score - 0.3 + 300 / n for n in sizes]}
            | {"fid_infinity": best.score - 0.3, "slope": 300.0, "neighbours": neighbours}
        )
    write_atomically(
        folder / "finalists.json", dump_json({"schema": "gansweep.finalists/1", "finalists": entries})
    )


def _configuration(generator: np.random.Generator, variant: str, number: int) -> dict[str, Any]:
    return _hyperparameters(generator, variant) if number else _manifest_defaults(variant)


def _trial(
    generator: np.random.Generator, dataset: str, variant: str, number: int, hp: dict[str, Any]
) -> Made:
    quality, best_lr, tolerance, fragility = NATURE[variant]
    distance = abs(np.log10(hp["lr"]) - best_lr) / tolerance
    penalty = 1.3 if hp["d_norm"] == "none" else 1.0
    scale = 1.0 if dataset == "digits" else 3.5
    final = scale * quality * penalty * (1 + 0.9 * distance**1.6 + max(0.0, hp["beta1"] - 0.6) * 2)
    final *= float(generator.lognormal(0, 0.12))
    course = [final + 150 * np.exp(-1.2 * (i + 1)) for i in range(EVALUATIONS)]
    course = [value * float(generator.lognormal(0, 0.05)) for value in course]
    chance = fragility + 0.7 / (1 + np.exp(-8 * (np.log10(hp["lr"]) + 2.7)))
    if generator.random() < chance:
        cut = int(generator.integers(0, EVALUATIONS))
        failure = {"kind": "nan_loss", "message": "generator loss became NaN", "step": (cut + 1) * 1000 - 137}
        return Made(hp, [*course[:cut], np.nan], "diverged", failure)
    if generator.random() < 0.02:
        return Made(hp, [np.nan], "timeout", {"kind": "timeout", "message": "over 600 s", "step": 400})
    if generator.random() < fragility:
        course = [COLLAPSE * (1.1 + generator.random()) for _ in course]
    return Made(hp, course, "ok", None)


def _hyperparameters(generator: np.random.Generator, variant: str) -> dict[str, Any]:
    hp = {
        "lr": float(10 ** generator.uniform(-5, -2)),
        "beta1": float(generator.uniform(0, 1)),
        "n_critic": int(generator.choice([1, 5])),
        "d_norm": "none" if generator.random() < 0.5 else "batch",
    }
    return hp | ({"penalty_weight": float(10 ** generator.uniform(-1, 2))} if variant in PENALISED else {})


def _manifest_defaults(variant: str) -> dict[str, Any]:
    hp: dict[str, Any] = {"lr": 5e-5, "beta1": 0.0, "n_critic": 1, "d_norm": "batch"}
    return hp | ({"penalty_weight": 10.0} if variant in PENALISED else {})


def _space(variant: str) -> dict[str, Any]:
    space: dict[str, Any] = {
        "lr": {"loguniform": [1e-5, 1e-2]},
        "beta1": {"uniform": [0.0, 1.0]},
        "n_critic": {"choice": [1, 5]},
        "d_norm": {"choice": ["none", "batch"]},
        "z_dim": 64,
    }
    return space | ({"penalty_weight": {"loguniform": [0.1, 100.0]}} if variant in PENALISED else {})


def _rows(
    manifest: dict[str, Any], dataset: str, variant: str, number: int, made: Made, samples: bool
) -> list[dict[str, Any]]:
    trial_id = f"{dataset}-{variant}-{number:03d}"
    rows = []
    for index, fid in enumerate(made.fids):
        last = index == len(made.fids) - 1
        failed = last and made.failure is not None
        step = made.failure["step"] if failed and made.failure else (index + 1) * STEPS // EVALUATIONS
        sample = f"samples/{trial_id}.{_suffix(dataset)}" if samples and np.isfinite(fid) else None
        rows.append(
            {
                "study": manifest["study"],
                "phase": "search",
                "dataset": dataset,
                "variant": variant,
                "architecture": "mlp",
                "trial_id": trial_id,
                "trial_number": number,
                "config_id": config_id(made.hp),
                "seed": number,
                "sampler": manifest["sampler"],
                "sampler_seed": manifest["sampler_seed"],
                "is_default": number == 0,
                "hp": made.hp,
                "step": step,
                "steps_planned": STEPS,
                "images_seen": step * 64,
                "metrics": {"fid": finite(fid)},
                "metric_id": f"fid-{dataset}",
                "n_images": 1000,
                "terms": {"discriminator_real": 0.5, "generator_fake": 0.25},
                "outcome": made.outcome if last else None,
                "failure": made.failure if failed else None,
                "train_seconds": 12.0 * (index + 1),
                "eval_seconds": 1.5 * (index + 1),
                "pack": f"{variant}-0",
                "pack_size": 4,
                "host": "node-0",
                "device": "cpu",
                "started_at": "2026-01-01T00:00:00+00:00",
                "time": "2026-01-01T00:10:00+00:00",
                "files": {
                    "sample": sample if last else None,
                    "log": f"logs/{trial_id}.log",
                },
            }
        )
    return rows


def _manifest(names: tuple[str, ...], sets: tuple[str, ...], trials: int) -> dict[str, Any]:
    return {
        "schema": "gansweep.manifest/1",
        "study": "synthetic",
        "question": "Which objective wins when each gets the same search?",
        "created": "2026-01-01T00:00:00+00:00",
        "updated": "2026-01-02T03:04:05+00:00",
        "command": "python run_study.py --study synthetic",
        "gansweep": "0.1.0",
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "python": "3.11.7",
        "platform": "Linux",
        "packages": {"torch": "2.13.0", "numpy": "2.4.6"},
        "hardware": {"nodes": 1, "cpus": 2, "gpus": 0},
        "datasets": {
            name: {
                "label": VECTORS[name][0] if name in VECTORS else DATASETS[name],
                "n_train": 1197,
                "n_test": 600,
                "n_classes": 8,
                "shape": [VECTORS[name][1]] if name in VECTORS else [1, 8, 8],
                "sha256": "ab" * 32,
                "preprocessing": "none",
            }
            for name in sets
        },
        "metrics": {
            f"fid-{name}": {
                "dataset": name,
                "extractor": "digits",
                "weights_sha256": "cd" * 32,
                "n_images": 1000,
                "n_real": 600,
                "split": "test",
                "torch_fidelity": "0.4.0",
                "floor": {"fid": 3.2},
            }
            for name in sets
        },
        "collapse_above": dict.fromkeys(sets, COLLAPSE),
        "variants": {
            name: {
                "label": LOOKS[name][0],
                "family": "gan",
                "source": f"The authors of {name}, 2018, arXiv:1711.10337",
                "deviations": ["no noise on the inputs"] if name == "began" else [],
                "hue": LOOKS[name][1],
                "marker": LOOKS[name][2],
            }
            for name in names
        },
        "spaces": {name: _space(name) for name in names},
        "defaults": {name: _manifest_defaults(name) for name in names},
        "budget": {
            "trials": trials,
            "steps": STEPS,
            "evaluations": EVALUATIONS,
            "confirm": None,
            "replicate": None,
        },
        "selection": dict.fromkeys(sets, "test"),
        "same_configurations": False,
        "sampler": "random",
        "sampler_seed": 0,
        "wall_seconds": 123.4,
    }


def _measure(name: str, row: dict[str, Any]) -> float | None:
    """A metric that is the better the lower the FID; mean and sd of a variant are 1 and 2 in every trial."""
    fid = row["metrics"]["fid"]
    if fid is None:
        return None
    quality = float(np.exp(-fid / 40))
    values = {"modes": float(round(8 * quality)), "intra_fid": 1.7 * fid, "isc": 1 + 9 * quality}
    values |= {"test_fid": 1.05 * fid, "second_fid": 2 * fid * float(1 + 0.4 * np.sin(37 * fid))}
    return (values | {"mean": 1.0, "sd": 2.0, "kid": fid / 1000}).get(name, quality)


def _suffix(dataset: str) -> str:
    return "npy" if dataset in VECTORS else "png"


def _write_sample(path: Path, generator: np.random.Generator, fid: float) -> None:
    """What the worker saves: a grid of images, or 1,000 vectors."""
    dataset = path.stem.removeprefix("real-").split("-")[0]
    content = _vectors(dataset, generator, fid) if dataset in VECTORS else _images(generator, fid)
    write_atomically(path, content)


def _vectors(dataset: str, generator: np.random.Generator, fid: float) -> bytes:
    """Eight blobs on a circle, or one; the higher the FID, the fewer and the wider."""
    noise = 0.02 + min(fid, 300.0) / 300
    if VECTORS[dataset][1] == 1:
        points = generator.normal(0, 1 + noise, (1000, 1))
    else:
        angle = 2 * np.pi / 8 * generator.integers(0, max(1, round(8 - 8 * noise)), 1000)
        points = np.stack([np.cos(angle), np.sin(angle)], 1) + generator.normal(0, noise, (1000, 2))
    file = io.BytesIO()
    np.save(file, points.astype(np.float32), allow_pickle=False)
    return file.getvalue()


def _images(generator: np.random.Generator, fid: float) -> bytes:
    """An 8 x 8 grid of 8 x 8 blobs: the higher the FID, the noisier."""
    y, x = np.mgrid[-1:1:8j, -1:1:8j]
    grid = np.zeros((64, 64))
    for i in range(64):
        blob = np.exp(-3 * ((x - generator.normal(0, 0.3)) ** 2 + (y - generator.normal(0, 0.3)) ** 2))
        noisy = blob + generator.normal(0, min(fid, 300.0) / 300, (8, 8))
        grid[8 * (i // 8) : 8 * (i // 8) + 8, 8 * (i % 8) : 8 * (i % 8) + 8] = noisy
    file = io.BytesIO()
    Image.fromarray((255 * grid.clip(0, 1)).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()

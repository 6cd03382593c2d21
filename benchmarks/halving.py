"""What successive halving saves: steps until the search is as good as plain random search, on a real study.

NS and WGAN-GP search 81 configurations on scikit-learn's digits, once with every trial trained to its end and
once halved in brackets of 27 (eta 3, after 1 and 3 of 9 evaluations), from the same configurations and seeds.
The cost is steps of the discriminator. Both searches are really run, in this process, without Ray. How much
luck there is in them is seen by putting the configurations in random orders, with the curves of the plain
search: what it costs until the search is as good as the median one of 27 plain trials (interval: percentiles
of bootstraps of the configurations; 0 where halving never gets there), and as all plain trials together.

    python benchmarks/halving.py [--dataset digits] [--steps 360] [--groups 3] [--seeds 0] [--folder FOLDER]

A folder that has rows already goes on where it stopped, and is only evaluated if it is complete.
"""

import argparse
import io
import tempfile
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gansweep import data
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator
from gansweep.evaluation.reference import build_reference
from gansweep.results.halving import group
from gansweep.results.plan import Halving
from gansweep.results.row import Row
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.run.ledger import Ledger
from gansweep.run.search.search import Search
from gansweep.run.search.storage import open_storage
from gansweep.space import choice, loguniform, uniform
from gansweep.study.resolve import resolve
from gansweep.study.study import Study
from gansweep.training.trainer import Trainer

Values = NDArray[np.float64]
EVALUATIONS, SIZE, PACK_SIZE = 9, 27, 16
ORDERS, RESAMPLES = 400, 200


def make_study(options: argparse.Namespace, seed: int) -> Study:
    return Study(
        variants=("ns", "wgan_gp"),
        datasets=(options.dataset,),
        space={
            "lr": loguniform(1e-4, 1e-2),
            "beta1": uniform(0, 0.9),
            "d_norm": choice("none", "batch") if options.dataset == "digits" else "none",
            "n_critic": 1,
            "penalty_weight": loguniform(0.1, 10),
        },
        trials=1 + SIZE * options.groups,
        steps=options.steps,
        seed=seed,
        evaluations=EVALUATIONS,
        evaluation=Evaluation(n_images=1000),
    )


def run(folder: Path, study: Study) -> list[Row]:
    """Run a search in this process, or what is left of it; its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (name,) = study.datasets
    dataset = data.load(name)
    resolved = resolve("halving", "", study, {name: dataset})
    evaluation = Evaluation.of(resolved, name)
    evaluator = Evaluator(build_reference(dataset, evaluation), evaluation)
    with redirect_stdout(io.StringIO()):
        search = Search(resolved, open_storage(folder, None), folder, {name: PACK_SIZE})
        ledger = Ledger(folder, resolved, RowWriter(folder), search)
        search.resume(list(read_rows(folder)))
        ledger.record([])
        while job := search.next_job():
            for rows in Trainer(job, dataset, evaluator, torch.device("cpu")).rows():
                ledger.record(rows)
    return list(read_rows(folder))


def curves(rows: list[Row], variant: str, n: int) -> Values:
    """[n, EVALUATIONS]: the lowest FID so far of each random configuration; inf where it had failed."""
    found = np.full((n, EVALUATIONS), np.inf)
    for row in rows:
        if row.variant == variant and not row.is_default and row.fid is not None:
            found[row.trial_number - 1, round(EVALUATIONS * row.step / row.steps_planned) - 1] = row.fid
    lowest = np.minimum.accumulate(found, 1)
    return np.where(np.isfinite(found), lowest, np.inf)


def plain_search(found: Values) -> tuple[Values, Values]:
    """What a search of these configurations, in this order, has spent (evaluations) and found so far."""
    return np.arange(1.0, found.size + 1), np.minimum.accumulate(found.ravel())


def halved_search(found: Values) -> tuple[Values, Values]:
    """The same with successive halving, one bracket after another."""
    (bracket,) = group(Halving(eta=3, size=SIZE), EVALUATIONS)
    values = []
    for start in range(0, len(found), SIZE):
        members, before = found[start : start + SIZE], 0
        for end, n_trials in bracket.items():
            members = members[np.argsort(members[:, max(0, before - 1)], kind="stable")[:n_trials]]
            values.append(members[:, before:end].ravel())
            before = end
    whole = np.concatenate(values)
    return np.arange(1.0, len(whole) + 1), np.minimum.accumulate(whole)


def until(curve: Values, target: float) -> float:
    """After how many evaluations a search has found an FID of at most the target; inf if never."""
    return 1 + int(np.argmax(curve <= target)) if curve[-1] <= target else np.inf


def to_the_median(found: Values, rng: np.random.Generator) -> tuple[float, float]:
    """Evaluations until the median search is as good as that of SIZE plain trials: plain, halved."""
    plain, halved = (
        np.median([search(rng.permutation(found))[1] for _ in range(ORDERS)], axis=0)
        for search in (plain_search, halved_search)
    )
    target = plain[SIZE * EVALUATIONS - 1]
    return until(plain, target), until(halved, target)


def show_cell(variant: str, found: Values, per_evaluation: float) -> None:
    rng = np.random.default_rng(0)
    plain, halved = to_the_median(found, rng)
    again = [to_the_median(rng.choice(found, len(found)), rng) for _ in range(RESAMPLES)]
    low, high = np.quantile([p / h for p, h in again], (0.025, 0.975))
    print(
        f"{variant:<10}{f'as {SIZE} plain trials':<22}{plain * per_evaluation:>9,.0f}"
        f"{halved * per_evaluation:>9,.0f}{plain / halved:>7.2f}  [{low:.2f}, {high:.2f}]"
    )
    for name, factor in (("as all", 1.0), ("as all, within 10 %", 1.1)):
        orders = [rng.permutation(found) for _ in range(5 * ORDERS)]
        target = factor * found.min()
        costs = [[until(search(o)[1], target) for o in orders] for search in (plain_search, halved_search)]
        plain, halved = (float(np.median(mine)) for mine in costs)
        ratio, found_in = plain / halved or np.nan, np.mean(np.isfinite(costs[1]))
        print(
            f"{variant:<10}{name:<22}{plain * per_evaluation:>9,.0f}{halved * per_evaluation:>9,.0f}"
            f"{ratio:>7.2f}  halved finds it in {found_in:.0%} of the orders"
        )


def show_runs(runs: dict[str, list[Row]]) -> None:
    """What the two searches that were really run have spent and found."""
    heads = f"{'steps':>12}{'best FID':>10}{'finished':>10}{'pruned':>8}{'failed':>8}"
    print(f"{'search':<10}{'variant':<10}{heads}")
    for name, rows in runs.items():
        for variant in dict.fromkeys(row["variant"] for row in rows):
            mine = [row for row in rows if row["variant"] == variant and not row["is_default"]]
            ends = [row for row in mine if row["outcome"]]
            kinds = [sum(row["outcome"] == kind for row in ends) for kind in ("ok", "pruned")]
            done = {row["trial_id"] for row in ends if row["outcome"] == "ok"}
            best = min(r["metrics"]["fid"] for r in mine if r["trial_id"] in done and r["metrics"])
            steps = sum(row["step"] for row in ends)
            failed = len(ends) - sum(kinds)
            print(f"{name:<10}{variant:<10}{steps:>12,}{best:>10.2f}{kinds[0]:>10}{kinds[1]:>8}{failed:>8}")
    for name, rows in runs.items():
        seconds = sum(row["train_seconds"] + row["eval_seconds"] for row in rows if row["outcome"])
        print(f"{name}: {seconds:.0f} seconds of training and evaluation")
    fids = [
        {(r["trial_id"], r["step"]): r["metrics"]["fid"] for r in rows if r["metrics"].get("fid")}
        for rows in runs.values()
    ]
    apart = [abs(fids[1][key] / fids[0][key] - 1) for key in fids[1].keys() & fids[0].keys()]
    print(
        f"of {len(apart)} measurements that both made, {np.mean(np.array(apart) < 1e-3):.0%} agree to 0.1 % "
        f"(largest difference {max(apart):.1%}; packs of other sizes round differently)"
    )


def main() -> None:
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--steps", type=int, default=360)
    parser.add_argument("--groups", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            show(make_study(options, seed), (options.folder or Path(scratch)) / f"seed-{seed}")


def show(study: Study, folder: Path) -> None:
    halved = replace(study, halving=Halving(size=SIZE))
    runs = {name: run(folder / name, value) for name, value in {"plain": study, "halved": halved}.items()}
    print(f"seed {study.seed}")
    show_runs(runs)
    print("\nsteps until the search is as good, in the median of random orders")
    print(f"{'variant':<10}{'as good as':<22}{'plain':>9}{'halved':>9}{'ratio':>7}  [95 %]")
    for variant in study.variants:
        show_cell(variant, curves(runs["plain"], variant, study.trials - 1), study.steps / EVALUATIONS)
    print(flush=True)


if __name__ == "__main__":
    main()

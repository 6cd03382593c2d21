"""A whole study against what a careful user writes without gansweep, both from their command to their end.

Both search six variants with random configurations, train each with the same networks, batches, rounds and
evaluations, and score it by the same extractor. The plain side is Ray Tune with Optuna's random search, a
trial a Tune trial on a core, plain PyTorch with fused Adam, data in memory, actors that are used again, and
torch-fidelity with its cache; it writes a table and no report. gansweep's side is its command, report
included.

    python benchmarks/study.py [--data digits] [--trials 12] [--steps 320] [--turns 1]
    python benchmarks/study.py --data mnist --trials 4 --steps 100

It prints the wall time of both sides in turns, their ratio, the same without gansweep's report, and the most
memory that the processes of each side held together, and for each trial that was training at that time.
"second": the same study again under another name, when traces are at hand.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
VARIANTS = ("mm", "ns", "lsgan", "wgan", "wgan_gp", "dragan")
EVALUATIONS, N_IMAGES, BATCH, Z_DIM = 4, 1000, 64, 16
SIZES = (16, 32, 128)  # features of `conv8` and `conv28`
STUDY = '''"""A benchmark."""
from gansweep import Evaluation, Study, choice, loguniform, uniform

STUDY = Study(
    variants={variants}, datasets=("{data}",), architecture="{architecture}",
    space={{
        "lr": loguniform(1e-4, 1e-2), "beta1": uniform(0, 0.9), "d_norm": choice("none", "batch"),
        "n_critic": 1, "clip": loguniform(1e-2, 1), "penalty_weight": loguniform(0.1, 10),
    }},
    trials={trials}, steps={steps}, evaluations={evaluations}, evaluation=Evaluation(n_images={n_images}),
)
'''


class Side(NamedTuple):
    """One run. seconds: of wall time. before_report: the same until the report begins. megabytes: the most
    that all processes held together. trials: that trained at once."""

    seconds: float
    before_report: float
    megabytes: float
    trials: float

    @property
    def megabytes_a_trial(self) -> float:
        return self.megabytes / self.trials


def measure(words: list[str], environment: dict[str, str], folder: Path) -> tuple[float, float]:
    """Run a command to its end: wall seconds, and the most memory of its processes [MB]."""
    started, most = time.perf_counter(), 0.0
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            words, cwd=folder, env=os.environ | environment, stdout=output, stderr=output
        )
        while process.poll() is None:
            most = max(most, sum(map(proportional_megabytes, descendants(process.pid))))
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit((folder / "output").read_text()[-3000:])
    return time.perf_counter() - started, most


def descendants(pid: int) -> Iterator[int]:
    """Yields a process and all that it has started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # it has ended
            continue
        for child in children:
            yield from descendants(int(child))


def proportional_megabytes(pid: int) -> float:
    """Returns the memory of a process; what several share counts in parts."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def run_gansweep(options: argparse.Namespace, folder: Path, name: str) -> Side:
    (folder / "studies").mkdir(exist_ok=True)
    architecture = {"digits": "conv8", "mnist": "conv28"}[options.data]
    content = STUDY.format(
        variants=VARIANTS,
        data=options.data,
        architecture=architecture,
        trials=options.trials,
        steps=options.steps,
        evaluations=EVALUATIONS,
        n_images=N_IMAGES,
    )
    (folder / "studies" / f"{name}.py").write_text(content)
    environment = {"PYTHONPATH": str(ROOT), "GANSWEEP_CACHE": str(folder / "cache")}
    started = time.time()
    words = [
        sys.executable,
        str(ROOT / "run_study.py"),
        "--study",
        f"studies/{name}.py",
        "--results",
        "results",
    ]
    seconds, megabytes = measure(words, environment, folder)
    results = folder / "results" / name
    before_report = (results / "finalists.json").stat().st_mtime - started
    rows = [json.loads(line) for line in (results / "rows.jsonl").read_text().splitlines()]
    ended = {row["trial_id"]: row["pack_size"] for row in rows if row["outcome"]}
    assert len(ended) == options.trials * len(VARIANTS)
    mean_size = statistics.mean(ended.values())
    return Side(seconds, before_report, megabytes, options.workers * mean_size)


def run_plainly(options: argparse.Namespace, folder: Path) -> Side:
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT}/benchmarks", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, __file__, "--plain", "--data", options.data, "--workers", str(options.workers)]
    words += ["--trials", str(options.trials), "--steps", str(options.steps)]
    seconds, megabytes = measure(words, environment, folder)
    with (folder / "plain.csv").open() as file:
        assert len(list(csv.DictReader(file))) == options.trials * len(VARIANTS)
    return Side(seconds, seconds, megabytes, options.workers)


def plain_study(options: argparse.Namespace) -> None:
    """What a careful user writes: everything below runs on the plain side alone."""
    import optuna
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    variables = {name: os.environ[name] for name in ("PYTHONPATH", "OMP_NUM_THREADS")}
    ray.init(num_cpus=options.workers, include_dashboard=False, log_to_driver=False,
             runtime_env={"env_vars": variables})  # fmt: skip
    sampler = optuna.samplers.RandomSampler(seed=0)
    space = partial(plain_space, options.steps, options.data)
    results = tune.Tuner(
        tune.with_resources(plain_trial, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(space, metric="fid", mode="min", sampler=sampler),
            num_samples=options.trials * len(VARIANTS),
            max_concurrent_trials=options.workers,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name="plain", storage_path=str(Path("plain").resolve()), verbose=0),
    ).fit()
    if results.num_errors:
        raise SystemExit(f"{results.num_errors} trials failed")
    results.get_dataframe().to_csv("plain.csv")
    ray.shutdown()


def plain_space(steps: int, data: str, trial: Any) -> dict[str, Any]:
    variant = VARIANTS[trial.number % len(VARIANTS)]  # as many trials of each as gansweep's side has
    trial.suggest_float("lr", 1e-4, 1e-2, log=True)
    trial.suggest_float("beta1", 0, 0.9)
    trial.suggest_categorical("d_norm", ["none", "batch"])
    if variant == "wgan":
        trial.suggest_float("clip", 1e-2, 1, log=True)
    if variant in ("wgan_gp", "dragan"):
        trial.suggest_float("penalty_weight", 0.1, 10, log=True)
    return {"variant": variant, "seed": trial.number, "steps": steps, "data": data}


def plain_trial(config: dict[str, Any]) -> None:
    import torch
    import torch_fidelity
    from ray import tune
    from torch import nn
    from torch_fidelity.generative_model_modulewrapper import GenerativeModelModuleWrapper
    from training import plain_convolutional

    from gansweep import data
    from gansweep.evaluation.fidelity import registered_name  # the same extractor, known to torch-fidelity

    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    dataset = data.load(config["data"])
    images = dataset.train.float() / 255
    generator, discriminator = plain_convolutional(dataset.shape, Z_DIM, SIZES, config["d_norm"] == "batch")
    g_adam, d_adam = (
        torch.optim.Adam(net.parameters(), lr=config["lr"], betas=(config["beta1"], 0.999), fused=True)
        for net in (generator, discriminator)
    )

    class Images(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return len(dataset.test)

        def __getitem__(self, i: int) -> torch.Tensor:
            return dataset.test[i]

    class Sampler(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = (generator(z) * 255).round().to(torch.uint8)
            return made

    def fid() -> float:
        generator.eval()
        scores = torch_fidelity.calculate_metrics(
            input1=GenerativeModelModuleWrapper(Sampler(), Z_DIM, "normal", 0, cuda=False),
            input1_model_num_samples=N_IMAGES,
            input2=Images(),
            input2_cache_name=f"{config['data']}-test",
            cache_root=str(Path(tune.get_context().get_trial_dir()).parents[1] / "cache"),
            feature_extractor=registered_name(config["data"]),
            batch_size=250,
            cuda=False,
            verbose=False,
            save_cpu_ram=True,
            fid=True,
            isc=True,
        )
        generator.train()
        return float(scores["frechet_inception_distance"])

    for step in range(1, config["steps"] + 1):
        x = images[torch.randint(len(images), (BATCH,))]
        fake = generator(torch.randn(BATCH, Z_DIM)).detach()
        loss = plain_d_loss(config, discriminator, x, fake)
        d_adam.zero_grad()
        loss.backward()
        d_adam.step()
        if config["variant"] == "wgan":
            with torch.no_grad():
                for parameter in discriminator.parameters():
                    parameter.clamp_(-config["clip"], config["clip"])
        loss = plain_g_loss(config["variant"], discriminator(generator(torch.randn(BATCH, Z_DIM))))
        g_adam.zero_grad()
        loss.backward()
        g_adam.step()
        if step % (config["steps"] // EVALUATIONS) == 0:
            try:
                score = fid()
            except Exception:  # of a generator that has diverged
                score = float("inf")
            tune.report({"fid": score, "step": step})


def plain_d_loss(config: dict[str, Any], discriminator: Any, x: Any, fake: Any) -> Any:
    import torch
    from torch.nn.functional import softplus

    real_scores, fake_scores = discriminator(x), discriminator(fake)
    if config["variant"] in ("wgan", "wgan_gp"):
        loss = fake_scores.mean() - real_scores.mean()
    elif config["variant"] == "lsgan":
        loss = (real_scores - 1).square().mean() + fake_scores.square().mean()
    else:
        loss = softplus(-real_scores).mean() + softplus(fake_scores).mean()
    if config["variant"] not in ("wgan_gp", "dragan"):
        return loss
    if config["variant"] == "wgan_gp":
        u = torch.rand(len(x), 1, 1, 1)
        between = u * x + (1 - u) * fake
    else:
        between = x + 0.5 * x.std() * torch.rand_like(x)
    between.requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    return loss + config["penalty_weight"] * (slope.flatten(1).norm(dim=1) - 1).square().mean()


def plain_g_loss(variant: str, scores: Any) -> Any:
    from torch.nn.functional import softplus

    if variant in ("wgan", "wgan_gp"):
        return -scores.mean()
    if variant == "lsgan":
        return (scores - 1).square().mean()
    return -softplus(scores).mean() if variant == "mm" else softplus(-scores).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--trials", type=int, default=12, help="of each variant")
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        plain_study(options)
        return
    print(f"load before: {os.getloadavg()[0]:.1f}; {options.workers} workers; {vars(options)}", flush=True)
    found: dict[str, list[Side]] = {"plain": [], "first": [], "second": []}
    for _ in range(options.turns):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            found["plain"].append(run_plainly(options, folder))
            show("plain", found["plain"][-1])
            for name in ("first", "second"):
                found[name].append(run_gansweep(options, folder, name))
                show(name, found[name][-1])
    for name in ("first", "second"):
        pairs = list(zip(found["plain"], found[name], strict=True))
        whole = [plain.seconds / own.seconds for plain, own in pairs]
        bare = [plain.seconds / own.before_report for plain, own in pairs]
        memory = [plain.megabytes_a_trial / own.megabytes_a_trial for plain, own in pairs]
        print(f"{name}: plain / gansweep {of(whole)}; without the report {of(bare)}; ", end="")
        print(f"memory of a trial {of(memory)}")


def show(name: str, side: Side) -> None:
    print(
        f"{name:<7} {side.seconds:7.1f} s ({side.before_report:.1f} before a report), "
        f"{side.megabytes:7.0f} MB, {side.megabytes_a_trial:6.0f} MB a trial",
        flush=True,
    )


def of(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f}x ({min(ratios):.2f}..{max(ratios):.2f})"


if __name__ == "__main__":
    main()

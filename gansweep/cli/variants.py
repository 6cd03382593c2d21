"""Commands about what can be compared: list, check, new-variant, demo, robustness."""

import argparse
from pathlib import Path
from typing import Any

from gansweep.cli.options import command, positive
from gansweep.errors import say, unknown


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    parser = command(commands, "list", list_)
    parser.add_argument(
        "kind", nargs="?", default="studies", help="studies, variants, datasets, architectures or extractors"
    )
    parser = command(commands, "check", check)
    parser.add_argument("names", nargs="*", metavar="NAME", help="variants; default: all")
    parser = command(commands, "new-variant", new_variant)
    parser.add_argument("name", help="a Python identifier in lower case, like my_gan")
    parser.add_argument("--into", type=Path, default=Path(), help="a clone of gansweep, or any other folder")
    parser = command(commands, "demo", demo)
    parser.add_argument("target", nargs="?", default="mixture", help="mixture or gaussian")
    parser.add_argument("--variant", default="ns", help="a variant whose D gives scores")
    parser.add_argument("--steps", type=positive, default=1500, help="updates of D")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the pictures")
    parser = command(commands, "robustness", robustness)
    parser.add_argument("experiment", help="bias, modes, disturbance or agreement")
    parser.add_argument("--dataset", default="digits", help="a data set of images")
    parser.add_argument(
        "--extractor", default="auto", help="extractor of the features; see `gansweep list extractors`"
    )
    parser.add_argument("--second", default="none", help="extractor that `agreement` compares with")
    parser.add_argument("--repeats", type=positive, default=50, help="repeats of every measurement")
    parser.add_argument("--out", type=Path, default=Path("robustness"), help="folder of figures and numbers")


def list_(options: argparse.Namespace) -> int:
    """List the available studies, variants, data sets, architectures or extractors."""
    from gansweep.cli import listing

    kinds = {
        "studies": listing.studies,
        "variants": listing.variants,
        "datasets": listing.datasets,
        "architectures": listing.architectures,
        "extractors": listing.extractors,
    }
    if options.kind not in kinds:
        raise unknown("list", options.kind, kinds)
    say(*kinds[options.kind]())
    return 0


def check(options: argparse.Namespace) -> int:
    """Check the contracts of variants; prints a sentence for each broken contract and exits with code 1."""
    from gansweep.study.known import facts_of

    for name in options.names:
        facts_of(name)  # without torch: an unknown name is said at once
    import torch

    from gansweep.cli.verdicts import verdicts
    from gansweep.variants import VARIANTS

    torch.set_num_threads(1)  # as in a worker
    is_broken = False
    for line, reports_breach in verdicts({name: VARIANTS[name] for name in options.names or VARIANTS}):
        say(line)
        is_broken |= reports_breach
    return int(is_broken)


def new_variant(options: argparse.Namespace) -> int:
    """Write a new variant to edit: a file in a clone of gansweep, or a package of its own."""
    from gansweep.cli.scaffold.naming import require_new

    require_new(options.name)
    from gansweep.cli.scaffold.new_variant import write_new_variant

    say(*write_new_variant(options.name, options.into))
    return 0


def demo(options: argparse.Namespace) -> int:
    """Train a variant on data of one dimension and draw its D beside the optimal D."""
    from gansweep.demos import require_demo
    from gansweep.files import require_writable

    require_demo(options.variant, options.target)
    require_writable(options.out)
    import torch

    from gansweep.demos import discriminator as demonstration

    torch.set_num_threads(1)
    training = demonstration.record_training(options.variant, options.target, options.steps)
    for path in demonstration.write_pictures(training, options.out):
        say(str(path))
    say(*demonstration.explanation(training))
    return 0


def robustness(options: argparse.Namespace) -> int:
    """Measure FID itself on real data: bias and variance, dropped modes, disturbances, other extractors."""
    from gansweep.demos import require_experiment
    from gansweep.evaluation import Evaluation

    require_experiment(options.experiment, options.dataset)
    evaluation = Evaluation(extractor=options.extractor, second_extractor=options.second, metrics=("fid",))
    import torch

    from gansweep.demos import fid as experiments

    torch.set_num_threads(1)
    files = experiments.run(options.experiment, options.dataset, evaluation, options.repeats, options.out)
    say(*map(str, files))
    return 0

"""What is to be known of a study before it runs: what its sampler costs, and what differs from its words."""

from collections.abc import Iterator

from gansweep.space import INDEPENDENT, Choice, at_a_time
from gansweep.study.study import Study
from gansweep.training.job import evaluation_rounds
from gansweep.variants import VARIANTS

# Of Optuna's samplers, as they are by default: ended trials before which they draw at random.
N_STARTUP = {"tpe": 10, "gp": 10, "cmaes": 1}


def remarks(study: Study) -> list[str]:
    """Returns a sentence for each."""
    return [*_guided(study), *_few_evaluations(study)]


def _guided(study: Study) -> Iterator[str]:
    if study.sampler in INDEPENDENT:
        return
    confirm = "" if study.confirm else ", and confirm=Confirm(...) compares the winners on fresh seeds"
    yield (
        f"the sampler {study.sampler!r} learns from results, so its trials depend on each other: the report "
        "has no budget curves, intervals and leading groups of the search; they need 'random' or 'qmc'"
        f"{confirm}"
    )
    at_once, n_startup = at_a_time(study.trials), N_STARTUP[study.sampler]
    n_drawn = min(study.trials, max(at_once, n_startup))
    drawn = f"{n_drawn} trials" if n_drawn > 1 else "trial"
    ended = f"{n_startup} trials have" if n_startup > 1 else "1 trial has"
    choices = ", and so is every choice(...)" if study.sampler == "cmaes" else ""
    yield (
        f"{study.sampler!r} has nothing to learn from until {ended} ended: at least the first {drawn} of "
        f"each cell, of which at most {at_once} {'run' if at_once > 1 else 'runs'} at a time, are the "
        f"default and random draws{choices}"
    )


def _few_evaluations(study: Study) -> Iterator[str]:
    """Trials are measured after whole rounds, of which a short trial has fewer than evaluations."""
    found = {}
    for name in study.variants:
        critics = study.space_of(name).get("n_critic", VARIANTS[name].default.get("n_critic", 1))
        for n_critic in critics.options if isinstance(critics, Choice) else (critics,):
            assert isinstance(n_critic, int)
            n = len(evaluation_rounds(study.steps, n_critic, study.evaluations))
            if n < study.evaluations:
                found[n_critic] = n
    if found:
        each = ", ".join(f"{n} with n_critic {n_critic}" for n_critic, n in sorted(found.items()))
        yield (
            f"trials are measured less often than evaluations={study.evaluations} says, as their "
            f"{study.steps} steps have fewer rounds: {each}"
        )

"""What is used of Ray that it does not promise to keep, and whether it is still needed."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import ray
from ray.air.execution._internal import actor_manager
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.execution import tune_controller

from gansweep.run.ray import private


def handled(error: Exception) -> str:
    """What Tune's manager of actors does with an error that a worker ended with."""
    heard: list[Exception] = []
    actor = SimpleNamespace(actor_id="a", _on_error=lambda _, error: heard.append(error))
    task = SimpleNamespace(_tracked_actor=actor, _on_error=None)
    manager = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda **_: None)
    try:
        RayActorManager._actor_task_failed(manager, task, error)
    except RuntimeError:
        return "the run ends"
    return "the actor died" if heard == [error] else "nothing"


def test_tune_takes_a_worker_that_ran_out_of_memory_for_one_that_died(monkeypatch):
    error = OutOfMemoryError("killed by the memory monitor")
    for module in (actor_manager, tune_controller):
        monkeypatch.setattr(module, "RayActorError", RayActorError)
    assert handled(RayActorError()) == "the actor died"
    assert handled(error) == "the run ends", "this Ray does without treat_out_of_memory_as_death"
    private.treat_out_of_memory_as_death()
    assert handled(error) == handled(RayActorError()) == "the actor died"


def test_no_public_function_tells_what_the_autoscaler_may_add():
    """A public one would be named as in the request for it, https://github.com/ray-project/ray/issues/49501."""
    public = {name for name in dir(ray) if not name.startswith("_")}
    assert not {"max_cluster_resources", "cluster_config"} & public, "use it instead of private.node_groups"


GROUPS = """
import ray
from gansweep.run.ray import private
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
print(private.node_groups(), private.autoscaling_config())
"""


@pytest.mark.slow
def test_a_ray_without_an_autoscaler_adds_nothing():
    done = subprocess.run([sys.executable, "-c", GROUPS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None None"


SIGTERM = """
import signal, ray
from contextlib import nullcontext
from gansweep.run.ray import private
for context in (private.sigterm_as_it_is(), nullcontext()):
    with context:
        ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
    ray.shutdown()
"""


@pytest.mark.slow
def test_ray_puts_a_handler_of_its_own_in_place_of_ours():
    done = subprocess.run([sys.executable, "-c", SIGTERM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"], "this Ray does without private.sigterm_as_it_is"

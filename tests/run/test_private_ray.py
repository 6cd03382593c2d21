"""What is used of Ray that it does not promise to keep, and whether it is still needed."""

import os
import subprocess
import sys
from importlib.util import module_from_spec
from types import SimpleNamespace

import pytest
import ray
from ray.air.execution._internal import actor_manager
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.execution import class_cache, tune_controller

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


def test_tune_asks_for_workers_of_an_environment_of_its_own(monkeypatch):
    fresh = module_from_spec(class_cache.__spec__)  # as it was before a study ran in this process
    class_cache.__spec__.loader.exec_module(fresh)
    for name in ("DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE"):
        monkeypatch.setattr(class_cache, name, getattr(fresh, name))
    asked = []
    monkeypatch.setattr(ray, "remote", lambda runtime_env: asked.append(runtime_env) or str)
    class_cache._ActorClassCache().get(object)
    private.start_no_worker_anew()
    class_cache._ActorClassCache().get(object)
    assert asked[0]["env_vars"], "this Ray does without private.start_no_worker_anew"
    assert asked[1] == {"env_vars": {}}


STARTED = """
import ray, psutil  # which comes with Ray
def started(*names):
    commands = {c.pid: " ".join(c.cmdline()) for c in psutil.Process().children(recursive=True)}
    return [pid for pid, command in commands.items() if any(name in command for name in names)]
"""
PLAIN = """
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
print(len(started("monitor.py", "dashboard.py")))
"""
OURS = """
import os, sys, time
from gansweep.run.ray import join

class Actor:
    def look(self):
        allocator = {os.environ.get(f"MALLOC_{name}_THRESHOLD_") for name in ("MMAP", "TRIM")}
        place = sys.modules["gansweep"].__file__ if "gansweep.run.ray.worker" in sys.modules else ""
        return allocator == {str(2**30)}, place, os.getpid()

join(n_cpus=2, n_packs=1)
print(len(started("monitor.py", "dashboard.py")))
while not (workers := started("ray::IDLE")):
    time.sleep(0.1)
has_variables, place, pid = ray.get(ray.remote(num_cpus=1)(Actor).remote().look.remote())
print(has_variables, place == sys.modules["gansweep"].__file__, workers == [pid])
print("MALLOC_TRIM_THRESHOLD_" in os.environ)
"""


@pytest.mark.slow
def test_a_ray_of_ours_starts_what_is_needed_and_workers_that_have_imported_it(tmp_path):
    checkout = f"import sys\nsys.path.insert(0, {os.getcwd()!r})"  # beside one that is installed, maybe

    def said(code: str) -> list[str]:
        command = [sys.executable, "-c", checkout + STARTED + code]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
        )
        return done.stdout.split()

    assert int(said(PLAIN)[0]) > 0, "this Ray does without private.few_processes"
    assert said(OURS) == ["0", "True", "True", "True", "False"]

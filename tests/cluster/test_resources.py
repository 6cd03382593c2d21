"""What a real Ray has, what packs ask of it, trying packs on it. GPUs are logical here: bookkeeping alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from namespaces import Namespaces
from nodes import RAY, Node, environment
from processes import kill_tree, mentioning

from gansweep.run.ray.hardware import machine_memory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
NO_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network of its own")

SHARES = """
import json, os, sys, time
from pathlib import Path
import optuna, ray
from ray import tune
import gansweep.run.ray
from gansweep import Evaluation, Study, data
from gansweep.study.resolve import resolve
from gansweep.run.ray.tune import make_room, resources
from gansweep.run.ray.worker import gpus_granted
from gansweep.run.ray.searcher import PackSearcher
from gansweep.run.packing import Packing
from gansweep.run.search.search import Search

folder = Path(sys.argv[1])
PACKING = {"digits": Packing(1, 0.5, ""), "ring": Packing(1, 0.3333, "")}

def at_work(gpu):
    return sum(float(file.read_text()) for file in folder.glob(f"{gpu}-*"))

def train(config):
    together, gpu, granted = folder / "together", os.environ["CUDA_VISIBLE_DEVICES"], gpus_granted()
    mine = folder / f"{gpu}-{config['pack']}"
    mine.write_text(str(granted))
    seen, deadline = at_work(gpu), time.monotonic() + 4
    # Others may be slow to start: who has not seen them waits for them.
    while time.monotonic() < deadline or not (together.exists() or time.monotonic() > deadline + 300):
        seen = max(seen, at_work(gpu))
        if seen > 0.6:
            together.touch()
        time.sleep(0.1)
    mine.unlink()
    entry = {"pack": config["pack"], "granted": granted, "gpu": gpu, "seen": seen, "pid": os.getpid()}
    with (folder / "log").open("a") as file:
        file.write(json.dumps(entry) + "\\n")

sets = {name: data.load(name) for name in PACKING}
evaluation = Evaluation(n_images=100)
value = Study(variants=("ns",), datasets=tuple(sets), trials=9, steps=1, evaluation=evaluation)
resolved = resolve("s", "", value, sets)
search = Search(resolved, optuna.storages.InMemoryStorage(), folder, dict.fromkeys(sets, 1))
ray.init(address="local", num_cpus=8, num_gpus=2, include_dashboard=False, log_to_driver=False)
room = make_room(PACKING)
print(room())
tune.Tuner(
    tune.with_resources(train, resources(PACKING)),
    tune_config=tune.TuneConfig(
        search_alg=PackSearcher(search, room),
        num_samples=-1,
        reuse_actors=True,
        trial_name_creator=lambda trial: trial.trial_id,
        trial_dirname_creator=lambda trial: trial.trial_id,
    ),
    run_config=tune.RunConfig(name="packs", storage_path=str(folder / "tune"), verbose=0),
).fit()
"""


def python(code: str, *arguments: object, prefix=(), **variables: str) -> str:
    """What a driver prints."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    here = {"RAY_worker_niceness": "0", "PYTHONPATH": os.getcwd(), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=plain | here | variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_pack_has_the_share_of_its_data_set_and_none_has_more(tmp_path):
    assert "6" in python(SHARES, tmp_path).splitlines()  # packs at once: of a third of one of two GPUs
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert len({entry["pack"] for entry in log}) == len(log) == 18
    assert {(entry["pack"].split("-")[0], entry["granted"]) for entry in log} == {
        ("digits", 0.5),
        ("ring", 0.3333),
    }
    assert {entry["gpu"] for entry in log} == {"0", "1"}
    assert 0.6 < max(entry["seen"] for entry in log) <= 1.0  # several at once on a GPU, never more than it is
    assert len({entry["pid"] for entry in log}) < len(log)  # workers train one pack after another


DESCRIBE = """
import ray
from msgspec.json import encode
from gansweep.run.ray.hardware import describe
ray.init(address="local", num_cpus=3, num_gpus=2, resources={"accelerator_type:T4": 1}, log_to_driver=False)
print(encode(describe()).decode())
"""


def test_what_a_ray_without_an_autoscaler_has():
    assert json.loads(python(DESCRIBE)) == {
        **{"nodes": 1, "cpus": 3, "gpus": 2, "most_cpus": 3, "most_gpus": 2},
        **{"gpu_kinds": ["T4"], "gpus_of_a_node": 2, "gb_per_cpu": round(machine_memory() / 3e9, 1)},
    }


TRY = """
import json, sys
from functools import partial
from pathlib import Path
import ray
from msgspec.json import encode
from gansweep import Evaluation, Study, UserError, data
from gansweep.study.resolve import resolve
from gansweep.run.ray.hardware import describe
from gansweep.run.ray.probe import probe
from gansweep.run.packing import choose_packing, to_json
from gansweep.run.prepare import prepare
from gansweep.run.options import Options

folder = Path(sys.argv[1])
evaluation = Evaluation(n_images=100)
value = Study(
    variants=("ns",), datasets=("digits",), space="narrow", trials=4, steps=10, evaluation=evaluation
)
sets = {"digits": data.load("digits")}
resolved = resolve("s", "", value, sets)
if not ray.is_initialized():
    ray.init(log_to_driver=False, **json.loads(sys.argv[2]))
before = describe()
prepare(folder, resolved, sets, before)
try:
    choose_packing(folder, resolved, sets, Options(), before, probe)
except UserError as error:
    print(error)
chosen = choose_packing(folder, resolved, sets, Options(), before, partial(probe, device="cpu"))
print(encode([before, to_json(chosen)["digits"], describe()]).decode())
"""


def test_packs_are_tried_where_they_will_run(tmp_path):
    """The task runs on a logical GPU and trains real packs on the CPU below it."""
    how = {"address": "local", "num_cpus": 2, "num_gpus": 1, "resources": {"accelerator_type:T4": 1}}
    *_, refused, last = python(TRY, tmp_path, json.dumps(how)).splitlines()
    assert refused.startswith("Ray offers a GPU on ") and refused.endswith("install torch with CUDA")
    _, chosen, _ = json.loads(last)
    assert chosen["kinds"] == ["T4"] and chosen["why"].startswith("on T4: ")
    (measured,) = chosen["measured"]
    assert [one["pack_size"] for one in measured] == [1, 2, 4][: len(measured)] and measured[0]["rate"] > 0
    assert chosen["pack_size"] in (1, 2, 4) and 0 < chosen["gpus"] <= 1


def autoscaling(types: dict, max_workers: int) -> dict:
    """The configuration of an autoscaler whose nodes are processes of this machine."""
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    lists = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    return {
        "cluster_name": "fake",
        "max_workers": max_workers,
        "provider": {
            "type": "fake_multinode",
            **dict.fromkeys(
                ("use_node_id_as_ip", "disable_node_updaters", "disable_launch_config_check"), True
            ),
        },
        "available_node_types": {"ray.head.default": head} | types,
        "head_node_type": "ray.head.default",
        **{"upscaling_speed": 1.0, "idle_timeout_minutes": 5, "auth": {"ssh_user": "nobody"}, "docker": {}},
        **{f"{name}_commands": [] for name in lists},
        **{"file_mounts": {}, "cluster_synced_files": [], "rsync_exclude": [], "rsync_filter": []},
        "file_mounts_sync_continuously": False,
    }


@pytest.fixture
def autoscaled(tmp_path):
    """What runs a driver on, and its environment in, a cluster with a head alone, which may have three nodes.

    The nodes of Ray's fake autoscaler look for its head at port 6379, so they have a network of their own.
    """
    kinds = {
        "gpu": {"resources": {"CPU": 4, "GPU": 2, "accelerator_type:T4": 1}, "max_workers": 2},
        "cpu": {"resources": {"CPU": 8}, "max_workers": 2},
    }
    types = {name: {"node_config": {}, "min_workers": 0} | kind for name, kind in kinds.items()}
    config, folder = tmp_path / "autoscaling.json", Path(f"/tmp/gsr-{os.getpid()}")
    config.write_text(json.dumps(autoscaling(types, max_workers=3)))
    with Namespaces(net=79) as network:
        inside, address = network.add(0), f"{network.ip(0)}:6379"
        network_is_reached = ["ip", "-n", network.space(0), "route", "add", "default", "via", network.ip(0)]
        subprocess.run(network_is_reached, check=True)
        command = [RAY, "start", "--block", "--head", f"--node-ip-address={network.ip(0)}", "--port=6379"]
        options = ["--num-cpus=0", "--num-gpus=0", "--include-dashboard=false", f"--temp-dir={folder}"]
        fake = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_enable_autoscaler_v2": "0"}
        variables = environment("0" * 64) | fake | {"PYTHONPATH": os.getcwd()}
        patient = {name: text for name, text in variables.items() if "health_check" not in name}
        file = f"--autoscaling-config={config}"
        head = Node([*inside, *command, *options, file], patient, tmp_path / "head.log")
        try:
            head.start()
            yield inside, patient | {"RAY_ADDRESS": address}
        finally:
            head.kill()
            for pid in mentioning(str(folder)):
                kill_tree(pid)
            shutil.rmtree(folder, ignore_errors=True)


@NO_ROOT
def test_a_cluster_whose_gpu_nodes_are_not_up_yet_trains_on_gpus(tmp_path, autoscaled):
    inside, variables = autoscaled
    arguments = (tmp_path / "study", json.dumps({"address": "auto"}))
    *_, last = python(TRY, *arguments, prefix=inside, **variables).splitlines()
    before, chosen, after = json.loads(last)
    assert (before["cpus"], before["gpus"], before["gpu_kinds"], before["gb_per_cpu"]) == (0, 0, [], None)
    # Three nodes may come: two with GPUs, and one without.
    assert (before["most_cpus"], before["most_gpus"], before["gpus_of_a_node"]) == (16, 4, 2)
    assert chosen["gpus"] > 0 and chosen["kinds"] == ["T4"], chosen["why"]
    assert chosen["measured"][0][0]["rate"] > 0
    assert (after["gpus"], after["most_gpus"], after["most_cpus"]) == (2, 4, 16)


@NO_ROOT
def test_the_memory_of_a_control_group_is_that_of_the_machine():
    group = Path("/sys/fs/cgroup/memory" if Path("/sys/fs/cgroup/memory").exists() else "/sys/fs/cgroup")
    group /= f"gansweep-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    try:
        limit = next(
            group / name for name in ("memory.limit_in_bytes", "memory.max") if (group / name).exists()
        )
        limit.write_text(str(3 << 30))
        code = "from gansweep.run.ray.hardware import machine_memory; print(machine_memory())"
        join = f"echo $$ > {group / 'cgroup.procs'} && exec {sys.executable} -c '{code}'"
        done = subprocess.run(["sh", "-c", join], capture_output=True, text=True, check=True)
    finally:
        group.rmdir()
    assert int(done.stdout) == 3 << 30 < machine_memory()

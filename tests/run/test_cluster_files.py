"""cluster.yaml and cluster.local.yaml: what Ray's own check says of them, and the lines that matter."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

FILES = ("cluster.yaml", "cluster.local.yaml")
SHELL_COMMANDS = ("initialization_commands", "setup_commands", "head_setup_commands")
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")
CPUS_AND_GPUS = {"g4dn.xlarge": (4, 1), "g5.xlarge": (4, 1)}


def read(name: str) -> dict:
    return yaml.safe_load(Path(name).read_text())


def commands(config: dict, *names: str) -> list[str]:
    return [command for name in names for command in config[name]]


@pytest.fixture
def aws() -> dict:
    return read("cluster.yaml")


@pytest.mark.parametrize("name", FILES)
def test_ray_takes_the_file_and_adds_nothing_unknown(name):
    prepared = prepare_config(read(name))
    validate_config(prepared)
    assert prepared["head_node_type"] in prepared["available_node_types"]


def test_ray_would_refuse_a_word_it_does_not_know(aws):
    with pytest.raises(Exception, match="head_node_typo"):
        validate_config(prepare_config({**aws, "head_node_typo": "head"}))


def test_workers_are_spot_machines_with_one_gpu_each(aws):
    head, worker = (aws["available_node_types"][name] for name in ("head", "gpu"))
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in head["node_config"]
    assert worker["min_workers"] == 0 < worker["max_workers"] <= aws["max_workers"]
    instance = CPUS_AND_GPUS[worker["node_config"]["InstanceType"]]
    assert (worker["resources"]["CPU"], worker["resources"]["GPU"]) == instance


def test_nothing_trains_on_the_head(aws):
    assert aws["available_node_types"]["head"]["resources"] == {"CPU": 0}
    assert "--num-cpus=0" in aws["head_start_ray_commands"][-1]


def test_machines_have_a_security_group_of_the_users_and_no_open_port(aws):
    for node in aws["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"] == ["sg-REPLACE"]  # else Ray opens SSH to everybody
        assert node["node_config"]["MetadataOptions"] == {"HttpTokens": "required"}
        assert "IamInstanceProfile" not in node["node_config"]  # Ray gives one to the head alone
    assert "security_group" not in aws["provider"]


@pytest.mark.parametrize("name", FILES)
def test_every_node_requires_the_token_and_the_dashboard_stays_at_home(name):
    config = read(name)
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("RAY_AUTH_MODE=token" in command for command in config["setup_commands"])
    assert any("chmod 600 ~/.ray/auth_token" in command for command in config["setup_commands"])
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]
    assert "0.0.0.0" not in Path(name).read_text()


@pytest.mark.parametrize("name", FILES)
def test_nothing_lies_where_it_would_hide_the_package(name):
    targets = {Path(target).parts[1] for target in read(name)["file_mounts"] if target.startswith("~/")}
    assert not targets & {"gansweep", "studies", "run_study.py"}


@pytest.mark.parametrize("name", FILES)
def test_workers_keep_all_their_threads(name):
    for command in (read(name)[start][-1] for start in STARTS):
        assert command.index("unset OMP_NUM_THREADS") < command.index("ray start")


@pytest.mark.parametrize("name", FILES)
def test_ray_has_the_lower_bound_of_the_package_on_every_node(name):
    project = Path("pyproject.toml").read_text()
    assert len(set(re.findall(r"ray\[\w+\]>=([\d.]+)", project))) == 1
    (install,) = [command for command in read(name)["setup_commands"] if "pip install" in command]
    assert (
        install.endswith('-e "$HOME/src/gansweep[cluster]"') and "-c $GANSWEEP_SHARED/versions.txt" in install
    )


@pytest.mark.parametrize("name", FILES)
def test_the_shared_storage_is_named_once(name):
    text = Path(name).read_text()
    assert text.count("GANSWEEP_SHARED=") == 1 and len(re.findall(r"[\s='\"]/shared\b", text)) == 1


@pytest.mark.parametrize("name", FILES)
def test_the_commands_are_of_a_shells_grammar(name):
    config = read(name)
    for command in commands(config, *SHELL_COMMANDS, *STARTS):
        subprocess.run(["bash", "-n", "-c", f"({command})"], check=True)  # as Ray wraps it


@pytest.mark.parametrize("name", FILES)
def test_a_shell_of_a_node_knows_data_and_results_however_often_it_is_set_up(name, tmp_path):
    setup = read(name)["setup_commands"][0].replace("/shared", "/elsewhere")
    script = f"{setup}\n{setup}\n. ~/.bashrc; echo $GANSWEEP_DATA $GANSWEEP_RESULTS $RAY_AUTH_MODE $PATH"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    data, results, mode, path = done.stdout.split(maxsplit=3)
    assert (data, results, mode) == ("/elsewhere/data", "/elsewhere/results", "token")
    assert path.startswith(f"{tmp_path}/venv/bin:")
    assert (tmp_path / ".bashrc").read_text().count(".gansweep") == 1


@pytest.mark.parametrize("name", FILES)
def test_what_is_to_be_replaced_is_marked(name):
    text = Path(name).read_text()
    assert re.search(r"REPLACE", text) and not re.search(r"\b(ami|sg|fs)-[0-9a-f]{8,}", text)

"""The way of docs/clusters.md, as it is typed: up, submit, status, the report fetched, down."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import sshd
import yaml
from sshd import Machine

import gansweep

ROOT = Path(__file__).parents[2]
STUDY = "--study quickstart --smoke"
FOLDER = f"{sshd.SHARED}/results/quickstart-smoke"
WATCH = (
    "for i in $(seq 90); do tmux capture-pane -p | grep report: && break; sleep 1; done; tmux capture-pane -p"
)
NODES = "ray list nodes --format json"
BOTH = f"for i in $(seq 60); do test $({NODES} | grep -o ALIVE | wc -l) = 2 && break; sleep 2; done; {NODES}"
COMMANDS = {  # in this order, in a clone of the repository
    "token": "ray get-auth-token --generate && chmod 600 ~/.ray/auth_token",
    "up": "ray up -y cluster.local.yaml",
    "mistake": "ray submit cluster.local.yaml run_study.py --study quikstart",
    "nodes": f"ray exec cluster.local.yaml '{BOTH}'",  # the study is short: the worker must be there
    "submit": f"ray submit cluster.local.yaml run_study.py {STUDY}",
    "status": "ray exec cluster.local.yaml 'gansweep status quickstart-smoke'",
    "report": f"ray rsync-down cluster.local.yaml {FOLDER}/report/ ~/report/ && cat ~/report/index.html",
    "tmux": f"ray submit --tmux cluster.local.yaml run_study.py {STUDY}",
    "screen": f"ray exec cluster.local.yaml '{WATCH}'",
    "environment": "ray exec cluster.local.yaml 'stat -c %a ~/.ray ~/.ray/auth_token; ls -d ~/gansweep'",
    "down": "ray down -y cluster.local.yaml",
}
AT_HOME = (".gansweep", "run_study.py", "ray_bootstrap_config.yaml", "ray_bootstrap_key.pem", "src", "venv")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), sshd.needed]


@dataclass(frozen=True)
class Story:
    """What each command said, the results on the shared storage, and what was left on the nodes after it."""

    said: dict[str, CompletedProcess[str]]
    results: Path
    left: dict[str, list[str]]


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("launch")
    home = known_at_home()
    with sshd.machines(folder, "caller", "head", "worker") as (caller, *nodes):
        clone = caller.home / "clone"
        shutil.copytree(ROOT, clone, ignore=beside_the_code, symlinks=True)
        (clone / "cluster.local.yaml").write_text(adapted(caller, nodes))
        said = {name: caller.run(f"cd clone && {text}", 600) for name, text in COMMANDS.items()}
        left = {node.name: what_stays(node) for node in nodes}
        yield Story(said, folder / "shared" / "results", left)
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    assert not [file for file in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in content(file)]
    assert known_at_home() == home


def beside_the_code(folder: str, names: list[str]) -> set[str]:
    """What a clone lacks; the package has a folder `results` of its own."""
    patterns = ["__pycache__", ".*_cache", *([".venv", "results"] if Path(folder) == ROOT else [])]
    return shutil.ignore_patterns(*patterns)(folder, names)


def adapted(caller: Machine, nodes: list[Machine]) -> str:
    """cluster.local.yaml with the addresses, key and storage of these machines, and no downloads.

    The head has no CPU for packs: it would be done with so short a study before the worker has begun.
    """
    config = yaml.safe_load((ROOT / "cluster.local.yaml").read_text())
    config["provider"] |= {"head_ip": nodes[0].address, "worker_ips": [node.address for node in nodes[1:]]}
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(caller.home / "id")}
    for name, old, new in (
        ("setup_commands", "=/shared ", f"={sshd.SHARED} "),
        ("head_setup_commands", "mnist_all_losses", "quickstart"),
        ("head_start_ray_commands", "ray start --head", "ray start --head --num-cpus=0"),
    ):
        assert sum(command.count(old) for command in config[name]) == 1
        config[name] = [command.replace(old, new) for command in config[name]]
    return yaml.safe_dump(config, sort_keys=False)


def what_stays(node: Machine) -> list[str]:
    """What runs on a node and listens there, once what is about to end has ended; without sshd, the session
    in tmux, and the process that `ray down` leaves on workers."""
    usual = re.compile(r"sshd|tmux|bash|\S+ -u \S+/log_monitor.py|LISTEN .*:22 ")
    deadline = time.monotonic() + 300
    while True:
        found = [*node.processes(), *node.run("ss -Hltn").stdout.splitlines()]
        found = [line for line in found if not usual.match(line)]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(2)


def known_at_home() -> dict[str, bytes | None]:
    """What the commands write into a home, as it is in the real one."""
    files = {name: Path.home() / name for name in (*AT_HOME, ".bashrc", ".ssh")}
    return {name: content(file) if file.is_file() else str(file.exists()) for name, file in files.items()}


def content(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:  # a process that has ended
        return ""


def whole(said: CompletedProcess[str]) -> str:
    return f"exit code {said.returncode}\n{said.stdout[-6000:]}\n{said.stderr[-3000:]}"


def test_a_cluster_comes_up_with_its_worker(story):
    assert story.said["up"].returncode == 0, whole(story.said["up"])
    nodes = story.said["nodes"]
    assert nodes.returncode == 0, whole(nodes)
    listed = json.loads(re.search(r"\[\s*\{.*\}\s*\]", nodes.stdout, re.DOTALL)[0])
    assert {node["node_ip"] for node in listed if node["state"] == "ALIVE"} == {"10.77.0.2", "10.77.0.3"}


def test_a_mistake_comes_back_as_a_sentence(story):
    mistake = story.said["mistake"]
    assert mistake.returncode != 0
    assert "gansweep: unknown study 'quikstart'; did you mean 'quickstart'?" in mistake.stdout, whole(mistake)
    assert "Traceback" not in mistake.stdout + mistake.stderr


def test_a_study_runs_as_it_is_typed(story):
    submitted = story.said["submit"]
    assert submitted.returncode == 0, whole(submitted)
    assert f"report: {FOLDER}/report/index.html" in submitted.stdout
    assert [folder.name for folder in story.results.iterdir()] == ["quickstart-smoke"]


def test_every_trial_has_ended_once_on_the_worker(story):
    results = gansweep.load(story.results / "quickstart-smoke")
    rows = [json.loads(line) for line in (results.folder / "rows.jsonl").read_text().splitlines()]
    ends = {row["trial_id"]: row["outcome"] for row in rows if row["outcome"] is not None}
    assert sum(row["outcome"] is not None for row in rows) == len(ends) == len(results.trials)
    assert len(ends) == results.manifest.planned_trials and set(ends.values()) == {"ok"}
    assert {row["host"] for row in rows} == {"worker"}


def test_status_counts_from_afar(story):
    status = story.said["status"]
    n = gansweep.load(story.results / "quickstart-smoke").manifest.planned_trials
    assert status.returncode == 0 and re.search(rf"\b{n}\b", status.stdout), whole(status)


def test_the_report_comes_down_whole(story):
    report = story.said["report"]
    assert report.returncode == 0, whole(report)
    page = (story.results / "quickstart-smoke" / "report" / "index.html").read_text()
    assert page.rstrip().endswith("</html>") and page.strip() in report.stdout


def test_a_study_in_tmux_goes_on_without_the_caller(story):
    assert story.said["tmux"].returncode == 0, whole(story.said["tmux"])
    screen = "".join(story.said["screen"].stdout.splitlines())  # the terminal breaks lines
    assert f"report: {FOLDER}/report/index.html" in screen, whole(story.said["screen"])


def test_the_token_is_private_and_nothing_hides_the_package(story):
    said = story.said["environment"].stdout
    assert re.search(r"^700\s+600\s", said, re.MULTILINE), said
    assert "cannot access" in said


def test_down_leaves_nothing_behind(story):
    assert story.said["down"].returncode == 0, whole(story.said["down"])
    assert story.left == {"head": [], "worker": []}

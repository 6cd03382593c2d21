"""What a Ray cluster has, and what its autoscaler may add."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ray

from gansweep.results.records import Hardware
from gansweep.run.ray import private

KIND = "accelerator_type:"
Resources = dict[str, float]


def describe() -> Hardware:
    """Returns what the cluster has that this process is connected to."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    here = [resources_of(node) for node in nodes]
    everything = [*here, *may_add([node["Resources"] for node in nodes])]
    shares = [n["memory"] / n["CPU"] for n in everything if n.get("CPU") and n.get("memory")]
    with_cpu = [node for node in everything if node.get("CPU", 0) >= 1]
    return Hardware(
        nodes=len(here),
        cpus=int(_sum(here, "CPU")),
        gpus=int(_sum(here, "GPU")),
        most_cpus=int(_sum(everything, "CPU")),
        most_gpus=int(_sum(everything, "GPU")),
        gpu_kinds=sorted({kind for node in here if node.get("GPU") and (kind := kind_of(node))}),
        gpus_of_a_node=int(max((node.get("GPU", 0) for node in with_cpu), default=0)),
        gb_per_cpu=round(min(shares) / 1e9, 1) if shares else None,
    )


def describe_machine() -> Hardware:
    """Returns what a Ray that is started on this machine would have."""
    import torch

    n_cpus, n_gpus = len(os.sched_getaffinity(0)), torch.cuda.device_count()
    return Hardware(
        nodes=1,
        cpus=n_cpus,
        gpus=n_gpus,
        most_cpus=n_cpus,
        most_gpus=n_gpus,
        gpu_kinds=[],
        gpus_of_a_node=n_gpus,
        gb_per_cpu=round(machine_memory() / n_cpus / 1e9, 1),
    )


def resources_of(node: dict[str, Any]) -> Resources:
    """The resources of a node of `ray.nodes()`; its memory is all that it had when Ray was started there.

    Of this machine it is all that there is: Ray's count depends on what else ran at that moment.
    """
    resources: Resources = dict(node["Resources"])
    if node["NodeManagerAddress"] == ray.util.get_node_ip_address():
        resources["memory"] = machine_memory()
    else:
        resources["memory"] = resources.get("memory", 0) + resources.get("object_store_memory", 0)
    return resources


def kind_of(resources: Resources) -> str | None:
    """The kind of a node's GPUs, as Ray names it."""
    return next((name.removeprefix(KIND) for name in resources if name.startswith(KIND)), None)


def may_add(here: list[Resources]) -> Iterator[Resources]:
    """Yields the resources of each node that the autoscaler may add to the present ones; none where there is
    no autoscaler, or nothing is known of it on this machine."""
    groups = private.node_groups()
    if groups is not None:
        for resources, max_count in groups:
            yield from [resources] * max(0, max_count - _count(here, resources))
        return
    config = private.autoscaling_config()
    if config is None:
        return
    n_left = config.get("max_workers", 0) - (len(here) - 1)
    for name, kind in sorted(config["available_node_types"].items(), key=lambda item: -_gpus(item[1])):
        if name == config.get("head_node_type"):
            continue
        n_there = _count(here, kind.get("resources", {}))
        n_more = min(n_left, kind.get("max_workers", config.get("max_workers", 0)) - n_there)
        n_left -= max(0, n_more)
        yield from [kind.get("resources", {})] * n_more


def machine_memory() -> int:
    """Bytes of this machine's memory, or of the control group of this process if that has less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    file = Path("/proc/self/cgroup")
    for line in file.read_text().splitlines() if file.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = Path("/sys/fs/cgroup") / controllers
        group = root / path.lstrip("/")
        folders = [folder for folder in (group, *group.parents) if folder.is_relative_to(root)]
        names = ("memory.limit_in_bytes", "memory.max")
        limits += [limit for folder in folders for name in names if (limit := _limit(folder / name))]
    return min(limits)


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max": none


def _sum(nodes: Iterable[Resources], name: str) -> float:
    return sum(node.get(name, 0) for node in nodes)


def _count(here: list[Resources], kind: Resources) -> int:
    """Returns how many nodes have the CPUs and GPUs of this kind."""
    return sum(all(node.get(name) == kind.get(name) for name in ("CPU", "GPU")) for node in here)


def _gpus(kind: dict[str, Any]) -> float:
    return float(kind.get("resources", {}).get("GPU", 0))

"""Tries packs on the GPUs of the cluster, one of each kind."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import ray
import torch

from gansweep import data
from gansweep.errors import Stopped, UserError
from gansweep.results.study_file import read_study
from gansweep.run.packing import Probed, enough
from gansweep.run.ray.hardware import KIND, kind_of, resources_of
from gansweep.run.ray.worker import prepared
from gansweep.training.sizing.probe import Device, largest_member, try_sizes


def probe(
    folder: Path, name: str, sizes: Sequence[int], kinds: Sequence[str], device: str = "cuda"
) -> list[Probed]:
    """Try packs of a study's most demanding variant on a data set, in a task on a GPU of each kind; it waits
    for a free GPU.

    folder: of the study, prepared. kinds: of GPUs, none: any will do.

    Raises:
        UserError: a node has a GPU that its torch cannot use.
    """
    task = ray.remote(num_cpus=1, num_gpus=1, max_calls=1, max_retries=3)(_probe)
    requests = [{f"{KIND}{kind}": 0.001} for kind in kinds] or [{}]
    root = str(data.data_root().resolve())
    found = [
        task.options(resources=each).remote(folder, name, root, list(sizes), device) for each in requests
    ]
    return [_result(each) for each in found]


def _result(found: ray.ObjectRef) -> Probed:
    try:
        result: Probed = ray.get(found)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, UserError | Stopped):
            raise cause from None
        said = str(cause or error).strip().splitlines()[-1]  # packs will show what is wrong, each for itself
        return Probed(Device("unknown", 0, 0.0, 0.0), (), failure=said)
    return result


def _probe(folder: Path, name: str, root: str, sizes: list[int], kind_of_device: str) -> Probed:
    torch.set_num_threads(1)
    own = ray.get_runtime_context().get_node_id()
    node = next(resources_of(node) for node in ray.nodes() if node["NodeID"] == own)
    device = torch.device(kind_of_device)
    kind, memory = kind_of(node) or device.type, int(node["memory"])
    if device.type == "cuda":
        if not torch.cuda.is_available():
            host = ray.util.get_node_ip_address()
            raise UserError(f"Ray offers a GPU on {host}, but torch sees none there: install torch with CUDA")
        memory = torch.cuda.get_device_properties(device).total_memory
    where = Device(kind, memory, node["CPU"] / node["GPU"], node["memory"] / node["GPU"])
    dataset, evaluator = prepared(name, folder, root, device)
    member = largest_member(read_study(folder), dataset)
    measured = try_sizes(member, dataset, evaluator, device, sizes, partial(enough, device=where))
    return Probed(where, tuple(measured))

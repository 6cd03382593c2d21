"""What packs ask of the cluster."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from ray import tune

from gansweep.orchestrate.hardware import describe
from gansweep.packing import Packing

REFRESH_SECONDS = 2.0


def resources(packing: Mapping[str, Packing]) -> Callable[[dict[str, Any]], tune.PlacementGroupFactory]:
    """What the pack of a configuration asks for: a CPU, and its data set's share of a GPU."""

    def of(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        gpus = packing[config["trials"][0]["dataset"]].gpus
        return tune.PlacementGroupFactory([{"CPU": 1, "GPU": gpus} if gpus else {"CPU": 1}])

    return of


def make_room(packing: Mapping[str, Packing]) -> Callable[[], int]:
    """What says how many packs the cluster may hold, at any moment, with what its autoscaler may add: packs
    that wait are what it adds nodes for. It asks Ray every two seconds at most."""
    share = min(chosen.gpus for chosen in packing.values())
    asked, room = -math.inf, 1

    def current() -> int:
        nonlocal asked, room
        if time.monotonic() - asked > REFRESH_SECONDS:
            there = describe()
            room = max(1, int(there["most_gpus"] / share) if share else there["most_cpus"])
            asked = time.monotonic()
        return room

    return current


def gpus_granted() -> float:
    """The share of a GPU that Tune has given to the pack that trains in this worker."""
    granted: float = tune.get_context().get_trial_resources().bundles[0].get("GPU", 0.0)
    return granted

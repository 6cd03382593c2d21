#!/bin/bash
# Ray Tune replaces the exception of a trial by a TypeError of its own.
#
# Versions: ray[tune] 2.60.0.
# Guess before the run: the error file of a trial ends with the class and the text of what the trial raised.
# Behaviour: Tune makes a shallow copy of the exception to shorten its traceback. A class whose constructor does
#   not take the same arguments as `args` holds cannot be copied; the TypeError of that copy is what the error
#   file and the result report. The class that the trial raised is no longer the last line.
# Source: ray/air/_internal/util.py, skip_exceptions: copy.copy(exc); RAY_AIR_FULL_TRACEBACKS=1 switches it off.
# Seen: "last line: TypeError: ... missing 1 required positional argument: 'where'".
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install --quiet "ray[tune]==2.60.0"
cat > "$place/run.py" <<'PYTHON'
import sys
from pathlib import Path

from ray import tune


def train(config):
    class Peculiar(Exception):
        def __init__(self, what, where):
            super().__init__(f"{what} at {where}")

    raise Peculiar("a tensor of the wrong shape", "layer 3")


run = tune.RunConfig(storage_path=sys.argv[1], verbose=0)
tune.Tuner(train, run_config=run).fit()
(file,) = Path(sys.argv[1]).rglob("error.txt")
print("last line:", file.read_text().strip().splitlines()[-1])
PYTHON
found=$(cd "$place" && RAY_USAGE_STATS_ENABLED=0 "$place/env/bin/python" run.py "$place/results" 2>/dev/null | grep "last line")
echo "$found"
case "$found" in
*TypeError*"missing 1 required positional argument"*) echo "as found" ;;
*) echo "this has changed" && exit 1 ;;
esac

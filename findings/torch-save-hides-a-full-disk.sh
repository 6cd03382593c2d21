#!/bin/bash
# torch.save raises no OSError where the space for a file ends inside of it.
#
# Versions: torch 2.13.0, numpy 2.4.0.
# Guess before the run: torch.save(value, file) lets the OSError of file.write pass, as pickle.dump and numpy.save
#   do, so that `except OSError` notices a full disk.
# Behaviour: where not even the first bytes can be written, an OSError is raised; where space ends inside a record,
#   a RuntimeError, whose context alone is the OSError. Whoever waits for space on OSError ends instead.
# Seen: "room for 0 bytes: OSError, in the context of an OSError; room for 60000 bytes: RuntimeError, in the
#   context of an OSError".
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install --quiet torch==2.13.0 numpy==2.4.0
cat > "$place/run.py" <<'PYTHON'
import resource
import signal
import sys
from pathlib import Path

import torch

# A limit on the size of files is as a disk with so much room.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    with (Path(sys.argv[1]) / "state.pt").open("wb", buffering=0) as file:
        torch.save({"weight": torch.ones(100_000)}, file)
except Exception as error:
    causes, inner = [], error
    while inner := inner.__cause__ or inner.__context__:
        causes.append(isinstance(inner, OSError))
    kind = "OSError" if isinstance(error, OSError) else type(error).__name__
    print(f"room for {sys.argv[2]} bytes: {kind}{', in the context of an OSError' if any(causes) else ''}")
PYTHON
none=$("$place/env/bin/python" "$place/run.py" "$place" 0)
some=$("$place/env/bin/python" "$place/run.py" "$place" 60000)
echo "$none; $some"
case "$some" in
*"RuntimeError"*) echo "as found" ;;
*) echo "this has changed" && exit 1 ;;
esac

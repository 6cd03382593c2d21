#!/bin/bash
# torch.load gives other weights, without a word, where a bit of the file has changed.
#
# Versions: torch 2.13.0, numpy 2.4.0.
# Guess before the run: a file of torch.save is a zip archive with a checksum for every tensor, so that a changed
#   bit is an error on loading, as it is for every other reader of zip archives.
# Behaviour: torch.load does not compare the checksums: it returns the changed number. Python's zipfile names the
#   record. (What torch.save writes has the checksums: see torch.serialization.set_crc32_options.)
# Seen: "torch.load: 1.5 became 3.0; zipfile: damaged record state/data/0".
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install --quiet torch==2.13.0 numpy==2.4.0
cat > "$place/run.py" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

import torch

file = Path(sys.argv[1]) / "state.pt"
torch.save({"weight": torch.full((4,), 1.5)}, file)
content = bytearray(file.read_bytes())
at = content.index(torch.full((4,), 1.5).numpy().tobytes())
content[at + 2 : at + 4] = torch.tensor([3.0]).numpy().tobytes()[2:]
file.write_bytes(content)
weight = torch.load(file, weights_only=True)["weight"][0].item()
print(f"torch.load: 1.5 became {weight}; zipfile: damaged record {zipfile.ZipFile(file).testzip()}")
PYTHON
found=$("$place/env/bin/python" "$place/run.py" "$place")
echo "$found"
case "$found" in
"torch.load: 1.5 became 3.0; zipfile: damaged record state/data/0") echo "as found" ;;
*) echo "this has changed" && exit 1 ;;
esac

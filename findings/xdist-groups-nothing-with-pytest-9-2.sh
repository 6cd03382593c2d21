#!/bin/bash
# pytest-xdist's --dist loadgroup groups nothing with pytest 9.2: each module fixture is made in every process.
#
# Versions: pytest 9.2.0, pytest-xdist 3.8.0, the newest of both; pytest 9.1.1 for comparison.
# Guess before the run: tests with one xdist_group mark run in one process, so that an expensive fixture of a
#   module, such as a trained model or a session on a GPU, is made once.
# Behaviour: the mark is taken, no error or warning is given, and the tests are distributed one by one, as
#   without the mark; the fixture is made once in every process that gets one of them. With pytest 9.1.1 all run
#   in one process.
# Source: xdist/remote.py, pytest_collection_modifyitems, appends "@group" to item._nodeid; in pytest 9.2
#   _pytest/nodes.py, Node.nodeid is made of Node._id and reads no _nodeid any more. --dist loadfile still groups.
# Seen: "pytest 9.1.1: 1 process", "pytest 9.2.0: 2 processes".
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
mkdir "$place/tests"
cat > "$place/tests/test_model.py" <<'PYTHON'
import os
import time

import pytest

pytestmark = pytest.mark.xdist_group("model")


@pytest.fixture(scope="module")
def model():
    with open("made", "a") as file:
        file.write(f"{os.getpid()}\n")


@pytest.mark.parametrize("i", range(8))
def test_of_the_model(model, i):
    time.sleep(0.3)
PYTHON
processes() {
  "$place/env/bin/pip" install --quiet "pytest==$1" "pytest-xdist==3.8.0"
  rm -f "$place/tests/made"
  (cd "$place/tests" && "$place/env/bin/python" -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider >/dev/null)
  sort -u "$place/tests/made" | wc -l
}
before=$(processes 9.1.1)
now=$(processes 9.2.0)
echo "pytest 9.1.1: $before process(es) made the fixture"
echo "pytest 9.2.0: $now process(es) made the fixture"
if [ "$before" = 1 ] && [ "$now" = 2 ]; then echo "as found"; else echo "this has changed" && exit 1; fi

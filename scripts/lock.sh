#!/bin/sh
# Write the hashed requirement locks anew from pyproject.toml, for every supported interpreter and platform. Needs `uv`.
# No index or host is written: pip takes them from the machine's own settings.
set -eu
cd "$(dirname "$0")/.."
UV="${UV:-uv}"
compile() {
    "$UV" pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links pyproject.toml "$@"
}
# The build backend is locked with the rest, so that the project itself is installed without build isolation.
compile --group build -o requirements/run.txt
compile --group check -c requirements/run.txt -o requirements/check.txt
compile --group test -c requirements/check.txt -o requirements/test.txt
compile --extra geoparquet --group clients -o requirements/clients.txt

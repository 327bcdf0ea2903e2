#!/bin/bash
# Builds the one binary with all components, once, and prints its path.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's#.*k8s.io/kubernetes v\([0-9.]*\)$#\1#p' "$here/kube/go.mod" | head -1)
"$here/../build-servers.sh" kubernetes >&2
echo "${PODWEIR_SERVERS:-$HOME/.cache/podweir/servers}/kubernetes-$version/podweir-kube"

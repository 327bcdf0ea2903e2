#!/bin/bash
# PID 1 of a node, started by up.sh in fresh mount, pid, net, uts and ipc namespaces. Its end removes the node.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/cluster.sh"
i=$1 N=$R/n$1 name=$(node_name "$1") ip=$(node_ip "$1")
mount --make-rprivate /
hostname "$name"
mkdir -p "$N"/{cg,images,cni}
# A /sys that shows this network namespace, with the machine's cgroups
mount --rbind /sys/fs/cgroup "$N/cg"
mount -t sysfs sysfs /sys && mount --rbind "$N/cg" /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
umount -l /run/netns 2>/dev/null || true       # the machine's own, which containerd would find below
mount -t tmpfs -o mode=755 tmpfs /run          # /run/netns, /run/containerd, /run/xtables.lock
mount --make-shared /run                       # as systemd has it: pods that mount /run/netns see what comes later
for d in /var/lib/kubelet /var/lib/containerd /var/lib/cni /var/log/containers /var/log/pods; do
	[ -d "$d" ] || { mkdir -p "$d" && echo "$d" >>"$R/made"; }
	mkdir -p "$N$d" && mount --bind "$N$d" "$d"
done
cgroup_root=/
if [ "$i" != 1 ]; then   # two kubelets cannot share one /kubepods
	cgroup_root=/$name
	for h in /sys/fs/cgroup/*; do
		[ -e "$h/cgroup.procs" ] || continue
		mkdir -p "$h/$name"
		[ ! -e "$h/cpuset.mems" ] || { cat "$h/cpuset.cpus" >"$h/$name/cpuset.cpus"; cat "$h/cpuset.mems" >"$h/$name/cpuset.mems"; }
	done
fi
# The network: no way out of these namespaces
ip link set lo up
if [ "$i" = 1 ]; then ip link add node0 type bridge; else touch "$N/started"; until_ok 5 node0 ip link show node0; fi
ip addr add "$ip/24" dev node0 && ip link set node0 up
ip route add $SERVICE_CIDR dev node0   # DNAT of what the node itself sends happens after routing
sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
cat >"$N/cni/10-podweir.conflist" <<X
{"cniVersion": "0.4.0", "name": "podweir", "plugins": [
 {"type": "${PODWEIR_KUBE_CNI:-bridge}", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$(pod_cidr "$i")"$(pod_range "$i")}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
X
cat >"$N/containerd.toml" <<X
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "podweir.test/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true   # without CAP_SYS_RESOURCE runc cannot set the -998 of pause, and dies
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$N/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
X
echo "nameserver 10.96.0.10" >"$N/resolv.conf"
for f in kubelet kube-proxy; do
	sed "s#@R@#$R#g; s#@N@#$N#g; s#@IP@#$ip#g; s#@CGROUP_ROOT@#$cgroup_root#; s#@POD_CIDRS@#$POD_CIDRS#; s#@MODE@#${PODWEIR_KUBE_PROXY_MODE:-nftables}#" \
		"$here/$f.yaml.in" >"$N/$f.yaml"
done
kubeconfig_for "system:node:$name" "$N/kubelet.kubeconfig" "$(node_ip 1)"
kubeconfig_for system:kube-proxy "$N/kube-proxy.kubeconfig" "$(node_ip 1)"
kubeconfig_for admin "$N/admin.kubeconfig" "$(node_ip 1)"

spawn "containerd-$i" containerd --config "$N/containerd.toml"
[ "$i" != 1 ] || { start_etcd; start_apiserver 0.0.0.0 "$ip"; start_controllers; }
until_ok 30 containerd ctr version
for t in "$R"/images/*.tar; do ctr -n k8s.io images import "$t"; done
spawn "kubelet-$i" "$KUBE" kubelet --config "$N/kubelet.yaml" --kubeconfig "$N/kubelet.kubeconfig" --hostname-override "$name" --node-ip "$ip"
spawn "kube-proxy-$i" "$KUBE" kube-proxy --config "$N/kube-proxy.yaml" --hostname-override "$name"
k() { "$KUBE" kubectl --kubeconfig "$N/admin.kubeconfig" "$@"; }
until_ok 60 "node registered" k get node "$name"
k wait --for=condition=Ready --timeout=60s "node/$name"
touch "$N/ready"
while :; do wait -n || true; sleep 0.2; done   # PID 1 reaps what is left to it

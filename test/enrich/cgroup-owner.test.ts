import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type CgroupOwner, cgroupOwner } from '../../lib/enrich/cgroup-owner.ts'

const ID = '0123456789abcdef'.repeat(4)
const OTHER = 'fedcba9876543210'.repeat(4)
const UID = '4f0c1a2b-3d4e-5f60-7182-93a4b5c6d7e8'
const SLICED = UID.replaceAll('-', '_')
const MANIFEST = '0011223344556677889900aabbccddee'
const pod: CgroupOwner = { podUid: UID, containerId: ID }
const slices = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICED}.slice`

const shapes: readonly [string, string, CgroupOwner][] = [
  ['systemd and containerd', `0::${slices}/cri-containerd-${ID}.scope`, pod],
  [
    'guaranteed, without a quality of service',
    `0::/kubepods.slice/kubepods-pod${SLICED}.slice/cri-containerd-${ID}.scope`,
    pod,
  ],
  [
    'unflattened',
    `0::/system.slice/containerd.service/kubepods-besteffort-pod${SLICED}.slice:cri-containerd:${ID}`,
    pod,
  ],
  ['CRI-O', `0::${slices}/crio-${ID}.scope`, pod],
  ['CRI-O with a folder inside', `0::${slices}/crio-${ID}.scope/container`, pod],
  ['docker behind cri-dockerd', `0::${slices}/docker-${ID}.scope`, pod],
  ['cgroupfs', `0::/kubepods/burstable/pod${UID}/${ID}`, pod],
  ['cgroupfs, guaranteed', `0::/kubepods/pod${UID}/${ID}`, pod],
  ['kubelet’s own root', `0::/kubelet/kubepods/besteffort/pod${UID}/${ID}`, pod],
  [
    'kubelet’s own slice',
    `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${SLICED}.slice/cri-containerd-${ID}.scope`,
    pod,
  ],
  ['a node in a container', `0::/docker/${OTHER}/kubelet/kubepods/burstable/pod${UID}/${ID}`, pod],
  [
    'a node in a pod',
    `0::/kubepods/burstable/pod00000000-0000-0000-0000-000000000000/${OTHER}/kubelet/kubepods/pod${UID}/${ID}`,
    pod,
  ],
  ['a private cgroup namespace of somebody else', `0::/../../pod${UID}/${ID}`, pod],
  ['a static pod', `0::/kubepods/burstable/pod${MANIFEST}/${ID}`, { podUid: MANIFEST, containerId: ID }],
  ['a pod whose container is not known yet', `0::/docker/${OTHER}/kubepods/pod${UID}`, { podUid: UID }],
  ['v1', `12:memory:/kubepods/burstable/pod${UID}/${ID}\n1:name=systemd:/kubepods/burstable/pod${UID}/${ID}\n`, pod],
  [
    'v1, where one hierarchy has it',
    `4:freezer:/\n3:cpu,cpuacct:/kubepods/pod${UID}/${ID}\n0::/system.slice/containerd.service\n`,
    pod,
  ],
  ['docker', `0::/system.slice/docker-${ID}.scope`, { containerId: ID }],
  ['docker, cgroupfs', `3:cpu:/docker/${ID}\n`, { containerId: ID }],
  ['podman', `0::/machine.slice/libpod-${ID}.scope/container`, { containerId: ID }],
  ['containerd without Kubernetes', `0::/default/${ID}`, { containerId: ID }],
  ['a service', '0::/system.slice/ssh.service', {}],
  ['the root', '0::/', {}],
  ['nothing', '', {}],
  ['63 digits', `0::/docker/${ID.slice(1)}`, {}],
  ['65 digits', `0::/docker/0${ID}`, {}],
  ['a name that only ends like a pod’s', `0::/tripod${UID}/x`, {}],
]

describe('cgroupOwner', () => {
  for (const [name, text, owner] of shapes) it(`knows ${name}`, () => assert.deepEqual(cgroupOwner(text), owner))
})

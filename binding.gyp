{
  'variables': {
    # All of the addon that knows nothing of Node.
    'core_sources': ['addon/probe.cc', 'addon/probe_interfaces.cc', 'addon/probe_reading.cc', 'addon/probe_hooks.cc', 'addon/dispatcher.cc', 'addon/attach.cc', 'addon/chain.cc', 'addon/interfaces.cc',
                     'addon/netlink.cc', 'addon/namespace.cc', 'addon/processes.cc', 'addon/survey.cc', 'addon/worker.cc', 'addon/drain.cc', 'addon/drain_rows.cc', 'addon/clock.cc', 'addon/occupied_slots.cc', 'addon/rest.cc', 'addon/flow_reader.cc', 'addon/beginning.cc',
                     'addon/tcp_reader.cc', 'addon/interface_rows.cc', 'addon/connection.cc', 'addon/retire.cc', 'addon/self_audit.cc',
                     'addon/drops.cc', 'addon/drop_reasons.cc', 'addon/dns_tap.cc', 'addon/journal.cc', 'addon/pins.cc', 'addon/attach_pins.cc', 'addon/probe_adoption.cc', 'addon/probe_pins.cc',
                     'addon/filters.cc', 'addon/sweep.cc', 'addon/detach_all.cc', 'addon/scope_rules.cc', 'addon/privileges.cc', 'addon/scratch_pair.cc',
                     'addon/foreign_programs.cc', 'addon/conntrack.cc', 'addon/translations.cc', 'addon/host_sockets.cc', 'addon/cgroup_paths.cc'],
    # Each spilled register has a place of its own: where CAP_PERFMON is missing the verifier lets nothing be written to where
    # a pointer was.
    'apart': ['-mllvm', '-no-stack-slot-sharing'],
    'ebpf_headers': ['<!@(ls ebpf/*.h)'],
    'warnings': ['-Wall', '-Wextra', '-Werror', '-fno-exceptions', '-fno-rtti'],
  },
  'target_defaults': {
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-fno-omit-frame-pointer'],
    'cflags_cc': ['-std=c++20', '<@(warnings)'],
    'defines': ['NAPI_VERSION=9', 'NAPI_DISABLE_CPP_EXCEPTIONS'],
    'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")', 'ebpf', '<(SHARED_INTERMEDIATE_DIR)'],
  },
  'targets': [
    {
      'target_name': 'ebpf',
      'type': 'none',
      'actions': [
        {
          'action_name': 'compile',
          'inputs': ['ebpf/flow.bpf.c', '<@(ebpf_headers)'],
          'outputs': ['<(SHARED_INTERMEDIATE_DIR)/flow.bpf.o'],
          'action': ['<!(command -v clang || command -v clang-14)', '-g', '-O2', '-Wall', '-Wextra', '-Werror',
                     '-target', 'bpf', '-mcpu=v3', '-ffile-compilation-dir=.', '<@(apart)', '-idirafter', '/usr/include/<!(gcc -dumpmachine)',
                     '-c', 'ebpf/flow.bpf.c', '-o', '<@(_outputs)'],
        },
        {
          'action_name': 'skeleton',
          'inputs': ['<(SHARED_INTERMEDIATE_DIR)/flow.bpf.o'],
          'outputs': ['<(SHARED_INTERMEDIATE_DIR)/flow.skel.h'],
          'action': ['sh', '-c', 'PATH=$PATH:/usr/sbin bpftool gen skeleton <(_inputs) name flow_bpf > <(_outputs)'],
        },
        {
          'action_name': 'compile drops',
          'inputs': ['ebpf/drops.bpf.c', 'ebpf/drop.h', 'ebpf/kernel.bpf.h'],
          'outputs': ['<(SHARED_INTERMEDIATE_DIR)/drops.bpf.o'],
          'action': ['<!(command -v clang || command -v clang-14)', '-g', '-O2', '-Wall', '-Wextra', '-Werror',
                     '-target', 'bpf', '-mcpu=v3', '-ffile-compilation-dir=.', '-idirafter', '/usr/include/<!(gcc -dumpmachine)',
                     '-c', 'ebpf/drops.bpf.c', '-o', '<@(_outputs)'],
        },
        {
          'action_name': 'skeleton of drops',
          'inputs': ['<(SHARED_INTERMEDIATE_DIR)/drops.bpf.o'],
          'outputs': ['<(SHARED_INTERMEDIATE_DIR)/drops.skel.h'],
          'action': ['sh', '-c', 'PATH=$PATH:/usr/sbin bpftool gen skeleton <(_inputs) name drops_bpf > <(_outputs)'],
        },
        {
          'action_name': 'compile dns',
          'inputs': ['ebpf/dns.bpf.c', '<@(ebpf_headers)'],
          'outputs': ['<(SHARED_INTERMEDIATE_DIR)/dns.bpf.o'],
          'action': ['<!(command -v clang || command -v clang-14)', '-g', '-O2', '-Wall', '-Wextra', '-Werror',
                     '-target', 'bpf', '-mcpu=v3', '-ffile-compilation-dir=.', '<@(apart)', '-idirafter', '/usr/include/<!(gcc -dumpmachine)',
                     '-c', 'ebpf/dns.bpf.c', '-o', '<@(_outputs)'],
        },
        {
          'action_name': 'skeleton of dns',
          'inputs': ['<(SHARED_INTERMEDIATE_DIR)/dns.bpf.o'],
          'outputs': ['<(SHARED_INTERMEDIATE_DIR)/dns.skel.h'],
          'action': ['sh', '-c', 'PATH=$PATH:/usr/sbin bpftool gen skeleton <(_inputs) name dns_bpf > <(_outputs)'],
        },
      ],
    },
    {
      'target_name': 'podweir',
      'dependencies': ['ebpf'],
      'sources': ['addon/binding.cc', 'addon/probe_objects.cc', 'addon/flow_batch.cc', 'addon/drops_binding.cc', 'addon/dns_batch.cc', 'addon/node_batch.cc', 'addon/detach_binding.cc', 'addon/scope_options.cc',
                  'addon/privileges_binding.cc', 'addon/doctor_binding.cc', 'addon/discovery_binding.cc', 'addon/watch.cc', '<@(core_sources)'],
      'libraries': ['-lbpf', '-lelf', '-lz'],
    },
    {
      'target_name': 'podweir-traffic',
      'type': 'executable',
      'sources': ['<!@(ls traffic/*.cc 2>/dev/null || true)'],
    },
  ],
  # Tests and benches are no part of the package.
  'conditions': [
    ['"<!(test -d test && echo yes || echo no)"=="yes"', {
      'targets': [
        {
          'target_name': 'podweir-kernel-objects',
          'type': 'none',
          'sources': ['<!@(ls test/ebpf/*.bpf.c bench/*.bpf.c)'],
          'rules': [
            {
              'rule_name': 'compile',
              'extension': 'c',
              'inputs': ['ebpf/flow.h', '<!@(ls bench/*.bpf.h)'],
              'outputs': ['<(PRODUCT_DIR)/<(RULE_INPUT_ROOT).o'],
              'action': ['<!(command -v clang || command -v clang-14)', '-g', '-O2', '-Wall', '-Wextra', '-Werror',
                         '-Wno-unused-parameter', '-target', 'bpf', '-mcpu=v3', '-ffile-compilation-dir=.', '-Iebpf',
                         '-idirafter', '/usr/include/<!(gcc -dumpmachine)', '-c', '<(RULE_INPUT_PATH)', '-o', '<@(_outputs)'],
            },
          ],
        },
        {
          'target_name': 'podweir-kernel',
          'dependencies': ['podweir-kernel-objects'],
          'sources': ['<!@(ls test/support/native/*.cc)', 'addon/namespace.cc', 'addon/processes.cc', 'addon/interfaces.cc',
                      'addon/netlink.cc', 'addon/worker.cc', 'addon/privileges.cc'],
          'include_dirs': ['addon'],
          'libraries': ['-lbpf', '-lelf', '-lz'],
        },
        {
          'target_name': 'podweir-under-seccomp',
          'type': 'executable',
          'sources': ['test/support/sealed/main.cc'],
        },
        {
          # Runs as the only process of a kernel under test.
          'target_name': 'podweir-kernel-check',
          'type': 'executable',
          'dependencies': ['ebpf'],
          'sources': ['<!@(ls test/kernels/*.cc)', 'test/support/native/test_run.cc', '<@(core_sources)'],
          'include_dirs': ['addon', 'test/support/native'],
          'libraries': ['-lbpf', '-lelf', '-lz'],
        },
      ],
    }],
  ],
}

// What there is on this machine at one moment, for naming: namespaces, who is in them, and the links to them.
#ifndef PODWEIR_SURVEY_H
#define PODWEIR_SURVEY_H

#include <cstdint>
#include <string>
#include <vector>

#include "interfaces.h"
#include "namespace.h"

namespace podweir {

// The oldest process of those that are in one cgroup and in one network namespace.
struct Resident {
  int process = 0;
  uint64_t started = 0;  // clock ticks since the machine started
  std::string cgroup;    // its /proc/PID/cgroup
};

struct SurveyedNamespace {
  std::string path;  // empty: the agent's own
  unsigned long inode = 0;
  int id = -1;          // as the agent's namespace numbers it
  uint64_t cookie = 0;  // never given twice, unlike inode and id; 0 when we may not enter, or before Linux 5.14
  std::vector<Resident> residents;  // oldest first
};

struct Survey {
  std::vector<SurveyedNamespace> namespaces;
  std::vector<Link> links;     // the agent's own namespace's
  bool may_enter = true;       // false: setns was refused
  bool names_pending = false;  // a name that no namespace is mounted on yet
};

// One pass over /proc, on `thread`, which enters each namespace for its cookie.
Result<Survey> TakeSurvey(NamespaceThread& thread);

// Addresses of the devices of the namespace that the agent's numbers `namespace_id`: CAP_NET_ADMIN is enough.
struct DeviceAddress {
  int index = 0;
  std::vector<uint8_t> bytes;  // 4 or 16
};
Result<std::vector<DeviceAddress>> ListAddresses(int namespace_id);

}  // namespace podweir

#endif

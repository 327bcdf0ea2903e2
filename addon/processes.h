// The processes that /proc shows: which network namespace each is in, since when, in which cgroup.
#ifndef PODWEIR_PROCESSES_H
#define PODWEIR_PROCESSES_H

#include <cstdint>
#include <functional>
#include <string>

#include "handle.h"

namespace podweir {

// One process as long as it is visited. What is read is this process's or nothing: the descriptor of its folder does
// not follow a number that is given to another one.
class Process {
 public:
  Process(int id, Fd folder) : id_(id), folder_(std::move(folder)) {}

  int id() const { return id_; }
  bool valid() const { return folder_.valid(); }
  // Inode of its network namespace; 0 when it is gone, or when we may not know (then errno is EACCES or EPERM).
  unsigned long Namespace() const;
  // It has no executable. What we may not look at is taken for a process.
  bool IsKernelThread() const;
  // Clock ticks since the machine started, 0 when it is gone.
  uint64_t Started() const;
  // Its /proc/PID/cgroup, empty when it is gone.
  std::string Cgroup() const;

 private:
  std::string Read(const char* file) const;

  int id_;
  Fd folder_;
};

// Invalid when there is none of that number.
Process OpenProcess(int id);

// By which its network namespace can be entered.
std::string NamespacePathOf(int process);

// The visitor may keep the process.
void EachProcess(const std::function<void(Process&)>& visit);

// Calls back with every name in a folder, hidden ones aside; with none when it cannot be read.
void EachName(const char* folder, const std::function<void(const char*)>& visit);

}  // namespace podweir

#endif

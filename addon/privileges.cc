#include "privileges.h"

#include <dirent.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

namespace podweir {
namespace {

// Capabilities belong to threads, and a thread can change its own alone. The C library has the same task when user ids
// change, and uses this signal, which no thread can block (nptl(7)): Node's threads block most others.
constexpr int kEveryThread = 33;
constexpr int kMostCapabilities = 64;
constexpr int kPollUs = 200;
constexpr int kMostPolls = 25'000;

// sigaction(2) of the kernel: the C library's wrapper keeps this signal to itself.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

#ifdef __x86_64__
constexpr unsigned long kRestorerFlag = 0x04000000;  // SA_RESTORER: this architecture has no other way back
extern "C" void podweir_return_from_signal();
asm(".text\n.type podweir_return_from_signal, @function\npodweir_return_from_signal:\n\tmov $15, %rax\n\tsyscall\n");
constexpr void (*kRestorer)() = podweir_return_from_signal;
#else
constexpr unsigned long kRestorerFlag = 0;
constexpr void (*kRestorer)() = nullptr;
#endif

std::atomic<uint64_t> kept_everywhere{0};
std::atomic<int> failed_with{0};
Worker* entering_thread = nullptr;

void OnSignal(int) {
  int before = errno;
  int error = KeepOnly(kept_everywhere.load());
  if (error) failed_with.store(error);
  errno = before;
}

struct ThreadRights {
  uint64_t sets = 0;  // permitted, inheritable and ambient, or'ed
  bool no_new_privs = false;
  bool known = false;
};

ThreadRights ReadRights(int thread) {
  std::string path = "/proc/self/task/" + std::to_string(thread) + "/status";
  ThreadRights rights;
  FILE* file = fopen(path.c_str(), "re");
  if (!file) return rights;
  char line[256];
  unsigned long long set;
  int flag;
  while (fgets(line, sizeof(line), file)) {
    for (const char* format : {"CapPrm: %llx", "CapInh: %llx", "CapAmb: %llx"})
      if (sscanf(line, format, &set) == 1) rights.sets |= set;
    if (sscanf(line, "NoNewPrivs: %d", &flag) == 1) {
      rights.no_new_privs = flag == 1;
      rights.known = true;
    }
  }
  fclose(file);
  return rights;
}

bool HasTooMuch(const ThreadRights& rights) { return (rights.sets & ~kept_everywhere.load()) || !rights.no_new_privs; }

// How many threads but `spared` still have more than they should. Each is told once: the signal queues, and what came
// after the handler is gone would find the C library's, which expects another question.
int TellThreads(int spared, std::set<int>& told) {
  DIR* directory = opendir("/proc/self/task");
  if (!directory) return -1;
  std::set<int> waiting;
  while (dirent* entry = readdir(directory)) {
    int thread = atoi(entry->d_name);
    if (thread <= 0 || thread == spared) continue;
    ThreadRights rights = ReadRights(thread);
    if (!rights.known || !HasTooMuch(rights)) continue;
    if (told.count(thread) || !syscall(SYS_tgkill, getpid(), thread, kEveryThread)) waiting.insert(thread);
  }
  closedir(directory);
  told = std::move(waiting);
  return static_cast<int>(told.size());
}

Status DropEverywhere(int spared) {
  KernelAction action{OnSignal, SA_RESTART | SA_ONSTACK | kRestorerFlag, kRestorer, ~0ULL}, before{};
  if (syscall(SYS_rt_sigaction, kEveryThread, &action, &before, sizeof(action.mask)))
    return Failed("drop privileges", "of all threads", errno);
  std::set<int> told;
  int waiting = -1;
  // A thread may make another one before it is told: until all of them, as the kernel lists them, have let go.
  for (int poll = 0; poll < kMostPolls && (waiting = TellThreads(spared, told)) > 0 && !failed_with.load(); poll++)
    usleep(kPollUs);
  // With a signal still on its way the handler stays; the caller ends this process.
  if (failed_with.load()) return Failed("drop privileges", "of a thread", failed_with.load());
  if (waiting < 0) return Failed("drop privileges", "/proc/self/task", errno);
  if (waiting > 0) return Failed("drop privileges", "of all threads", ETIMEDOUT);
  syscall(SYS_rt_sigaction, kEveryThread, &before, nullptr, sizeof(before.mask));
  return Status{};
}

}  // namespace

Capabilities ReadCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data)) return {};
  auto wide = [&](auto member) { return data[0].*member | uint64_t{data[1].*member} << 32; };
  using Data = __user_cap_data_struct;
  return {wide(&Data::effective), wide(&Data::permitted), wide(&Data::inheritable)};
}

// Runs in a signal handler: nothing but system calls.
int KeepOnly(uint64_t keep) {
  // EPERM without CAP_SETPCAP, EINVAL behind the last capability of this kernel.
  for (int i = 0; i < kMostCapabilities; i++) prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  keep &= ReadCapabilities().permitted;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  auto low = static_cast<uint32_t>(keep), high = static_cast<uint32_t>(keep >> 32);
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{low, low, 0}, {high, high, 0}};
  if (syscall(SYS_capset, &header, data)) return errno;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? errno : 0;
}

Status DropPrivileges(uint64_t process, uint64_t entering) {
  if (entering_thread) return Failed("drop privileges", "of this process", EALREADY);
  // Kernels before 5.11 charge maps to it. Who may not raise it has the limit that he was given.
  rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);
  // Lives as long as the process: its rights can't be had again.
  entering_thread = new Worker("podweir-netns");
  int error = 0, thread = 0;
  entering_thread->Run([&] {
    thread = ThisThread();
    error = KeepOnly(process | entering);
  });
  if (error) return Failed("drop privileges", "of the thread for namespaces", error);
  kept_everywhere.store(process);
  return DropEverywhere(thread);
}

Worker* EnteringThread() { return entering_thread; }

}  // namespace podweir

// What libbpf and the kernel say while an object is loaded; only the end of it tells why.
#ifndef PODWEIR_LOAD_LOG_H
#define PODWEIR_LOAD_LOG_H

#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "capabilities.h"
#include "status.h"

namespace podweir {

// Listens to libbpf on the thread that made it, as long as it lives.
class LoadLog {
 public:
  LoadLog() : before_(libbpf_set_print(Keep)) { text().clear(); }
  ~LoadLog() { libbpf_set_print(before_); }
  LoadLog(const LoadLog&) = delete;
  LoadLog& operator=(const LoadLog&) = delete;

  std::string LastLines(int lines) const {
    const std::string& log = text();
    size_t at = log.find_last_not_of('\n');
    if (at == std::string::npos) return "";
    size_t end = at + 1;
    while (lines-- > 0 && at != std::string::npos && at > 0) at = log.rfind('\n', at - 1);
    size_t start = at == std::string::npos ? 0 : at + (log[at] == '\n');
    return log.substr(start, end - start);
  }

 private:
  static constexpr size_t kBytes = 16 * 1024;

  static std::string& text() {
    static thread_local std::string log;
    return log;
  }

  static int Keep(enum libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG) return 0;
    char line[kBytes];
    int length = vsnprintf(line, sizeof(line), format, arguments);
    if (length > 0) text().append(line, std::min<size_t>(length, sizeof(line) - 1));
    if (text().size() > kBytes) text().erase(0, text().size() - kBytes);
    return length;
  }

  libbpf_print_fn_t before_;
};

// `missing`: of those capabilities that loading takes where CAP_SYS_ADMIN does not stand for them.
inline Status LoadFailure(const char* object, int error, const LoadLog& log, const std::string& missing) {
  bool refused = (error == -EPERM || error == -EACCES) && !MissingCapabilities(kSysAdmin).empty();
  if (refused && !missing.empty()) return Failed("load", object, EPERM, missing);
  return Failed("load", object, error, log.LastLines(8));
}

}  // namespace podweir

#endif

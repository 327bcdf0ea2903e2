// What a role says on stdout: `ready` when a server listens, and one JSON line with its own counts at the end.
#ifndef PODWEIR_TRAFFIC_REPORT_H
#define PODWEIR_TRAFFIC_REPORT_H

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>

namespace traffic {

inline void SayReady() {
  puts("ready");
  fflush(stdout);
}

class Report {
 public:
  explicit Report(const std::string& role) : line_("{\"role\":\"" + role + "\"") {}

  Report& Add(const char* name, uint64_t value) {
    line_ += ",\"" + std::string(name) + "\":" + std::to_string(value);
    return *this;
  }
  void Print() const {
    printf("%s}\n", line_.c_str());
    fflush(stdout);
  }

 private:
  std::string line_;
};

}  // namespace traffic

#endif

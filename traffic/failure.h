// How the program ends when it can't do its work: one sentence on stderr and exit code 1 (2 for wrong arguments).
#ifndef PODWEIR_TRAFFIC_FAILURE_H
#define PODWEIR_TRAFFIC_FAILURE_H

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace traffic {

[[noreturn]] inline void Fail(const std::string& step, const std::string& subject, int error) {
  fprintf(stderr, "podweir-traffic: %s %s: %s\n", step.c_str(), subject.c_str(), strerror(error));
  exit(1);
}

[[noreturn]] inline void RefuseArguments(const std::string& why) {
  fprintf(stderr, "podweir-traffic: %s\n", why.c_str());
  exit(2);
}

}  // namespace traffic

#endif

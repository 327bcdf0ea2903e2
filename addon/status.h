// How every native failure travels: as a value that says what was done to what, and why it failed.
#ifndef PODWEIR_STATUS_H
#define PODWEIR_STATUS_H

#include <optional>
#include <string>
#include <utility>

namespace podweir {

struct Status {
  std::string step;     // `attach`, `load`
  std::string subject;  // a device, a namespace, a program
  int error = 0;        // errno, 0 when all is well
  std::string detail;   // what the kernel said, if it said anything

  bool ok() const { return error == 0; }
};

inline Status Failed(std::string step, std::string subject, int error, std::string detail = "") {
  return Status{std::move(step), std::move(subject), error < 0 ? -error : error, std::move(detail)};
}

template <typename T>
struct Result {
  std::optional<T> value;
  Status status;

  Result(T result) : value(std::move(result)) {}
  Result(Status failure) : status(std::move(failure)) {}
  bool ok() const { return value.has_value(); }
  T& operator*() { return *value; }
  T* operator->() { return &*value; }
};

}  // namespace podweir

#endif

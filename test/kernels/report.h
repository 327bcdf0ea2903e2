// What the guest says: one line for each fact, read by guest.ts.
#ifndef PODWEIR_KERNELS_REPORT_H
#define PODWEIR_KERNELS_REPORT_H

#include <string>

#include "status.h"

namespace podweir {

class Report {
 public:
  void Ok(const std::string& fact);
  void NotOk(const std::string& fact, const std::string& why);
  void Skip(const std::string& fact, const std::string& why);
  void Figure(const std::string& name, const std::string& value);
  // Belongs to no fact, and is shown when one fails.
  void Remark(const std::string& text);

  void Check(const std::string& fact, bool holds, const std::string& why);
  // Ok, or the failure in words. Returns whether it was ok.
  bool Check(const std::string& fact, const Status& status);
};

std::string Words(const Status& status);

}  // namespace podweir

#endif

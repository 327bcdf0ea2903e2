#include "report.h"

#include <cstdio>
#include <cstring>

namespace podweir {
namespace {

// The console is one line at a time; what is more goes on as remarks.
std::string OneLine(std::string text) {
  for (char& letter : text)
    if (letter == '\n' || letter == '\r') letter = ' ';
  return text;
}

void Say(const std::string& line) { printf("%s\n", OneLine(line).c_str()); }

}  // namespace

void Report::Ok(const std::string& fact) { Say("ok " + fact); }
void Report::NotOk(const std::string& fact, const std::string& why) { Say("not ok " + fact + ": " + why); }
void Report::Skip(const std::string& fact, const std::string& why) { Say("skip " + fact + ": " + why); }
void Report::Figure(const std::string& name, const std::string& value) { Say("figure " + name + " " + value); }

void Report::Remark(const std::string& text) {
  size_t from = 0;
  while (from < text.size()) {
    size_t end = std::min(text.find('\n', from), text.size());
    Say("# " + text.substr(from, end - from));
    from = end + 1;
  }
}

void Report::Check(const std::string& fact, bool holds, const std::string& why) {
  if (holds) Ok(fact);
  else NotOk(fact, why);
}

bool Report::Check(const std::string& fact, const Status& status) {
  Check(fact, status.ok(), Words(status));
  return status.ok();
}

std::string Words(const Status& status) {
  return status.step + " " + status.subject + ": " + strerror(status.error) +
         (status.detail.empty() ? "" : " (" + status.detail + ")");
}

}  // namespace podweir

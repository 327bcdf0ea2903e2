// Writes the same settings in many namespaces: /proc/sys/net shows the namespace of the thread that opens it.
#include <sstream>

#include "netns.h"
#include "roles.h"

namespace traffic {
namespace {

void WriteSetting(const std::string& setting) {
  const size_t equals = setting.find('=');
  if (equals == std::string::npos) RefuseArguments(setting + " is not path/of/key=value");
  const std::string path = "/proc/sys/" + setting.substr(0, equals);
  const std::string value = setting.substr(equals + 1);
  const podweir::Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid() || write(file.get(), value.data(), value.size()) < 0) Fail("write " + value + " to", path, errno);
}

}  // namespace

// sysctl --netns A,B,C net/ipv6/conf/default/accept_dad=0 …
int Sysctl(const Arguments& arguments) {
  arguments.Allow({});
  std::istringstream names(arguments.Text("netns"));
  for (std::string name; std::getline(names, name, ',');) {
    EnterNetns(name);
    for (const std::string& setting : arguments.words()) WriteSetting(setting);
  }
  return 0;
}

}  // namespace traffic

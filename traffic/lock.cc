// Holds a name of the machine while a command runs, and frees it at the command's death, however it dies.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "../addon/handle.h"
#include "failure.h"
#include "roles.h"

namespace traffic {

constexpr int kBusy = 75;  // EX_TEMPFAIL: somebody else holds the name

// lock --name N -- COMMAND …
int Lock(const Arguments& arguments) {
  arguments.Allow({"name"});
  const std::string name = arguments.Text("name");
  if (!arguments.command()) RefuseArguments("role lock needs -- and a command");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() + 1 > sizeof(address.sun_path)) RefuseArguments("--name " + name + " is too long");
  // An abstract name leaves no file behind.
  memcpy(address.sun_path + 1, name.data(), name.size());
  const socklen_t length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  // No SOCK_CLOEXEC: the command holds the name through this descriptor.
  const podweir::Fd holder(socket(AF_UNIX, SOCK_STREAM, 0));
  if (bind(holder.get(), reinterpret_cast<const sockaddr*>(&address), length)) {
    if (errno == EADDRINUSE) return kBusy;
    Fail("lock", name, errno);
  }
  execvp(arguments.command()[0], arguments.command());
  Fail("run", arguments.command()[0], errno);
}

}  // namespace traffic

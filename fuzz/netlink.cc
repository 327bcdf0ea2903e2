// What the kernel answers, whatever its bytes, to each question of addon/interfaces.cc: read within what was received,
// and to an end. socket, send and recv are this file's own (--wrap of the linker).
#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <sys/socket.h>

#include <cerrno>

#include "demand.h"
#include "interfaces.h"

namespace {

constexpr char kAnyFile[] = "/dev/null";
constexpr int kAnyIndex = 2;

// Datagrams, each behind its length in two bytes.
struct Answers {
  const uint8_t* data = nullptr;
  size_t size = 0;

  size_t Take(void* to, size_t room) {
    uint16_t bytes = 0;
    if (size < sizeof(bytes)) return 0;
    memcpy(&bytes, data, sizeof(bytes));
    size_t taken = std::min<size_t>({bytes, size - sizeof(bytes), room});
    memcpy(to, data + sizeof(bytes), taken);
    data += sizeof(bytes) + taken;
    size -= sizeof(bytes) + taken;
    return taken;
  }
} answers;

bool IsText(const std::string& text) { return text.find('\0') == std::string::npos; }

void Check(const podweir::Link& link) {
  demand(IsText(link.name) && IsText(link.kind) && IsText(link.qdisc), "a name ends before its first zero");
  demand(link.address.empty() || link.address.size() % 3 == 2, "an address is pairs of digits");
}

void Ask(uint8_t question, podweir::Netlink& netlink) {
  switch (question % 6) {
    case 0: {
      auto links = ListLinks(netlink);
      if (links.ok())
        for (const podweir::Link& link : *links) Check(link);
      demand(links.ok() || links.status.error > 0, "a failure has its reason");
      return;
    }
    case 1: {
      auto reading = ReadLink(netlink, -1, kAnyIndex);
      if (reading.ok()) Check(reading->link);
      demand(reading.ok() || reading.status.error > 0, "a failure has its reason");
      return;
    }
    case 2:
      QdiscDrops(netlink, kAnyIndex);
      return;
    case 3:
      demand(IsText(FilterQdisc(netlink, kAnyIndex)), "a kind ends before its first zero");
      return;
    case 4:
      demand(CountFilters(netlink, kAnyIndex) >= 0, "a count is not negative");
      return;
    case 5:
      NamespaceId(netlink, kAnyFile, true);
      return;
  }
}

}  // namespace

extern "C" {

int __wrap_socket(int, int, int) { return open(kAnyFile, O_RDWR | O_CLOEXEC); }

ssize_t __wrap_send(int, const void*, size_t bytes, int) { return static_cast<ssize_t>(bytes); }

// What lies behind the datagram is nobody's: the buffer is larger.
ssize_t __wrap_recv(int, void* buffer, size_t room, int) {
  ASAN_UNPOISON_MEMORY_REGION(buffer, room);
  size_t received = answers.Take(buffer, room);
  if (!received) {
    errno = EAGAIN;
    return -1;
  }
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(buffer) + received, room - received);
  return static_cast<ssize_t>(received);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto netlink = podweir::Netlink::Open();
  answers = {data + 1, size - 1};
  Ask(data[0], *netlink);
  return 0;
}
}

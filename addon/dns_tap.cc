#include "dns_tap.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <utility>

#include "capabilities.h"
#include "clock.h"
#include "dns.skel.h"
#include "load_log.h"

namespace podweir {
namespace {

static_assert(std::has_unique_object_representations_v<dns_message> && sizeof(dns_message) == 56);

constexpr char kObject[] = "dns.bpf.o";
// From one reading to the next; what is more is lost, and so is what one interface has more than its share.
constexpr uint32_t kMostBytes = 4 << 20, kMostBytesOfOne = kMostBytes / 4;
constexpr double kNsPerMs = 1e6;

}  // namespace

DnsTap::DnsTap() : bytes_of_(INTERFACE_SLOTS) {}

Result<std::unique_ptr<DnsTap>> DnsTap::Load(const DispatcherMaps& maps, NamespaceThread& loading) {
  std::unique_ptr<DnsTap> tap(new DnsTap());
  Status status = loading.In("", [&] { return tap->Open(maps); });
  if (status.ok()) status = tap->Connect();
  if (status.ok()) status = tap->StartReader();
  if (!status.ok()) return status;
  return tap;
}

DnsTap::~DnsTap() {
  if (thread_.joinable()) {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  ring_buffer__free(ring_);
  dns_bpf::destroy(skeleton_);
}

Status DnsTap::Open(const DispatcherMaps& maps) {
  LoadLog log;
  skeleton_ = dns_bpf::open();
  if (!skeleton_) return Failed("open", kObject, errno, log.LastLines(8));
  int error = bpf_map__reuse_fd(skeleton_->maps.programs, maps.programs);
  if (!error) error = bpf_map__reuse_fd(skeleton_->maps.scratch, maps.scratch);
  if (error) return Failed("open", kObject, error, log.LastLines(8));
  error = dns_bpf::load(skeleton_);
  return error ? LoadFailure(kObject, error, log, MissingCapabilities(kBpf, kNetAdmin)) : Status{};
}

Status DnsTap::Connect() {
  const auto& progs = skeleton_->progs;
  const std::pair<uint32_t, const bpf_program*> places[] = {
      {PlaceOf(PROGRAM_IPV4, FROM_POD), progs.dns4_from_pod},
      {PlaceOf(PROGRAM_IPV4, TO_POD), progs.dns4_to_pod},
      {PlaceOf(PROGRAM_IPV6, FROM_POD), progs.dns6_from_pod},
      {PlaceOf(PROGRAM_IPV6, TO_POD), progs.dns6_to_pod},
  };
  for (auto& [place, program] : places) {
    int fd = bpf_program__fd(program);
    if (bpf_map_update_elem(map(), &place, &fd, BPF_ANY)) return Failed("connect", bpf_program__name(program), errno);
  }
  return Status{};
}

Status DnsTap::StartReader() {
  stop_ = Fd(eventfd(0, EFD_CLOEXEC));
  if (!stop_.valid()) return Failed("read", "dns_messages", errno);
  ring_ = ring_buffer__new(bpf_map__fd(skeleton_->maps.dns_messages), OnMessage, this, nullptr);
  if (!ring_) return Failed("read", "dns_messages", errno);
  thread_ = std::thread([this] { Loop(); });
  pthread_setname_np(thread_.native_handle(), "podweir-dns");
  return Status{};
}

// Woken when much waits: what is little waits for the next Read.
void DnsTap::Loop() {
  pollfd sources[] = {{stop_.get(), POLLIN, 0}, {ring_buffer__epoll_fd(ring_), POLLIN, 0}};
  for (;;) {
    if (poll(sources, std::size(sources), -1) < 0 && errno != EINTR) return;
    if (sources[0].revents) return;
    std::lock_guard lock(mutex_);
    Consume();
  }
}

void DnsTap::Consume() {
  ring_buffer__consume(ring_);
  // Each interface may have its share again.
  __atomic_store_n(&skeleton_->bss->dns_reading, skeleton_->bss->dns_reading + 1, __ATOMIC_RELAXED);
}

int DnsTap::OnMessage(void* self, void* data, size_t bytes) {
  auto* message = static_cast<const dns_message*>(data);
  if (bytes < sizeof(*message) || bytes - sizeof(*message) < message->payload_bytes) return 0;  // can't be
  static_cast<DnsTap*>(self)->Add(*message, static_cast<const uint8_t*>(data) + sizeof(*message));
  return 0;
}

void DnsTap::Add(const dns_message& message, const uint8_t* payload) {
  uint32_t bytes = sizeof(message) + message.payload_bytes;
  uint32_t& of_interface = bytes_of_[message.interface_slot % INTERFACE_SLOTS];
  if (bytes_ + bytes > kMostBytes || of_interface + bytes > kMostBytesOfOne) {
    lost_++;
    return;
  }
  bytes_ += bytes;
  of_interface += bytes;
  rows_.monotonic_ms.push_back(static_cast<double>(message.at_ns) / kNsPerMs);
  rows_.interface_slot.push_back(message.interface_slot);
  rows_.local_port.push_back(ntohs(message.local_port));
  rows_.from_pod.push_back(message.direction == FROM_POD);
  rows_.family.push_back(message.family);
  rows_.protocol.push_back(message.protocol);
  rows_.cut.push_back(message.cut);
  auto add = [](std::vector<uint8_t>& to, const void* from, size_t length) {
    auto* first = static_cast<const uint8_t*>(from);
    to.insert(to.end(), first, first + length);
  };
  add(rows_.local_address, message.local, sizeof(message.local));
  add(rows_.remote_address, message.remote, sizeof(message.remote));
  add(rows_.bytes, payload, message.payload_bytes);
  rows_.end.push_back(static_cast<uint32_t>(rows_.bytes.size()));
}

DnsReading DnsTap::Read() {
  std::lock_guard lock(mutex_);
  Consume();
  DnsReading reading;
  reading.rows = std::exchange(rows_, {});
  reading.wall_minus_monotonic_ms = WallMinusMonotonicMs();
  reading.lost = lost_ + __atomic_load_n(&skeleton_->bss->dns_lost, __ATOMIC_RELAXED);
  bytes_ = 0;
  std::fill(bytes_of_.begin(), bytes_of_.end(), 0);
  return reading;
}

std::unique_ptr<Tap> OpenDnsTap(const DispatcherMaps& maps, NamespaceThread& loading, Status& status) {
  Result<std::unique_ptr<DnsTap>> tap = DnsTap::Load(maps, loading);
  status = tap.status;
  return tap.ok() ? std::move(*tap) : nullptr;
}

Result<DnsReading> ReadDnsTap(Tap* tap) {
  if (!tap) return Failed("read", "dns_messages", EBADF, "the module is not loaded");
  return static_cast<DnsTap*>(tap)->Read();
}

int DnsTap::map() const { return bpf_map__fd(skeleton_->maps.dns_programs); }

std::vector<int> DnsTap::programs() const {
  std::vector<int> all;
  bpf_program* program;
  bpf_object__for_each_program(program, skeleton_->obj) all.push_back(bpf_program__fd(program));
  return all;
}

// Without those that are the counting programs' own.
std::vector<int> DnsTap::maps() const {
  std::vector<int> all;
  bpf_map* each;
  bpf_object__for_each_map(each, skeleton_->obj) if (each != skeleton_->maps.programs &&
                                                     each != skeleton_->maps.scratch) all.push_back(bpf_map__fd(each));
  return all;
}

}  // namespace podweir

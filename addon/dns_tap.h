// The optional module "dns": its programs and maps loaded, and what they copied read from the ring.
#ifndef PODWEIR_DNS_TAP_H
#define PODWEIR_DNS_TAP_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "dispatcher.h"
#include "dns.h"
#include "handle.h"
#include "namespace.h"
#include "status.h"
#include "tap.h"

struct dns_bpf;
struct ring_buffer;

namespace podweir {

// Row i of every column is one message, as it was on the wire.
struct DnsRows {
  std::vector<double> monotonic_ms;
  std::vector<uint16_t> interface_slot, local_port;
  std::vector<uint8_t> from_pod, family, protocol, cut;
  std::vector<uint8_t> local_address, remote_address;  // 16 bytes a row
  std::vector<uint32_t> end;                           // of its payload in `bytes`, which begins at the end before
  std::vector<uint8_t> bytes;

  size_t size() const { return end.size(); }
};

struct DnsReading {
  DnsRows rows;
  double wall_minus_monotonic_ms = 0;
  uint64_t lost = 0;  // since loading: no room in the ring or here
};

class DnsTap : public Tap {
 public:
  // `maps`: of the programs that count, to which the tap's go on. `loading`: see Probe::Open; the tap's own thread
  // comes from the calling one, and has no more capabilities than that.
  static Result<std::unique_ptr<DnsTap>> Load(const DispatcherMaps& maps, NamespaceThread& loading);
  ~DnsTap() override;
  DnsTap(const DnsTap&) = delete;
  DnsTap& operator=(const DnsTap&) = delete;

  // Everything that was copied before this call and since the one before.
  DnsReading Read();

  int map() const override;
  std::vector<int> programs() const override;
  std::vector<int> maps() const override;

 private:
  DnsTap();

  Status Open(const DispatcherMaps& maps);
  Status Connect();
  Status StartReader();
  void Loop();
  void Consume();
  void Add(const dns_message& message, const uint8_t* payload);
  static int OnMessage(void* self, void* data, size_t bytes);

  dns_bpf* skeleton_ = nullptr;
  ring_buffer* ring_ = nullptr;
  Fd stop_;
  std::mutex mutex_;  // of the ring and of what follows
  DnsRows rows_;
  std::vector<uint32_t> bytes_of_;  // in `rows_`, by interface slot
  uint32_t bytes_ = 0;
  uint64_t lost_ = 0;
  std::thread thread_;
};

// Without it everything else works: nullptr, and in `status` why.
std::unique_ptr<Tap> OpenDnsTap(const DispatcherMaps& maps, NamespaceThread& loading, Status& status);
// Of what OpenDnsTap has given.
Result<DnsReading> ReadDnsTap(Tap* tap);

}  // namespace podweir

#endif

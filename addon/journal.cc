#include "journal.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>

#include "amounts.h"
#include "pins.h"
#include "slot_view.h"

namespace podweir {
namespace {

constexpr uint32_t kMagic = 0x50775231;
constexpr char kHeader[] = "journal", kWatermarks[] = "watermarks", kInterfaces[] = "interfaces";

// What was written before is written when this is: the compiler keeps the order, and so does every processor for the
// process that comes later.
void Store(uint32_t& field, uint32_t value) { __atomic_store_n(&field, value, __ATOMIC_RELEASE); }

Fd CreateArray(const char* name, uint32_t value_size, uint32_t entries) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  return Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), value_size, entries, &options));
}

bool HasShape(const Fd& map, uint32_t value_size, uint32_t entries) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  return map.valid() && !bpf_obj_get_info_by_fd(map.get(), &info, &size) && info.value_size == value_size &&
         (!entries || info.max_entries == entries);
}

}  // namespace

Journal::Journal(Fd header, Fd watermarks, Fd interfaces, uint32_t slot_count)
    : slot_count_(slot_count),
      header_map_(std::move(header)),
      watermark_map_(std::move(watermarks)),
      interface_map_(std::move(interfaces)),
      header_(header_map_.get(), sizeof(JournalHeader)),
      watermarks_(watermark_map_.get(), sizeof(Watermark) * slot_count * 2),
      interfaces_(interface_map_.get(), sizeof(InterfaceRecord) * INTERFACE_SLOTS) {}

Result<std::unique_ptr<Journal>> Journal::Open(const Pins& pins) {
  Fd header = pins.Get(kHeader), watermarks = pins.Get(kWatermarks), interfaces = pins.Get(kInterfaces);
  if (!header.valid()) return Failed("adopt", pins.path(), ENOENT);
  if (!HasShape(header, sizeof(JournalHeader), 1) || !HasShape(watermarks, sizeof(Watermark), 0) ||
      !HasShape(interfaces, sizeof(InterfaceRecord), INTERFACE_SLOTS))
    return Failed("adopt", pins.path(), EPROTO, "its journal has another layout");
  uint32_t slot_count = EntriesOf(watermarks) / 2;
  std::unique_ptr<Journal> journal(
      new Journal(std::move(header), std::move(watermarks), std::move(interfaces), slot_count));
  if (!journal->header_.get() || !journal->watermarks_.get() || !journal->interfaces_.get())
    return Failed("map", pins.path(), errno);
  const JournalHeader& read = journal->header();
  if (read.magic != kMagic || read.flow_abi != FLOW_ABI || read.journal_abi != JOURNAL_ABI)
    return Failed("adopt", pins.path(), EPROTO, "its journal was never finished, or is another version's");
  return journal;
}

Result<std::unique_ptr<Journal>> Journal::Create(uint32_t flow_limit, uint32_t slot_count, int64_t started_at_ms) {
  Fd header = CreateArray("pw_journal", sizeof(JournalHeader), 1);
  Fd watermarks = CreateArray("pw_watermarks", sizeof(Watermark), slot_count * 2);
  Fd interfaces = CreateArray("pw_interfaces", sizeof(InterfaceRecord), INTERFACE_SLOTS);
  if (!header.valid() || !watermarks.valid() || !interfaces.valid()) return Failed("create", "journal", errno);
  std::unique_ptr<Journal> journal(
      new Journal(std::move(header), std::move(watermarks), std::move(interfaces), slot_count));
  if (!journal->header_.get() || !journal->watermarks_.get() || !journal->interfaces_.get())
    return Failed("map", "journal", errno);
  JournalHeader& made = journal->header();
  made.flow_abi = FLOW_ABI;
  made.journal_abi = JOURNAL_ABI;
  made.flow_limit = flow_limit;
  made.started_at_ms = started_at_ms;
  return journal;
}

Status Journal::Publish(const Pins& pins) {
  for (auto [name, map] : {std::pair{kWatermarks, &watermark_map_}, std::pair{kInterfaces, &interface_map_},
                           std::pair{kHeader, &header_map_}}) {
    Status status = pins.Put(name, map->get());
    if (!status.ok()) return status;
  }
  Store(header().magic, kMagic);
  return Status{};
}

void Journal::BeginReturn(uint32_t slot, uint32_t next_generation, bool collapsed, const flow_slot& counts) {
  RetireIntent& intent = header().intent;
  intent.slot = slot;
  intent.generation = next_generation;
  intent.interface_slot = InterfaceOf(First(counts));
  intent.all = header().retired;
  intent.of_interface = record(intent.interface_slot).retired;
  for (Retired* retired : {&intent.all, &intent.of_interface})
    Add(collapsed ? retired->collapsed : retired->flows, CountsOf(counts));
  Store(intent.step, kZeroing);
}

// The sums are absolute: doing it twice does no harm.
void Journal::Zeroed() {
  RetireIntent& intent = header().intent;
  header().retired = intent.all;
  record(intent.interface_slot).retired = intent.of_interface;
  Store(intent.step, kReturning);
}

void Journal::Returned() { Store(header().intent.step, kNoSlot); }

void Journal::BeginMark(uint64_t mark) {
  DeliveredSet& next = header().sets[Next()];
  next.mark = mark;
  next.retired = header().retired;
}

Status Journal::Commit(uint64_t mark, const std::string& memo) {
  DeliveredSet& next = header().sets[Next()];
  if (next.mark != mark) return Failed("commit", std::to_string(mark), EINVAL);
  if (memo.size() > kDeliveryBytes) return Failed("commit", std::to_string(mark), EMSGSIZE);
  memcpy(next.memo, memo.data(), memo.size());
  next.memo_bytes = static_cast<uint32_t>(memo.size());
  Store(header().committed, Next() + 1);
  // A mark is committed once.
  header().sets[Next()].mark = 0;
  return Status{};
}

const Watermark* Journal::Delivered(uint32_t slot, uint32_t generation) const {
  if (!header().committed) return nullptr;
  const Watermark& watermark = watermarks()[(header().committed - 1) * slot_count_ + slot];
  return watermark.is_set && watermark.generation == generation ? &watermark : nullptr;
}

// What was retired since then, less what of it had been delivered before it was.
Amounts Journal::LostInRetired(const flow_details* details) const {
  const uint32_t committed = header().committed;
  const Retired before = committed ? header().sets[committed - 1].retired : Retired{};
  Amounts lost = Less(CountsOf(header().retired), CountsOf(before));
  for (uint32_t slot = 0; committed && slot < slot_count_; slot++) {
    const Watermark& watermark = watermarks()[(committed - 1) * slot_count_ + slot];
    bool gone = watermark.is_set && watermark.generation != details[slot].identity.generation;
    if (gone) lost = Less(lost, CountsOf(&watermark));
  }
  return lost;
}

std::string Journal::delivery_memo() const {
  if (!header().committed) return "";
  const DeliveredSet& set = header().sets[header().committed - 1];
  return std::string(set.memo, set.memo_bytes);
}

Status Journal::SaveLedger(uint32_t sequence, const std::string& memo) {
  if (memo.size() > kLedgerBytes) return Failed("save", "ledger", EMSGSIZE);
  uint32_t next = header().ledger == 1 ? 1 : 0;
  LedgerMemo& to = header().ledgers[next];
  to.sequence = sequence;
  to.bytes = static_cast<uint32_t>(memo.size());
  memcpy(to.text, memo.data(), memo.size());
  Store(header().ledger, next + 1);
  return Status{};
}

std::string Journal::ledger_memo() const {
  if (!header().ledger) return "";
  const LedgerMemo& memo = header().ledgers[header().ledger - 1];
  return std::string(memo.text, memo.bytes);
}

uint32_t Journal::ledger_sequence() const {
  return header().ledger ? header().ledgers[header().ledger - 1].sequence : 0;
}

}  // namespace podweir

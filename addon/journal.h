// The pinned memory of an agent: what was delivered, which interfaces there are, and the slot that is being given back.
// A process may be killed between any two of its instructions: what belongs together changes by one store.
#ifndef PODWEIR_JOURNAL_H
#define PODWEIR_JOURNAL_H

#include <memory>
#include <string>
#include <vector>

#include "handle.h"
#include "journal_layout.h"
#include "status.h"

namespace podweir {

class Pins;

class Journal {
 public:
  // Reads what is pinned. EPROTO: it is another version's; ENOENT: there is none.
  static Result<std::unique_ptr<Journal>> Open(const Pins& pins);
  // New, and pinned by `Publish` only: a journal without its flows would be worse than none.
  static Result<std::unique_ptr<Journal>> Create(uint32_t flow_limit, uint32_t slot_count, int64_t started_at_ms);
  Status Publish(const Pins& pins);

  uint32_t flow_limit() const { return header().flow_limit; }
  int64_t started_at_ms() const { return header().started_at_ms; }
  InterfaceRecord& record(uint32_t interface_slot) {
    return static_cast<InterfaceRecord*>(interfaces_.get())[interface_slot];
  }
  const Retired& retired() const { return header().retired; }
  std::vector<int> maps() const { return {header_map_.get(), watermark_map_.get(), interface_map_.get()}; }

  // Around giving back a slot: before its counts are zeroed, behind that, and when it is back in its stack.
  void BeginReturn(uint32_t slot, uint32_t next_generation, bool collapsed, const flow_slot& counts);
  void Zeroed();
  void Returned();
  const RetireIntent& intent() const { return header().intent; }

  // The next set, which nobody reads before it is committed.
  void BeginMark(uint64_t mark);
  Watermark& pending(uint32_t slot) { return watermarks()[Next() * slot_count_ + slot]; }
  // EINVAL: another mark was begun since.
  Status Commit(uint64_t mark, const std::string& memo);
  // nullptr: nothing of the slot's present flow was delivered.
  const Watermark* Delivered(uint32_t slot, uint32_t generation) const;
  // What slots held that was not delivered when they were given back.
  Amounts LostInRetired(const flow_details* details) const;
  std::string delivery_memo() const;

  // EMSGSIZE: longer than there is room for.
  Status SaveLedger(uint32_t sequence, const std::string& memo);
  std::string ledger_memo() const;
  uint32_t ledger_sequence() const;

 private:
  Journal(Fd header, Fd watermarks, Fd interfaces, uint32_t slot_count);

  JournalHeader& header() const { return *static_cast<JournalHeader*>(header_.get()); }
  Watermark* watermarks() const { return static_cast<Watermark*>(watermarks_.get()); }
  uint32_t Next() const { return header().committed == 1 ? 1 : 0; }

  const uint32_t slot_count_;
  Fd header_map_, watermark_map_, interface_map_;
  Mapping header_, watermarks_, interfaces_;
};

}  // namespace podweir

#endif

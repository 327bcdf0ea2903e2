// The clsact filters that are ours: known by one of two handles and by their program's name.
#ifndef PODWEIR_FILTERS_H
#define PODWEIR_FILTERS_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dispatcher.h"

namespace podweir {

// Which of the two says whether the clsact is ours too: whoever finds the filter of a killed agent must know.
// Priorities are tried from the first: another filter there may be of a kind that shares its priority with nobody.
constexpr uint32_t kOwnersHandle = 0x7077;
constexpr uint32_t kGuestsHandle = 0x7078;
constexpr uint32_t kLastPriority = 8;

struct FilterPlace {
  uint32_t handle, priority, program_id;
};

// Empty where the kernel does not tell: it takes CAP_SYS_ADMIN.
std::string ProgramName(uint32_t program_id);
inline bool IsOurs(std::string_view program_name) { return program_name.starts_with(kDispatcherPrefix); }

// All of these work in the calling thread's namespace.
std::vector<FilterPlace> FiltersOfOurs(int index, bool egress);
bool RemoveFilter(int index, bool egress, const FilterPlace& place);
bool RemoveClsactOf(int index);

}  // namespace podweir

#endif

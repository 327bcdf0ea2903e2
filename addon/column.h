// A column of a batch, filled row by row and handed to JS without a copy.
#ifndef PODWEIR_COLUMN_H
#define PODWEIR_COLUMN_H

#include <memory>
#include <utility>
#include <vector>

namespace podweir {

// New elements have no value yet: a column is sized first and then written, row by row.
template <typename T>
struct Unset : std::allocator<T> {
  template <typename U>
  struct rebind {
    using other = Unset<U>;
  };
  template <typename U, typename... Arguments>
  void construct(U* at, Arguments&&... arguments) {
    if constexpr (sizeof...(Arguments) > 0) std::construct_at(at, std::forward<Arguments>(arguments)...);
    else ::new (static_cast<void*>(at)) U;
  }
};

template <typename T>
using Column = std::vector<T, Unset<T>>;

}  // namespace podweir

#endif

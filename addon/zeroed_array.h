// An array of zero bytes whose pages take memory only once they are written.
#ifndef PODWEIR_ZEROED_ARRAY_H
#define PODWEIR_ZEROED_ARRAY_H

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <type_traits>

namespace podweir {

// T's initial value is all zero bytes.
template <typename T>
class ZeroedArray {
 public:
  explicit ZeroedArray(size_t count) : bytes_(count * sizeof(T)) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // As for every other allocation: there is nothing to go on with.
    if (memory == MAP_FAILED) abort();
    items_ = static_cast<T*>(memory);
  }
  ~ZeroedArray() { munmap(items_, bytes_); }
  ZeroedArray(const ZeroedArray&) = delete;
  ZeroedArray& operator=(const ZeroedArray&) = delete;

  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }

 private:
  const size_t bytes_;
  T* items_ = nullptr;
};

}  // namespace podweir

#endif

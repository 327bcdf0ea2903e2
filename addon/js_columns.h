// Vectors handed to JS as typed arrays. The receiver owns what it gets.
#ifndef PODWEIR_JS_COLUMNS_H
#define PODWEIR_JS_COLUMNS_H

#include <napi.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "column.h"

namespace podweir {

// Below, a copy costs less than an owner of its own.
constexpr size_t kFewestMovedBytes = 32 * 1024;

// A large column takes the vector's memory along.
template <typename T, typename Allocator>
void AddColumn(Napi::Object to, const char* name, std::vector<T, Allocator>& rows) {
  Napi::Env env = to.Env();
  size_t length = rows.size();
  if (length * sizeof(T) < kFewestMovedBytes) {
    auto column = Napi::TypedArrayOf<T>::New(env, length);
    if (length) memcpy(column.Data(), rows.data(), length * sizeof(T));
    to.Set(name, column);
    return;
  }
  using Rows = std::vector<T, Allocator>;
  auto* owned = new Rows(std::move(rows));
  auto release = [](Napi::Env, void*, Rows* memory) { delete memory; };
  auto buffer = Napi::ArrayBuffer::New(env, owned->data(), length * sizeof(T), release, owned);
  to.Set(name, Napi::TypedArrayOf<T>::New(env, length, buffer, 0));
}

// A column that has the same value in every row unless it was given as a vector. Columns of one value share memory.
template <typename T>
class ConstantColumn {
 public:
  ConstantColumn(Napi::Env env, size_t length, T value) : env_(env), length_(length), value_(value) {}

  void AddUnless(Column<T>& given, Napi::Object to, const char* name) {
    if (!given.empty()) return AddColumn(to, name, given);
    if (buffer_.IsEmpty()) {
      buffer_ = Napi::ArrayBuffer::New(env_, length_ * sizeof(T));
      // New memory is zero.
      if (value_ != 0) std::fill_n(static_cast<T*>(buffer_.Data()), length_, value_);
    }
    to.Set(name, Napi::TypedArrayOf<T>::New(env_, length_, buffer_, 0));
  }

 private:
  Napi::Env env_;
  const size_t length_;
  const T value_;
  Napi::ArrayBuffer buffer_;
};

}  // namespace podweir

#endif

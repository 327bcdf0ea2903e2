#include "arguments.h"

#include <charconv>

#include "failure.h"

namespace traffic {

Arguments::Arguments(int argc, char** argv) {
  if (argc > 1) role_ = argv[1];
  for (int i = 2; i < argc; i++) {
    const std::string word = argv[i];
    if (word == "--") {
      if (i + 1 < argc) command_ = argv + i + 1;
      return;
    }
    if (!word.starts_with("--")) {
      words_.push_back(word);
      continue;
    }
    const bool has_value = i + 1 < argc && !std::string(argv[i + 1]).starts_with("--");
    options_[word.substr(2)] = has_value ? argv[++i] : "";
  }
}

std::string Arguments::Text(const std::string& name) const {
  const std::string text = Text(name, "");
  if (text.empty()) RefuseArguments("role " + role_ + " needs --" + name);
  return text;
}

std::string Arguments::Text(const std::string& name, const std::string& fallback) const {
  const auto found = options_.find(name);
  return found == options_.end() ? fallback : found->second;
}

uint64_t Arguments::Count(const std::string& name) const {
  Text(name);
  return Count(name, 0);
}

uint64_t Arguments::Count(const std::string& name, uint64_t fallback) const {
  if (!Has(name)) return fallback;
  const std::string text = Text(name);
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    RefuseArguments("--" + name + " " + text + " is not a whole number");
  return value;
}

double Arguments::Decimal(const std::string& name, double fallback) const {
  if (!Has(name)) return fallback;
  const std::string text = Text(name);
  char* end = nullptr;
  const double value = strtod(text.c_str(), &end);
  if (*end || !(value >= 0)) RefuseArguments("--" + name + " " + text + " is not a number from 0 up");
  return value;
}

void Arguments::Allow(std::initializer_list<const char*> names) const {
  for (const auto& [name, value] : options_) {
    bool allowed = name == "netns" || name == "for";
    for (const char* each : names) allowed = allowed || name == each;
    if (!allowed) RefuseArguments("role " + role_ + " has no option --" + name);
  }
}

}  // namespace traffic

// The command line: a role, `--name value` options, `--name` flags, plain words, and a command after `--`.
#ifndef PODWEIR_TRAFFIC_ARGUMENTS_H
#define PODWEIR_TRAFFIC_ARGUMENTS_H

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

namespace traffic {

class Arguments {
 public:
  Arguments(int argc, char** argv);

  const std::string& role() const { return role_; }
  const std::vector<std::string>& words() const { return words_; }
  // The command after `--` as execvp wants it; nullptr when there is none.
  char** command() const { return command_; }

  bool Has(const std::string& name) const { return options_.count(name) > 0; }
  // Without a fallback the option must be there.
  std::string Text(const std::string& name) const;
  std::string Text(const std::string& name, const std::string& fallback) const;
  uint64_t Count(const std::string& name) const;
  uint64_t Count(const std::string& name, uint64_t fallback) const;
  double Decimal(const std::string& name, double fallback) const;
  // Ends the program when there is an option that is neither listed nor one of those that every role has.
  void Allow(std::initializer_list<const char*> names) const;

 private:
  std::string role_;
  std::map<std::string, std::string> options_;
  std::vector<std::string> words_;
  char** command_ = nullptr;
};

}  // namespace traffic

#endif

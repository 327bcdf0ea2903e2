// libbpf without a kernel, for the addon's own code: its maps are those of maps.cc, programs are loaded by name only.
#ifndef PODWEIR_FUZZ_LIBBPF_H
#define PODWEIR_FUZZ_LIBBPF_H

#include <string>

namespace podweir {

struct LoadAnswer {
  int error = 0;    // 0 or a negative errno
  std::string log;  // what libbpf and the verifier say, in pieces of `log_piece_bytes`
  size_t log_piece_bytes = 1;
};

// What the next loading of the programs meets.
extern LoadAnswer load_answer;

}  // namespace podweir

#endif

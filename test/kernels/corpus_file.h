// The packets of the corpus and what each must be counted as, in the form that corpus-file.ts writes.
#ifndef PODWEIR_KERNELS_CORPUS_FILE_H
#define PODWEIR_KERNELS_CORPUS_FILE_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace podweir {

// How a packet comes before the programs.
enum CorpusWay : uint8_t { kByTestRun = 0, kOverVeth = 1, kCorpusWays = 2 };

#pragma pack(push, 1)

// In this machine's byte order. A name and the packet follow, in so many bytes.
struct CorpusRecord {
  uint16_t fact;  // number in the file's list of facts
  uint8_t way;    // CorpusWay
  uint16_t name_bytes;
  uint32_t packet_bytes;
  uint32_t gso_size, gso_segs;
  uint8_t direction;        // enum flow_direction
  uint8_t packet_class;     // enum packet_class
  uint32_t packets, bytes;  // on the wire
  // Of a flow; ports in host order.
  uint8_t family, protocol, flags;
  uint16_t local_port, remote_port;
  uint8_t local[16], remote[16];
};

#pragma pack(pop)

struct CorpusPacket {
  CorpusRecord expected;
  std::string name;
  std::vector<uint8_t> bytes;
};

struct Corpus {
  std::vector<std::string> facts;
  std::vector<CorpusPacket> packets;
};

// Nothing when the file is not there or ends in the middle.
std::optional<Corpus> ReadCorpus(const char* path);

}  // namespace podweir

#endif

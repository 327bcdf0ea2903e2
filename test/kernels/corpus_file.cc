#include "corpus_file.h"

#include <cstdio>
#include <cstring>

#include "flow.h"

namespace podweir {
namespace {

class Reader {
 public:
  explicit Reader(const char* path) {
    FILE* file = fopen(path, "re");
    uint8_t chunk[4096];
    while (size_t got = file ? fread(chunk, 1, sizeof(chunk), file) : 0)
      bytes_.insert(bytes_.end(), chunk, chunk + got);
    if (file) fclose(file);
  }

  template <typename Value>
  Value Take() {
    Value value{};
    std::vector<uint8_t> bytes = Bytes(sizeof(value));
    if (bytes.size() == sizeof(value)) memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  std::vector<uint8_t> Bytes(size_t size) {
    failed_ |= at_ + size > bytes_.size();
    if (failed_) return {};
    at_ += size;
    return {bytes_.data() + at_ - size, bytes_.data() + at_};
  }
  std::string Text(size_t size) {
    std::vector<uint8_t> bytes = Bytes(size);
    return {bytes.begin(), bytes.end()};
  }
  bool at_end() const { return at_ == bytes_.size(); }
  bool failed() const { return failed_; }

 private:
  std::vector<uint8_t> bytes_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace

std::optional<Corpus> ReadCorpus(const char* path) {
  Reader reader(path);
  Corpus corpus;
  for (int facts = reader.Take<uint16_t>(); facts > 0; facts--)
    corpus.facts.push_back(reader.Text(reader.Take<uint16_t>()));
  while (!reader.at_end() && !reader.failed()) {
    CorpusPacket packet{reader.Take<CorpusRecord>(), "", {}};
    packet.name = reader.Text(packet.expected.name_bytes);
    packet.bytes = reader.Bytes(packet.expected.packet_bytes);
    const CorpusRecord& record = packet.expected;
    if (record.fact >= corpus.facts.size() || record.way >= kCorpusWays || record.direction >= DIRECTIONS ||
        record.packet_class >= PACKET_CLASSES)
      return std::nullopt;
    corpus.packets.push_back(std::move(packet));
  }
  if (reader.failed() || corpus.packets.empty()) return std::nullopt;
  return corpus;
}

}  // namespace podweir

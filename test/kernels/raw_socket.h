// Sends whole frames from a device, also such as no network stack would send.
#ifndef PODWEIR_KERNELS_RAW_SOCKET_H
#define PODWEIR_KERNELS_RAW_SOCKET_H

#include <string>

#include "corpus_file.h"
#include "handle.h"
#include "status.h"

namespace podweir {

class RawSocket {
 public:
  // In the calling thread's network namespace.
  Status Open(const std::string& device);
  // 0 or an errno. A GSO packet leaves as one buffer.
  int Send(const CorpusPacket& packet);

 private:
  Fd socket_;
};

}  // namespace podweir

#endif

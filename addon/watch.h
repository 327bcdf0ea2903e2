// Tells that network devices or namespaces came or went, so that nobody has to look again and again.
#ifndef PODWEIR_WATCH_H
#define PODWEIR_WATCH_H

#include <linux/netlink.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "handle.h"
#include "status.h"

namespace podweir {

// Everything since the report before.
struct Changes {
  bool lost = false;               // the kernel had no room for some: look at everything again
  std::vector<int> deleted_links;  // indexes in the agent's namespace, which may be given again
  std::vector<int> deleted_ids;    // numbers that the agent's namespace had given to others
};

class Watch {
 public:
  // Of the calling thread's network namespace and of the folders where namespaces have names, which need not be there
  // yet. `report` runs on the watch's own thread, and not again before it returns.
  static Result<std::unique_ptr<Watch>> Start(std::function<void(const Changes&)> report);
  ~Watch();  // ends and joins the thread
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  explicit Watch(std::function<void(const Changes&)> report) : report_(std::move(report)) {}

  Status Open();
  Status FillLinks();
  void Loop();
  bool Read(Changes& changes);  // whether something came that matters
  bool ReadNetlink(Changes& changes);
  bool Apply(const nlmsghdr* message, Changes& changes);
  bool ReadFolders();
  bool WatchFolders();

  std::function<void(const Changes&)> report_;
  Fd netlink_, folders_, stop_;
  std::map<int, std::string> links_;  // what matters of each, by index
  std::set<int> named_;               // watches of the folders that hold names
  std::thread thread_;
};

}  // namespace podweir

#endif

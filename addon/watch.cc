#include "watch.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "namespace.h"
#include "netlink.h"

namespace podweir {
namespace {

constexpr size_t kReceiveBytes = 64 * 1024;
// A burst of a thousand pods' devices, 2 KB a message and several of them a device.
constexpr int kQueueBytes = 8 * 1024 * 1024;
constexpr uint32_t kNames = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kGatherMs = 5;
constexpr uint32_t kParent = IN_CREATE | IN_MOVED_TO;

// Flags, queues and carrier change all the time and nothing with them for us.
std::string WhatMatters(const Attributes& link) {
  std::string text(link.Text(IFLA_IFNAME));
  for (uint16_t type : {IFLA_ADDRESS, IFLA_LINK, IFLA_LINK_NETNSID}) {
    const rtattr* attribute = link.Find(type);
    text += '\0';
    if (attribute) text.append(static_cast<const char*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute));
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<Watch>> Watch::Start(std::function<void(const Changes&)> report) {
  std::unique_ptr<Watch> watch(new Watch(std::move(report)));
  Status status = watch->Open();
  if (!status.ok()) return status;
  watch->thread_ = std::thread([raw = watch.get()] { raw->Loop(); });
  pthread_setname_np(watch->thread_.native_handle(), "podweir-watch");
  return watch;
}

Watch::~Watch() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

Status Watch::Open() {
  stop_ = Fd(eventfd(0, EFD_CLOEXEC));
  netlink_ = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!stop_.valid() || !netlink_.valid()) return Failed("watch", "network devices", errno);
  // Without CAP_NET_ADMIN the system's limit stays, and what exceeds it is reported as lost.
  setsockopt(netlink_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kQueueBytes, sizeof(kQueueBytes));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(netlink_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)))
    return Failed("watch", "network devices", errno);
  for (int group : {RTNLGRP_LINK, RTNLGRP_NSID})
    if (setsockopt(netlink_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
      return Failed("watch", "network devices", errno);
  // No inotify instance left: links tell of every pod that has a pair, the regular look of the rest.
  folders_ = Fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (folders_.valid()) WatchFolders();
  return FillLinks();
}

// After joining the group, so that no device falls in between.
Status Watch::FillLinks() {
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  links_.clear();
  Request request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  int error = netlink->Send(request, [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type == RTM_NEWLINK)
      links_[HeaderOf<ifinfomsg>(answer).ifi_index] = WhatMatters(Attributes(answer, sizeof(ifinfomsg)));
  });
  return error ? Failed("list links", "RTM_GETLINK", error) : Status{};
}

// A folder that is not there yet is waited for in the one above, or above that. Returns whether there is a new one.
bool Watch::WatchFolders() {
  std::set<int> before = std::move(named_);
  named_.clear();
  for (std::string folder : kNamespaceFolders) {
    int watch = inotify_add_watch(folders_.get(), folder.c_str(), kNames | IN_ONLYDIR);
    if (watch >= 0) named_.insert(watch);
    while (watch < 0 && folder.size() > 1) {
      folder.resize(std::max<size_t>(folder.rfind('/'), 1));
      watch = inotify_add_watch(folders_.get(), folder.c_str(), kParent | IN_ONLYDIR | IN_MASK_ADD);
    }
  }
  return named_ != before;
}

void Watch::Loop() {
  pollfd sources[] = {{stop_.get(), POLLIN, 0}, {netlink_.get(), POLLIN, 0}, {folders_.get(), POLLIN, 0}};
  for (;;) {
    if (poll(sources, std::size(sources), -1) < 0 && errno != EINTR) return;
    if (sources[0].revents) return;
    Changes changes;
    if (!Read(changes)) continue;
    // What belongs together comes together, and whoever listens is woken once.
    if (poll(sources, 1, kGatherMs) > 0) return;
    Read(changes);
    report_(changes);
  }
}

bool Watch::Read(Changes& changes) {
  bool matters = ReadNetlink(changes);
  return ReadFolders() || matters;
}

bool Watch::ReadNetlink(Changes& changes) {
  alignas(nlmsghdr) char buffer[kReceiveBytes];
  bool matters = false;
  for (;;) {
    ssize_t received = recv(netlink_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && errno == ENOBUFS) {
      changes.lost = matters = true;
      FillLinks();
      continue;
    }
    if (received <= 0) return matters;
    int left = static_cast<int>(received);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left))
      matters |= Apply(message, changes);
  }
}

bool Watch::Apply(const nlmsghdr* message, Changes& changes) {
  const auto info = HeaderOf<ifinfomsg>(message);
  switch (message->nlmsg_type) {
    case RTM_NEWLINK: {
      // A bridge tells of its ports in messages of its own, which lack most of a device.
      if (info.ifi_family != AF_UNSPEC) return false;
      std::string now = WhatMatters(Attributes(message, sizeof(ifinfomsg)));
      std::string& known = links_[info.ifi_index];
      if (known == now) return false;
      known = std::move(now);
      return true;
    }
    case RTM_DELLINK:
      if (info.ifi_family != AF_UNSPEC) return false;
      links_.erase(info.ifi_index);
      changes.deleted_links.push_back(info.ifi_index);
      return true;
    case RTM_DELNSID:
      changes.deleted_ids.push_back(Attributes(message, sizeof(rtgenmsg)).Get<int32_t>(NETNSA_NSID, -1));
      return true;
    default:
      return message->nlmsg_type == RTM_NEWNSID;
  }
}

bool Watch::ReadFolders() {
  alignas(inotify_event) char buffer[16 * 1024];
  bool matters = false;
  bool folders_changed = false;
  for (;;) {
    ssize_t received = folders_.valid() ? read(folders_.get(), buffer, sizeof(buffer)) : -1;
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) break;
    for (ssize_t at = 0; at < received;) {
      auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(*event) + event->len);
      matters |= named_.contains(event->wd) || event->mask & IN_Q_OVERFLOW;
      folders_changed |= event->mask & (IN_ISDIR | IN_IGNORED | IN_Q_OVERFLOW);
    }
  }
  // A folder above has files come and go that are nothing to us.
  if (folders_changed) matters |= WatchFolders();
  return matters;
}

}  // namespace podweir

#include "survey.h"

#include <linux/if_addr.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "processes.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71  // Linux 5.14
#endif

namespace podweir {
namespace {

struct Candidate {
  Process process;  // as it was found: no later one of its number
  Resident resident;
};

// By cgroup.
using Candidates = std::map<std::string, Candidate>;

bool IsOlder(const Resident& a, const Resident& b) {
  return std::pair(a.started, a.process) < std::pair(b.started, b.process);
}

// By namespace; without those whose namespace we may not know.
std::map<unsigned long, Candidates> LookAtProcesses() {
  std::map<unsigned long, Candidates> seen;
  EachProcess([&](Process& process) {
    if (process.IsKernelThread()) return;
    unsigned long inode = process.Namespace();
    if (!inode) return;
    Resident resident{process.id(), process.Started(), process.Cgroup()};
    // Gone meanwhile, or about to be.
    if (!resident.started || resident.cgroup.empty()) return;
    Candidates& here = seen[inode];
    auto known = here.find(resident.cgroup);
    if (known == here.end()) here.emplace(resident.cgroup, Candidate{std::move(process), resident});
    else if (IsOlder(resident, known->second.resident)) known->second = {std::move(process), std::move(resident)};
  });
  return seen;
}

// 0 when the kernel has none.
uint64_t OwnCookie() {
  Fd any(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return any.valid() && !getsockopt(any.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) ? cookie : 0;
}

std::vector<Resident> OldestFirst(const Candidates& candidates) {
  std::vector<Resident> sorted;
  for (const auto& [cgroup, candidate] : candidates) sorted.push_back(candidate.resident);
  std::sort(sorted.begin(), sorted.end(), IsOlder);
  return sorted;
}

// The kernel gives a dead namespace's inode to the next one at once. Who was in it before its cookie was read, and is
// still in it afterwards, was in the one of that cookie.
void EraseGone(Candidates& candidates, unsigned long inode) {
  std::erase_if(candidates, [&](const auto& each) { return each.second.process.Namespace() != inode; });
}

Status Look(Survey& survey) {
  std::map<unsigned long, Candidates> seen = LookAtProcesses();
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  std::set<unsigned long> known;
  auto add = [&](const std::string& path, unsigned long inode) {
    if (!inode) survey.names_pending = true;
    if (!inode || !known.insert(inode).second) return;
    SurveyedNamespace found;
    found.path = path;
    found.inode = inode;
    if (!path.empty()) found.id = NamespaceId(*netlink, path, false);
    Status entered = InNamespace(path, 0, [&] {
      found.cookie = OwnCookie();
      return Status{};
    });
    survey.may_enter &= entered.error != EPERM;
    auto residents = seen.find(inode);
    if (residents != seen.end()) {
      if (!path.empty()) EraseGone(residents->second, inode);
      found.residents = OldestFirst(residents->second);
    }
    survey.namespaces.push_back(std::move(found));
  };
  add("", NamespaceInode(""));
  EachNamedNamespace(add);
  for (const auto& [inode, residents] : seen)
    if (!residents.empty()) add(NamespacePathOf(OldestFirst(residents).front().process), inode);
  Result<std::vector<Link>> links = ListLinks(*netlink);
  if (links.ok()) survey.links = std::move(*links);
  return links.status;
}

}  // namespace

Result<Survey> TakeSurvey(NamespaceThread& thread) {
  Survey survey;
  Status status = thread.In("", [&] { return Look(survey); });
  if (!status.ok()) return status;
  return survey;
}

Result<std::vector<DeviceAddress>> ListAddresses(int namespace_id) {
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  // Without strict checking the kernel overlooks the namespace and lists our own addresses.
  if (int error = netlink->CheckStrictly()) return Failed("list addresses", "NETLINK_GET_STRICT_CHK", error);
  std::vector<DeviceAddress> addresses;
  for (uint8_t family : {AF_INET, AF_INET6}) {
    ifaddrmsg header{};
    header.ifa_family = family;
    Request request(RTM_GETADDR, NLM_F_DUMP, header);
    request.Add(IFA_TARGET_NETNSID, int32_t{namespace_id});
    int error = netlink->Send(request, [&](const nlmsghdr* answer) {
      if (answer->nlmsg_type != RTM_NEWADDR) return;
      const auto info = HeaderOf<ifaddrmsg>(answer);
      Attributes attributes(answer, sizeof(ifaddrmsg));
      // Of a point-to-point device IFA_ADDRESS is the other side's.
      const rtattr* own = attributes.Find(IFA_LOCAL) ? attributes.Find(IFA_LOCAL) : attributes.Find(IFA_ADDRESS);
      if (!own) return;
      const auto* bytes = static_cast<const uint8_t*>(RTA_DATA(own));
      addresses.push_back({static_cast<int>(info.ifa_index), {bytes, bytes + RTA_PAYLOAD(own)}});
    });
    if (error) return Failed("list addresses", "namespace " + std::to_string(namespace_id), error);
  }
  return addresses;
}

}  // namespace podweir

// What one packet is, whatever its bytes: read within its bounds, the same by either parser and wherever its linear
// part ends, the mirror image in the other direction.
#include "parse.bpf.h"
#include "parse_rest.bpf.h"
#include "demand.h"
#include "maps.h"
#include "skb.h"

#include <string.h>

const struct map_definition kernel_maps[] = {KEYED_MAP(scratch)};
const size_t kernel_map_count = 1;

struct parsed {
  struct packet packet;
  union flow_key key;
};

static void parse_dispatched(struct __sk_buff* skb, enum flow_direction direction) {
  struct workspace* work = own_workspace();

  switch (linear_ether_type(skb)) {
    case ETH_P_IP:
      if (!parse_plain4(skb, direction, &work->packet, &work->key)) parse_frame4(skb, direction);
      return;
    case ETH_P_IPV6:
      if (!parse_plain6(skb, direction, &work->packet, &work->key)) parse_frame6(skb, direction);
      return;
    default:
      parse_frame(skb, direction);
  }
}

// By the parsers of its EtherType, or by the one that takes every frame.
static struct parsed parse_record(const struct record* record, enum flow_direction direction, uint32_t linear_bytes,
                                  int is_dispatched) {
  struct workspace* work = own_workspace();
  struct parsed parsed = {};
  struct __sk_buff* skb = make_skb(record, linear_bytes, 0);

  // What an earlier packet left there is nothing to depend on.
  memset(work, 0xff, sizeof(*work));
  if (is_dispatched) parse_dispatched(skb, direction);
  else parse_frame(skb, direction);
  check_skb_unchanged(record, 0);
  parsed.packet = work->packet;
  parsed.key = work->key;
  return parsed;
}

static size_t address_words(const struct packet* packet) {
  return packet->packet_class < FIRST_FLOW_CLASS ? 0 : packet->family == 4 ? 1 : 4;
}

static const char* addresses(const struct parsed* parsed) {
  return (const char*)(parsed->key.words + LAST_WORD - address_words(&parsed->packet));
}

static int same_tcp(const struct packet* one, const struct packet* other) {
  return one->sequence == other->sequence && one->acknowledgment == other->acknowledgment &&
         one->payload_bytes == other->payload_bytes && one->window == other->window &&
         one->transport_offset == other->transport_offset && one->tcp_flags == other->tcp_flags &&
         one->follow_tcp == other->follow_tcp;
}

// What a packet that is in no flow has beside its size and class is of no use to anybody.
static int same_packet(const struct packet* one, const struct packet* other) {
  if (one->packets != other->packets || one->bytes != other->bytes || one->packet_class != other->packet_class)
    return 0;
  if (one->packet_class < FIRST_FLOW_CLASS) return 1;
  return one->source_port == other->source_port && one->destination_port == other->destination_port &&
         one->family == other->family && one->protocol == other->protocol && one->flags == other->flags &&
         one->icmp == other->icmp && one->echo_request == other->echo_request &&
         one->quoted_offset == other->quoted_offset && one->quoted_code == other->quoted_code &&
         (one->protocol != IPPROTO_TCP || same_tcp(one, other));
}

static int same_key(const struct parsed* one, const struct parsed* other) {
  return !memcmp(addresses(one), addresses(other), address_words(&one->packet) * sizeof(one->key.words[0]));
}

static int mirrored(const struct parsed* one, const struct parsed* other) {
  size_t bytes = address_words(&one->packet) * sizeof(one->key.words[0]) / 2;
  const char *there = addresses(one), *back = addresses(other);

  return !memcmp(there, back + bytes, bytes) && !memcmp(there + bytes, back, bytes);
}

static void check_sizes(const struct record* record, const struct packet* packet) {
  uint64_t tag_bytes = record->header.flags & RECORD_TAG_IN_METADATA ? VLAN_TAG_BYTES : 0;
  uint64_t skb_bytes = record->header.given_bytes + 16ULL * record->header.zeros;
  // What segmenting takes off an skb of BIG TCP.
  if (record->header.gso_size && packet->packet_class >= CLASS_GSO_GUESS) skb_bytes -= packet->unsent_bytes;
  uint64_t more_packets = packet->packets - 1, more_bytes = packet->bytes - skb_bytes - tag_bytes;

  demand(packet->packets >= 1, "an skb is at least one packet");
  demand(packet->bytes >= skb_bytes + tag_bytes, "the wire carries at least the skb's bytes");
  if (!record->header.gso_size) demand(!more_packets, "an skb that is not to be segmented is one packet");
  if (!more_packets) demand(!more_bytes, "a single packet has the skb's bytes");
  else demand(more_bytes % more_packets == 0, "each further packet has the same headers");
  demand(more_bytes <= more_packets * (skb_bytes + tag_bytes), "headers are no longer than the skb");
}

static void check_fields(const struct record* record, const struct packet* packet) {
  uint32_t skb_bytes = record->header.given_bytes + 16U * record->header.zeros;

  demand(packet->packet_class < PACKET_CLASSES, "a packet has a class");
  if (packet->packet_class < FIRST_FLOW_CLASS) return;
  demand(packet->family == 4 || packet->family == 6, "a flow is of IPv4 or IPv6");
  if (packet->protocol != IPPROTO_TCP || packet->flags & FLOW_FRAGMENT) return;
  demand(packet->transport_offset + sizeof(struct tcp_header) + packet->payload_bytes <= skb_bytes,
         "header and payload are in the skb");
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct record record;
  struct parsed there, other;
  enum flow_direction direction;
  uint32_t linear;

  if (!next_record(&data, &size, &record)) return 0;
  native_reset_maps();
  direction = record.header.flags & RECORD_TO_POD ? TO_POD : FROM_POD;
  linear = linear_bytes_of(&record);
  there = parse_record(&record, direction, linear, 1);
  check_sizes(&record, &there.packet);
  check_fields(&record, &there.packet);
  // The kernel has no such TCP, and its two parsers may differ.
  if (record.header.gso_size == GSO_BY_FRAGS && there.packet.protocol == IPPROTO_TCP) return 0;
  other = parse_record(&record, direction, linear, 0);
  demand(same_packet(&there.packet, &other.packet), "a packet is the same by the parser of every frame");
  demand(same_key(&there, &other), "a packet's addresses are the same by the parser of every frame");
  other = parse_record(&record, direction, record.header.given_bytes, 1);
  demand(same_packet(&there.packet, &other.packet), "a packet is the same wherever its linear part ends");
  demand(same_key(&there, &other), "addresses are the same wherever the linear part ends");
  other = parse_record(&record, !direction, linear, 1);
  demand(same_packet(&there.packet, &other.packet), "a packet is the same in both directions");
  demand(mirrored(&there, &other), "the other direction swaps local and remote");
  return 0;
}

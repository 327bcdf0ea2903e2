// Which index of `AttributeSet.encoded` belongs to whom: each encoder that keeps what it made of a set has one here.

export const kept = {
  /** As `repeated KeyValue` of protobuf, by the field's number in its message. */
  protobufField1: 0,
  protobufField6: 1,
  protobufField7: 2,
  protobufField9: 3,
  /** As the elements of an OTLP JSON array. */
  json: 4,
  /** As tags of the line protocol: of a resource, of a point, and by the names of the profile `netapp`. */
  lineResource: 5,
  lineTags: 6,
  netappTags: 7,
} as const

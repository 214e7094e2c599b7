/* Connections that were turned down: debug-rejects of the LocalAPI, and the hub's question /debug/rejects. */
#include "proto/ipn/ipn.h"

#define F(member, key, type) JSON_F(struct ipn_reject, member, key, type, 0)
static const struct json_field reject_fields[] = {
	F(first, "First", json_time),
	F(last, "Last", json_time),
	F(count, "Count", json_int),
	F(direction, "Direction", json_str),
	F(proto, "Proto", json_int),
	F(src, "Src", json_ipport),
	F(dst, "Dst", json_ipport),
	F(reason, "Reason", json_str),
	F(source, "Source", json_str),
	F(maybe_broken, "MaybeBroken", json_bool),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(reject_type, struct ipn_reject, reject_fields);
static JSON_LIST_TYPE(reject_list, reject_type);

static const struct json_field rejects_fields[] = {
	JSON_F(struct ipn_rejects, enabled, "Enabled", json_bool, 0),
	JSON_F(struct ipn_rejects, outgoing, "Outgoing", reject_list, 0),
	JSON_F(struct ipn_rejects, incoming, "Incoming", reject_list, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_rejects_type, struct ipn_rejects, rejects_fields);

#include "proto/json/json.h"

#define SCALAR(name, k, c_type) \
	const struct json_type name = { .kind = (k), .size = sizeof(c_type) }

SCALAR(json_bool, JK_BOOL, bool);
SCALAR(json_opt_bool, JK_OPT_BOOL, uint8_t);
SCALAR(json_int, JK_INT, int64_t);
const struct json_type json_u16 = {
	.kind = JK_INT, .size = sizeof(int64_t), .elem_max = UINT16_MAX
};
const struct json_type json_u31 = {
	.kind = JK_INT, .size = sizeof(int64_t), .elem_max = INT32_MAX
};
SCALAR(json_u64, JK_U64, uint64_t);
SCALAR(json_f64, JK_F64, double);
SCALAR(json_str, JK_STR, const char *);
SCALAR(json_raw, JK_RAW, struct view);
SCALAR(json_bytes, JK_BYTES, struct view);
SCALAR(json_time, JK_TIME, unix_ms);
SCALAR(json_ip, JK_IP, struct ipaddr);
SCALAR(json_ipport, JK_IPPORT, struct ipport);
SCALAR(json_prefix, JK_PREFIX, struct ipprefix);

#define KEY(name, k) const struct json_type name = { .kind = JK_KEY, .size = KEY_LEN, .key = (k) }

KEY(json_key_machine, KEY_MACHINE);
KEY(json_key_node, KEY_NODE);
KEY(json_key_disco, KEY_DISCO);
KEY(json_key_nl, KEY_NL);
KEY(json_key_private, KEY_PRIVATE);

const struct json_type json_key_nl_private = { .kind = JK_KEY_NL_PRIVATE,
	.size = KEY_NL_PRIVATE_LEN };

JSON_LIST_TYPE(json_str_list, json_str);
JSON_LIST_TYPE(json_prefix_list, json_prefix);
JSON_LIST_TYPE(json_ip_list, json_ip);
JSON_LIST_TYPE(json_ipport_list, json_ipport);
JSON_LIST_TYPE(json_int_list, json_int);
JSON_LIST_TYPE(json_raw_list, json_raw);
JSON_MAP_TYPE(json_str_map, json_str);
JSON_MAP_TYPE(json_raw_list_map, json_raw_list);
JSON_MAP_TYPE(json_f64_map, json_f64);

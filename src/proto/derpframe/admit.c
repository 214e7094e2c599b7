#include "proto/derpframe/admit.h"

static const struct json_field request_fields[] = {
	JSON_F(struct derp_admit_request, key, "NodePublic", json_key_node, 0),
	JSON_F(struct derp_admit_request, source, "Source", json_ip, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(derp_admit_request_type, struct derp_admit_request, request_fields);

static const struct json_field response_fields[] = {
	JSON_F(struct derp_admit_response, allow, "Allow", json_bool, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(derp_admit_response_type, struct derp_admit_response, response_fields);

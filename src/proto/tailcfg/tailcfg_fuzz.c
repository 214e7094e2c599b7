/* The first byte names the document: what a client may send a hub, and a hub a client. */
#include "proto/tailcfg/tailcfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct json_type *const types[] = { &tc_register_request_type, &tc_map_request_type, &tc_map_response_type,
		&tc_register_response_type };
	union {
		struct tc_register_request a;
		struct tc_map_request b;
		struct tc_map_response c;
		struct tc_register_response d;
	} u;
	struct arena a;
	struct buf out;

	if (!len)
		return 0;
	arena_init(&a, 1 << 22);
	buf_init(&out, 1 << 24);
	if (json_decode(types[data[0] & 3], data + 1, len - 1, &u, &a, NULL) == 0)
		CHECK(json_encode(types[data[0] & 3], &u, &out) == 0);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}

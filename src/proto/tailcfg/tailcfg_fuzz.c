/*
 * The first byte names the document: what a client may send a hub, a hub a client, and their parts by themselves; 'h': what a client
 * says of itself is made fit, and then others can read it.
 */
#include "base/text/plain.h"
#include "proto/tailcfg/clean.h"
#include "testlib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int told(const uint8_t *p, size_t len)
{
	struct tc_hostinfo h, again, *peers;
	struct tc_cleaned n = { 0 };
	struct arena a;
	struct buf out;

	arena_init(&a, 1 << 22);
	buf_init(&out, 1 << 24);
	if (json_decode(&tc_hostinfo_type, p, len, &h, &a, NULL) == 0 &&
		tc_hostinfo_clean(&h, &a, &n) == 0 && tc_check_hostname(h.hostname, NULL) == 0 &&
		(peers = tc_hostinfo_for_peers(&h, &a))) {
		CHECK(json_encode(&tc_hostinfo_type, peers, &out) == 0);
		CHECK(buf_len(&out) <= TC_PEER_HOSTINFO_MAX);
		CHECK(json_decode(&tc_hostinfo_type, buf_data(&out), buf_len(&out), &again, &a,
			      NULL) == 0 ||
			a.used > 1 << 20);
		CHECK(!again.os || text_is_plain(again.os, strlen(again.os)));
		CHECK(!again.hostname || text_is_plain(again.hostname, strlen(again.hostname)));
	}
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* The first four in the order of fuzz/seeds. */
	static const struct json_type *const types[] = { &tc_register_request_type,
		&tc_map_request_type, &tc_map_response_type, &tc_register_response_type,
		&tc_hostinfo_type, &tc_netinfo_type, &tc_service_type, &tc_node_type,
		&tc_peer_change_type, &tc_derp_map_type, &tc_derp_region_type, &tc_derp_node_type,
		&tc_dns_config_type, &tc_filter_rule_type, &tc_user_profile_type, &tc_user_type,
		&tc_login_type, &tc_display_map_type, &tc_ping_request_type, &tc_ping_response_type,
		&tc_server_keys_type };

	if (len && data[0] == 'h')
		return told(data + 1, len - 1);
	if (len)
		pair_json(types[data[0] % ARRAY_LEN(types)], data + 1, len - 1);
	return 0;
}

/* The first byte names the document: what a client may send a hub, a hub a client, and their parts by themselves. */
#include "proto/tailcfg/tailcfg.h"
#include "testlib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* The first four in the order of fuzz/seeds. */
	static const struct json_type *const types[] = { &tc_register_request_type, &tc_map_request_type, &tc_map_response_type,
		&tc_register_response_type, &tc_hostinfo_type, &tc_netinfo_type, &tc_service_type, &tc_node_type, &tc_peer_change_type,
		&tc_derp_map_type, &tc_derp_region_type, &tc_derp_node_type, &tc_dns_config_type, &tc_filter_rule_type, &tc_user_profile_type,
		&tc_user_type, &tc_login_type, &tc_display_map_type, &tc_ping_request_type, &tc_ping_response_type, &tc_server_keys_type };

	if (len)
		pair_json(types[data[0] % ARRAY_LEN(types)], data + 1, len - 1);
	return 0;
}

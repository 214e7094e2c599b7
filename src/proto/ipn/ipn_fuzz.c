/* The first byte names the document: what programs send the LocalAPI, what it answers, and what is kept in files. */
#include "proto/ipn/ipn.h"
#include "testlib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* In the order of fuzz/seeds. */
	static const struct json_type *const types[] = { &ipn_prefs_type, &ipn_masked_prefs_type,
		&ipn_status_type, &ipn_netmap_type, &ipn_notify_type, &ipn_options_type,
		&ipn_peer_status_type, &ipn_ping_result_type, &ipn_whois_type,
		&ipn_login_profile_type, &ipn_login_profile_list, &ipn_login_profile_map,
		&ipn_health_type, &ipn_engine_status_type, &ipn_netcheck_type, &ipn_persist_type,
		&ipn_unbuilt_list, &ipn_route_list, &ipn_rejects_type, &ipn_app_connector_type };

	if (len)
		pair_json(types[data[0] % ARRAY_LEN(types)], data + 1, len - 1);
	return 0;
}

#include "proto/stun/stun.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static json_t *file;

static void requests(void **state)
{
	json_t *s = vectors_section(file, "request"), *c;
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		uint8_t txid[STUN_TXID_LEN], out[STUN_REQUEST_LEN], *want = vec_hex(c, "bytes", &n);

		vec_hex_exact(c, "tx_id", txid, sizeof(txid));
		stun_request_encode(txid, out);
		CHECK_INT(n, ==, STUN_REQUEST_LEN);
		CHECK_MEM(out, want, n);
		free(want);
	}
	vectors_count("stun.json", "request", json_array_size(s));
	s = vectors_section(file, "parse_request");
	json_array_foreach(s, i, c)
	{
		uint8_t txid[STUN_TXID_LEN], want[STUN_TXID_LEN], *p = vec_hex(c, "bytes", &n);

		CHECK_ROW("%s", vec_str(c, "name"));
		CHECK_INT(stun_is(p, n), ==, vec_bool(c, "is_stun"));
		CHECK_INT(stun_request_decode(p, n, txid) == 0, ==, vec_bool(c, "accept"));
		if (vec_bool(c, "accept")) {
			vec_hex_exact(c, "tx_id", want, sizeof(want));
			CHECK_MEM(txid, want, sizeof(want));
		}
		free(p);
	}
	vectors_count("stun.json", "parse_request", json_array_size(s));
}

static void responses(void **state)
{
	json_t *s = vectors_section(file, "response"), *c;
	char text[IPPORT_TEXT_MAX];
	struct ipport a;
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		uint8_t txid[STUN_TXID_LEN], out[STUN_RESPONSE_MAX],
			*want = vec_hex(c, "bytes", &n);
		const char *addr = vec_str(c, "addr");

		CHECK_ROW("%s", addr);
		vec_hex_exact(c, "tx_id", txid, sizeof(txid));
		if (!strstr(addr, "::ffff:")) { /* our addresses are never in the mapped form */
			CHECK_INT(ipport_parse(addr, strlen(addr), &a), ==, 0);
			CHECK_INT(stun_response_encode(txid, a, out), ==, n);
			CHECK_MEM(out, want, n);
		}
		CHECK_INT(stun_response_decode(want, n, txid, &a), ==, 0);
		CHECK_STR(ipport_format(a, text), vec_str(c, "parsed_addr"));
		free(want);
	}
	vectors_count("stun.json", "response", json_array_size(s));
	s = vectors_section(file, "parse_response");
	json_array_foreach(s, i, c)
	{
		uint8_t txid[STUN_TXID_LEN], want[STUN_TXID_LEN], *p = vec_hex(c, "bytes", &n);

		CHECK_ROW("%s", vec_str(c, "name"));
		CHECK_INT(stun_is(p, n), ==, vec_bool(c, "is_stun"));
		CHECK_INT(stun_response_decode(p, n, txid, &a) == 0, ==, vec_bool(c, "accept"));
		if (vec_bool(c, "accept")) {
			vec_hex_exact(c, "tx_id", want, sizeof(want));
			CHECK_MEM(txid, want, sizeof(want));
			CHECK_STR(ipport_format(a, text), vec_str(c, "addr"));
		}
		free(p);
	}
	vectors_count("stun.json", "parse_response", json_array_size(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(requests),
		cmocka_unit_test(responses) };

	file = vectors_load("stun.json");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What official clients say of themselves stays as it is; what is over a limit, or is to mislead a reader, does not. */
#include "proto/tailcfg/clean.h"
#include "base/text/plain.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static struct arena arena;

static void read_host(const char *text, struct tc_hostinfo *h)
{
	struct err_at at = { 0 };

	arena_reset(&arena);
	if (json_decode(&tc_hostinfo_type, text, strlen(text), h, &arena, &at) < 0)
		check_fail(__FILE__, __LINE__, "%.200s: column %u: %s", text, at.column, at.text);
}

static void check_unchanged(const json_t *host)
{
	char *text = json_dumps(host, JSON_COMPACT);
	struct tc_cleaned n = { 0 };
	struct tc_hostinfo h, before;

	CHECK_ROW("%.200s", text);
	read_host(text, &h);
	CHECK_INT(json_clone(&tc_hostinfo_type, &h, &before, &arena), ==, 0);
	CHECK_INT(tc_hostinfo_clean(&h, &arena, &n), ==, 0);
	CHECK_INT(n.texts + n.parts, ==, 0);
	CHECK_TRUE(json_same(&tc_hostinfo_type, &h, &before));
	free(text);
}

static void official_clients_lose_nothing(void **state)
{
	static const char *const files[] = { "control/register.jsonl", "control/map.jsonl" };
	size_t seen = 0, i;
	json_t *c;

	setenv("VECTORS_DIR", FIXTURES_DIR, 1);
	for (size_t f = 0; f < ARRAY_LEN(files); f++) {
		json_t *all = vectors_load_lines(files[f]);

		json_array_foreach(all, i, c)
		{
			const json_t *host = json_object_get(json_object_get(c, "doc"), "Hostinfo");

			if (!json_is_object(host))
				continue;
			check_unchanged(host);
			seen++;
		}
		json_decref(all);
	}
	CHECK_INT(seen, >, 5);
}

/* Each with what is left of it, as JSON, and what is counted. */
static void what_is_over_a_limit_goes(void **state)
{
	static const struct {
		const char *in, *out;
		size_t texts, parts;
	} rows[] = {
		{ "{\"OS\":\"li\\u001bnux\\u009b\"}", "{\"OS\":\"linux\"}", 1, 0 },
		{ "{\"Hostname\":\"a\\u202e\\u200b\\u2066\\ufeffb\"}", "{\"Hostname\":\"ab\"}", 1,
			0 },
		{ "{\"Hostname\":\"a\\nb\"}", "{\"Hostname\":\"a\\nb\"}", 0,
			0 }, /* is refused in words */
		{ "{\"Services\":[{\"Proto\":\"egg\",\"Port\":1},{\"Proto\":\"tcp\",\"Port\":0},{\"Proto\":\"udp\",\"Port\":5}]}",
			"{\"Services\":[{\"Proto\":\"udp\",\"Port\":5}]}", 0, 2 },
		{ "{\"sshHostKeys\":[\"ssh-rsa A\\n* ssh-rsa B\",\"\",\"ssh-rsa\",\"ssh-rsa AA== me@x\",\"a \\u202e\"]}",
			"{\"sshHostKeys\":[\"ssh-rsa AA== me@x\"]}", 0, 4 },
		{ "{\"WoLMACs\":[\"02:00:5e:10:00:01\",\"02-00-5e-10-00-01\",\"x\"]}",
			"{\"WoLMACs\":[\"02:00:5e:10:00:01\"]}", 0, 2 },
		{ "{\"RoutableIPs\":[\"10.0.0.0/8\",\"\"]}", "{\"RoutableIPs\":[\"10.0.0.0/8\"]}",
			0, 1 },
		{ "{\"Location\":{\"CountryCode\":\"Germany\",\"CityCode\":\"B R\",\"Latitude\":91,\"Longitude\":-180}}",
			"{\"Location\":{\"Longitude\":-180}}", 0, 3 },
		{ "{\"NetInfo\":{\"DERPLatency\":{\"1-v4\":1,\"1-v4\":2,\"2-v4\":-1,\"\\u001b\":1}}}",
			"{\"NetInfo\":{\"DERPLatency\":{\"1-v4\":2}}}", 0, 3 },
		{ "{\"TPM\":{\"Vendor\":\"a\\u0000\"}}", NULL, 0, 0 },
	};
	struct tc_hostinfo h;
	struct buf b;

	buf_init(&b, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tc_cleaned n = { 0 };

		CHECK_ROW("%s", rows[i].in);
		arena_reset(&arena);
		if (!rows[i].out) {
			CHECK_INT(json_decode(&tc_hostinfo_type, rows[i].in, strlen(rows[i].in), &h,
					  &arena, NULL),
				<, 0);
			continue;
		}
		read_host(rows[i].in, &h);
		CHECK_INT(tc_hostinfo_clean(&h, &arena, &n), ==, 0);
		buf_clear(&b);
		CHECK_INT(json_encode(&tc_hostinfo_type, &h, &b), ==, 0);
		CHECK_STR(buf_cstr(&b), rows[i].out);
		CHECK_INT(n.texts, ==, rows[i].texts);
		CHECK_INT(n.parts, ==, rows[i].parts);
	}
	buf_fini(&b);
}

/* The most of everything, of characters that take six bytes as JSON. */
static void what_peers_are_told_is_a_few_kilobytes(void **state)
{
	static char big[8000], key[3000] = "ssh-rsa ";
	const char *keys[20];
	struct tc_service services[300];
	struct tc_location where = { .country = big,
		.city = big,
		.country_code = "DE",
		.city_code = "0123456789ABCDEF",
		.latitude = -12.345678901234567,
		.longitude = -123.45678901234567,
		.priority = INT32_MAX };
	struct tc_hostinfo h = {
		.os = big, .hostname = big + sizeof(big) - 1 - TC_HOSTNAME_MAX, .location = &where
	};
	struct tc_cleaned n = { 0 };
	struct buf b;

	arena_reset(&arena);
	memset(big, '<', sizeof(big) - 1);
	memset(key + 8, 'A', sizeof(key) - 9);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = i ? key + sizeof(key) - 1 - 500 : key;
	memcpy(key + sizeof(key) - 1 - 500, "ssh-rsa ", 8);
	keys[0] = "ssh-rsa AAAA";
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		services[i] = (struct tc_service){
			.proto = i % 2 ? "peerapi4" : "peerapi6", .description = big, .port = 65535
		};
	h.services = json_list_of(services, ARRAY_LEN(services));
	h.ssh_host_keys = json_list_of(keys, ARRAY_LEN(keys));
	CHECK_INT(tc_hostinfo_clean(&h, &arena, &n), ==, 0);
	CHECK_INT(h.services.n, ==, TC_SERVICES_MAX);
	CHECK_INT(h.ssh_host_keys.n, ==, TC_SSH_KEYS_MAX);
	buf_init(&b, 1 << 16);
	CHECK_INT(json_encode(&tc_hostinfo_type, tc_hostinfo_for_peers(&h, &arena), &b), ==, 0);
	CHECK_INT(buf_len(&b), <=, TC_PEER_HOSTINFO_MAX);
	buf_fini(&b);
}

static void endpoints_are_places(void **state)
{
	struct ipport all[200], one;
	struct json_list l = json_list_of(all, ARRAY_LEN(all));
	struct tc_cleaned n = { 0 };
	static const char *const bad[] = { "0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1",
		"[fe80::1]:1", "[::]:1", "10.0.0.1:0", "[ff02::1]:1" };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i] = (struct ipport){
			.ip = ipaddr_from4((uint8_t[]){ 10, 0, (uint8_t)(i / 2), 1 }), .port = 5
		};
	tc_endpoints_clean(&l, &n);
	CHECK_INT(l.n, ==, TC_ENDPOINTS_MAX);
	CHECK_INT(n.parts, ==, ARRAY_LEN(all) - TC_ENDPOINTS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(ipport_parse(bad[i], strlen(bad[i]), &one), ==, 0);
		l = json_list_of(&one, 1);
		tc_endpoints_clean(&l, &n);
		CHECK_INT(l.n, ==, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(official_clients_lose_nothing),
		cmocka_unit_test(what_is_over_a_limit_goes),
		cmocka_unit_test(what_peers_are_told_is_a_few_kilobytes),
		cmocka_unit_test(endpoints_are_places),
	};
	int rc;

	arena_init(&arena, 1 << 22);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return rc;
}

#include "proto/disco/disco.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static json_t *file;

static const char *const names[] = { [DISCO_PING] = "ping",
	[DISCO_PONG] = "pong",
	[DISCO_CALL_ME_MAYBE] = "call_me_maybe",
	[DISCO_BIND] = "bind_udp_relay_endpoint",
	[DISCO_BIND_CHALLENGE] = "bind_udp_relay_endpoint_challenge",
	[DISCO_BIND_ANSWER] = "bind_udp_relay_endpoint_answer",
	[DISCO_CALL_ME_MAYBE_VIA] = "call_me_maybe_via",
	[DISCO_ALLOCATE_REQUEST] = "allocate_udp_relay_endpoint_request",
	[DISCO_ALLOCATE_RESPONSE] = "allocate_udp_relay_endpoint_response" };

static void check_key(const json_t *f, const char *key, const uint8_t *got)
{
	uint8_t want[KEY_LEN];

	vec_hex_exact(f, key, want, KEY_LEN);
	CHECK_MEM(got, want, KEY_LEN);
}

static void check_endpoints(const json_t *f, const char *key, const struct disco_msg *m)
{
	json_t *list = json_object_get(f, key), *v;
	char text[IPPORT_TEXT_MAX];
	size_t i;

	CHECK_INT(json_array_size(list), ==, m->n_endpoints);
	json_array_foreach(list, i, v)
		CHECK_STR(ipport_format(m->endpoint[i], text), json_string_value(v));
}

static void check_relay(const json_t *f, const struct disco_msg *m)
{
	json_t *clients = json_object_get(f, "client_disco");

	for (size_t i = 0; i < 2; i++) {
		size_t n;
		uint8_t *k = hex_bytes(json_string_value(json_array_get(clients, i)), &n);

		CHECK_MEM(m->relay.client[i].b, k, KEY_LEN);
		free(k);
	}
	if (m->type != DISCO_CALL_ME_MAYBE_VIA)
		CHECK_INT(m->relay.generation, ==, vec_int(f, "generation"));
	if (m->type == DISCO_ALLOCATE_REQUEST)
		return;
	check_key(f, "server_disco", m->relay.server.b);
	CHECK_TRUE(m->relay.lamport_id == (uint64_t)vec_int(f, "lamport_id"));
	CHECK_INT(m->relay.vni, ==, vec_int(f, "vni"));
	CHECK_TRUE(m->relay.bind_lifetime_ns == (uint64_t)vec_int(f, "bind_lifetime_ns"));
	CHECK_TRUE(m->relay.steady_lifetime_ns == (uint64_t)vec_int(f, "steady_state_lifetime_ns"));
	check_endpoints(f, "addr_ports", m);
}

static void check_fields(const json_t *c, const struct disco_msg *m)
{
	json_t *f = json_object_get(c, "fields");
	uint8_t txid[DISCO_TXID_LEN];
	char text[IPPORT_TEXT_MAX];

	CHECK_STR(names[m->type], vec_str(c, "message"));
	switch (m->type) {
	case DISCO_PING:
		vec_hex_exact(f, "tx_id", txid, sizeof(txid));
		CHECK_MEM(m->txid, txid, sizeof(txid));
		CHECK_INT(m->has_node_key, ==, vec_str(f, "node_key")[0] != 0);
		if (m->has_node_key)
			check_key(f, "node_key", m->node_key.b);
		CHECK_INT(m->padding, ==, vec_int(f, "padding"));
		break;
	case DISCO_PONG:
		vec_hex_exact(f, "tx_id", txid, sizeof(txid));
		CHECK_MEM(m->txid, txid, sizeof(txid));
		CHECK_STR(ipport_format(m->src, text), vec_str(f, "src"));
		break;
	case DISCO_CALL_ME_MAYBE:
		check_endpoints(f, "endpoints", m);
		break;
	case DISCO_BIND:
	case DISCO_BIND_CHALLENGE:
	case DISCO_BIND_ANSWER:
		CHECK_INT(m->bind.vni, ==, vec_int(f, "vni"));
		CHECK_INT(m->bind.generation, ==, vec_int(f, "generation"));
		check_key(f, "remote_key", m->bind.remote.b);
		check_key(f, "challenge", m->bind.challenge);
		break;
	case DISCO_CALL_ME_MAYBE_VIA:
	case DISCO_ALLOCATE_REQUEST:
	case DISCO_ALLOCATE_RESPONSE:
		check_relay(f, m);
		break;
	}
}

static void messages_are_opened_and_sealed_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "messages"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		uint8_t priv[KEY_LEN], pub[KEY_LEN], out[DISCO_MESSAGE_MAX], nonce[BOX_NONCE_LEN];
		size_t n, plain_len;
		uint8_t *pkt = vec_hex(c, "packet", &n),
			*plain = vec_hex(c, "plaintext", &plain_len);
		struct box_shared k;
		struct disco_msg m;

		CHECK_ROW("%s", vec_str(c, "name"));
		vec_hex_exact(c, "receiver_private", priv, KEY_LEN);
		vec_hex_exact(c, "sender_public", pub, KEY_LEN);
		vec_hex_exact(c, "nonce", nonce, sizeof(nonce));
		CHECK_TRUE(disco_looks_like(pkt, n));
		CHECK_MEM(disco_sender(pkt).b, pub, KEY_LEN);
		CHECK_INT(box_precompute(&k, priv, pub), ==, 0);
		CHECK_INT(disco_open(&k, pkt, n, &m), ==, 0);
		check_fields(c, &m);
		CHECK_INT(disco_encode(&m, out, sizeof(out)), ==, plain_len);
		CHECK_MEM(out, plain, plain_len);
		free(pkt);
		free(plain);
	}
	vectors_count("disco.json", "messages", json_array_size(s));
}

static void parser_verdicts_are_those_of_the_library(void **state)
{
	json_t *s = vectors_section(file, "parse"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		size_t n, again_len;
		uint8_t *plain = vec_hex(c, "plaintext", &n), *again, out[DISCO_MESSAGE_MAX];
		bool accept = vec_bool(c, "accept");
		struct disco_msg m;

		CHECK_ROW("%s", vec_str(c, "name"));
		CHECK_INT(disco_decode(plain, n, &m) == 0, ==, accept);
		if (accept) {
			check_fields(c, &m);
			again = vec_hex(c, "marshalled_again", &again_len);
			CHECK_INT(disco_encode(&m, out, sizeof(out)), ==, again_len);
			CHECK_MEM(out, again, again_len);
			free(again);
		}
		free(plain);
	}
	vectors_count("disco.json", "parse", json_array_size(s));
}

static void damaged_packets_do_not_open(void **state)
{
	json_t *s = vectors_section(file, "wrapper"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		size_t n;
		uint8_t *pkt = vec_hex(c, "packet", &n), priv[KEY_LEN], *plain;
		bool looks = vec_bool(c, "looks_like_disco");
		int rc = -1;

		CHECK_ROW("%s", vec_str(c, "name"));
		vec_hex_exact(c, "receiver_private", priv, KEY_LEN);
		CHECK_INT(disco_looks_like(pkt, n), ==, looks);
		plain = malloc(n + 1);
		if (looks) {
			struct disco_pub from = disco_sender(pkt);
			struct box_shared k;

			rc = box_precompute(&k, priv, from.b);
			if (rc == 0)
				rc = box_open(
					&k, pkt + DISCO_HEADER_LEN, n - DISCO_HEADER_LEN, plain);
		}
		CHECK_INT(rc == 0, ==, vec_bool(c, "open"));
		free(plain);
		free(pkt);
	}
	vectors_count("disco.json", "wrapper", json_array_size(s));
}

static void geneve_headers_come_and_go(void **state)
{
	json_t *s = vectors_section(file, "geneve"), *d = vectors_section(file, "geneve_decode"),
	       *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		struct geneve g = { .version = (uint8_t)vec_int(c, "version"),
			.control = vec_bool(c, "control"),
			.protocol = (uint16_t)vec_int(c, "protocol"),
			.vni = (uint32_t)vec_int(c, "vni") };
		uint8_t want[GENEVE_LEN], got[GENEVE_LEN];

		vec_hex_exact(c, "bytes", want, GENEVE_LEN);
		geneve_encode(&g, got);
		CHECK_MEM(got, want, GENEVE_LEN);
	}
	vectors_count("disco.json", "geneve", json_array_size(s));
	json_array_foreach(d, i, c)
	{
		size_t n;
		uint8_t *p = vec_hex(c, "bytes", &n);
		struct geneve g;
		bool accept = vec_bool(c, "accept");

		CHECK_INT(geneve_decode(p, n, &g) == 0, ==, accept);
		if (accept) {
			CHECK_INT(g.version, ==, vec_int(c, "version"));
			CHECK_INT(g.control, ==, vec_bool(c, "control"));
			CHECK_INT(g.protocol, ==, vec_int(c, "protocol"));
			CHECK_INT(g.vni, ==, vec_int(c, "vni"));
		}
		free(p);
	}
	vectors_count("disco.json", "geneve_decode", json_array_size(d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_opened_and_sealed_as_recorded),
		cmocka_unit_test(parser_verdicts_are_those_of_the_library),
		cmocka_unit_test(damaged_packets_do_not_open),
		cmocka_unit_test(geneve_headers_come_and_go),
	};

	file = vectors_load("disco.json");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

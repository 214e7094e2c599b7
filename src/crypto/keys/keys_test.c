#include "crypto/keys/keys.h"
#include "crypto/box/box.h"
#include "base/text/text.h"
#include "testlib/vectors.h"

#include <stdlib.h>

#define FILE_NAME "keys.json"

static json_t *file;

static void check_text(enum key_kind kind, const uint8_t *key, const json_t *c, const char *field)
{
	char text[KEY_TEXT_MAX];
	uint8_t back[KEY_LEN];

	CHECK_STR(key_format(kind, key, text), vec_str(c, field));
	CHECK_INT(key_parse(kind, text, strlen(text), back), ==, 0);
	CHECK_MEM(back, key, KEY_LEN);
}

static void check_pair(const json_t *c, enum key_kind kind)
{
	uint8_t priv[KEY_LEN], pub[KEY_LEN], want[KEY_LEN], clamped[KEY_LEN];

	vec_hex_exact(c, "private", priv, KEY_LEN);
	vec_hex_exact(c, "public", want, KEY_LEN);
	CHECK_INT(key_public(priv, pub), ==, 0);
	CHECK_MEM(pub, want, KEY_LEN);
	check_text(kind, pub, c, "public_text");
	memcpy(clamped, priv, KEY_LEN);
	key_clamp(clamped);
	CHECK_INT(memcmp(clamped, priv, KEY_LEN) == 0, ==, vec_bool(c, "private_clamped"));
}

static void key_pairs_and_their_texts(void **state)
{
	static const struct {
		const char *section;
		enum key_kind kind;
	} rows[] = { { "machine", KEY_MACHINE }, { "node", KEY_NODE }, { "disco", KEY_DISCO } };
	size_t i;
	json_t *c;

	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		json_t *s = vectors_section(file, rows[r].section);

		json_array_foreach(s, i, c)
		{
			uint8_t pub[KEY_LEN], priv[KEY_LEN];
			char text[KEY_TEXT_MAX];

			CHECK_ROW("%s %zu", rows[r].section, i);
			check_pair(c, rows[r].kind);
			vec_hex_exact(c, "public", pub, KEY_LEN);
			vec_hex_exact(c, "private", priv, KEY_LEN);
			if (rows[r].kind == KEY_DISCO) {
				CHECK_STR(key_disco_short(pub, text), vec_str(c, "public_short"));
				continue;
			}
			check_text(KEY_PRIVATE, priv, c, "private_text");
			CHECK_STR(key_short(pub, text), vec_str(c, "public_short"));
			if (rows[r].kind == KEY_NODE) {
				size_t n;
				uint8_t *bin = vec_hex(c, "public_binary", &n);

				CHECK_INT(n, ==, 34);
				CHECK_MEM(bin, "np", 2);
				CHECK_MEM(bin + 2, pub, KEY_LEN);
				free(bin);
			}
		}
		vectors_count(FILE_NAME, rows[r].section, json_array_size(s));
	}
}

static void zero_keys_print_and_have_no_short_form(void **state)
{
	static const uint8_t zero[KEY_LEN];
	json_t *s = vectors_section(file, "zero_public"), *c;
	char text[KEY_TEXT_MAX];
	size_t i;

	json_array_foreach(s, i, c)
	{
		const char *type = vec_str(c, "type");
		enum key_kind kind = !strcmp(type, "node")      ? KEY_NODE
				     : !strcmp(type, "machine") ? KEY_MACHINE
								: KEY_DISCO;

		CHECK_ROW("%s", type);
		CHECK_STR(key_format(kind, zero, text), vec_str(c, "text"));
		CHECK_STR(kind == KEY_DISCO ? key_disco_short(zero, text) : key_short(zero, text),
			vec_str(c, "short"));
	}
	vectors_count(FILE_NAME, "zero_public", json_array_size(s));
}

static void shared_keys_are_the_same_from_both_sides(void **state)
{
	json_t *s = vectors_section(file, "shared"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		uint8_t a[KEY_LEN], ap[KEY_LEN], b[KEY_LEN], bp[KEY_LEN], want[KEY_LEN];
		struct box_shared k;

		CHECK_ROW("%zu", i);
		vec_hex_exact(c, "a_private", a, KEY_LEN);
		vec_hex_exact(c, "a_public", ap, KEY_LEN);
		vec_hex_exact(c, "b_private", b, KEY_LEN);
		vec_hex_exact(c, "b_public", bp, KEY_LEN);
		vec_hex_exact(c, "shared", want, KEY_LEN);
		CHECK_INT(box_precompute(&k, a, bp), ==, 0);
		CHECK_MEM(k.b, want, KEY_LEN);
		CHECK_INT(box_precompute(&k, b, ap), ==, 0);
		CHECK_MEM(k.b, want, KEY_LEN);
	}
	vectors_count(FILE_NAME, "shared", json_array_size(s));
}

static void check_box(const json_t *c, const char *sender_priv, const char *sender_pub,
	const char *receiver_priv, const char *receiver_pub)
{
	uint8_t sp[KEY_LEN], s[KEY_LEN], rp[KEY_LEN], r[KEY_LEN], nonce[BOX_NONCE_LEN];
	uint8_t out[4096], back[4096];
	size_t plain_len, sealed_len;
	uint8_t *plain = vec_hex(c, "plaintext", &plain_len);
	uint8_t *sealed = vec_hex(c, "sealed", &sealed_len);
	struct box_shared k;

	vec_hex_exact(c, sender_priv, s, KEY_LEN);
	vec_hex_exact(c, sender_pub, sp, KEY_LEN);
	vec_hex_exact(c, receiver_priv, r, KEY_LEN);
	vec_hex_exact(c, receiver_pub, rp, KEY_LEN);
	vec_hex_exact(c, "nonce", nonce, BOX_NONCE_LEN);
	CHECK_INT(plain_len + BOX_OVERHEAD, ==, sealed_len);
	CHECK_INT(sealed_len, <=, sizeof(out));
	CHECK_INT(box_precompute(&k, s, rp), ==, 0);
	box_seal(&k, nonce, plain, plain_len, out);
	CHECK_MEM(out, sealed, sealed_len);
	CHECK_INT(box_precompute(&k, r, sp), ==, 0);
	CHECK_INT(box_open(&k, sealed, sealed_len, back), ==, 0);
	CHECK_MEM(back, plain, plain_len);
	free(plain);
	free(sealed);
}

static void boxes_are_sealed_and_opened(void **state)
{
	json_t *s = vectors_section(file, "box"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		CHECK_ROW("box %zu", i);
		check_box(c, "sender_private", "sender_public", "receiver_private",
			"receiver_public");
	}
	vectors_count(FILE_NAME, "box", json_array_size(s));
}

static void damaged_boxes_stay_closed(void **state)
{
	json_t *s = vectors_section(file, "box_open"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		uint8_t r[KEY_LEN], sp[KEY_LEN], *out;
		size_t n;
		uint8_t *sealed = vec_hex(c, "sealed", &n);
		struct box_shared k;
		int rc;

		CHECK_ROW("%s", vec_str(c, "name"));
		vec_hex_exact(c, "receiver_private", r, KEY_LEN);
		vec_hex_exact(c, "sender_public", sp, KEY_LEN);
		out = malloc(n + 1);
		rc = box_precompute(&k, r, sp);
		if (rc == 0)
			rc = box_open(&k, sealed, n, out);
		CHECK_INT(rc == 0, ==, vec_bool(c, "accept"));
		free(out);
		free(sealed);
	}
	vectors_count(FILE_NAME, "box_open", json_array_size(s));
}

static void lock_keys_sign_and_print(void **state)
{
	json_t *s = vectors_section(file, "nl"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		uint8_t seed[KEY_LEN], pub[KEY_LEN], priv[KEY_NL_PRIVATE_LEN],
			want[KEY_NL_PRIVATE_LEN];
		uint8_t sig[KEY_NL_SIGNATURE_LEN], hash[KEY_LEN];

		CHECK_ROW("nl %zu", i);
		vec_hex_exact(c, "seed", seed, KEY_LEN);
		key_nl_from_seed(seed, pub, priv);
		vec_hex_exact(c, "private", want, sizeof(want));
		CHECK_MEM(priv, want, sizeof(want));
		vec_hex_exact(c, "public", want, KEY_LEN);
		CHECK_MEM(pub, want, KEY_LEN);
		vec_hex_exact(c, "key_id", want, KEY_LEN);
		CHECK_MEM(pub, want, KEY_LEN);
		vec_hex_exact(c, "sign_hash", hash, KEY_LEN);
		key_nl_sign(priv, hash, KEY_LEN, sig);
		vec_hex_exact(c, "signature", want, sizeof(want));
		CHECK_MEM(sig, want, sizeof(sig));
		CHECK_INT(key_nl_verify(pub, hash, KEY_LEN, sig), ==, 0);
		hash[0] ^= 1;
		CHECK_INT(key_nl_verify(pub, hash, KEY_LEN, sig), <, 0);
		check_text(KEY_NL, pub, c, "public_text");
		CHECK_INT(key_nl_private_parse(vec_str(c, "private_text"),
				  strlen(vec_str(c, "private_text")), want),
			==, 0);
		CHECK_MEM(want, priv, sizeof(priv));
	}
	vectors_count(FILE_NAME, "nl", json_array_size(s));
}

static void challenge_and_control_keys(void **state)
{
	json_t *s = vectors_section(file, "challenge"), *c;
	uint8_t priv[KEY_LEN], pub[KEY_LEN];
	size_t i;

	json_array_foreach(s, i, c)
	{
		CHECK_ROW("challenge %zu", i);
		vec_hex_exact(c, "private", priv, KEY_LEN);
		CHECK_INT(key_public(priv, pub), ==, 0);
		check_text(KEY_CHALLENGE, pub, c, "public_text");
	}
	vectors_count(FILE_NAME, "challenge", json_array_size(s));
	s = vectors_section(file, "control");
	json_array_foreach(s, i, c)
	{
		CHECK_ROW("control %zu", i);
		vec_hex_exact(c, "private", priv, KEY_LEN);
		CHECK_INT(key_public(priv, pub), ==, 0);
		check_text(KEY_MACHINE, pub, c, "public_text");
	}
	vectors_count(FILE_NAME, "control", json_array_size(s));
}

/* The verdict of our parser for a text of the type that the vectors name; -1 for types we do not parse here. */
static int verdict(const char *type, const char *s, size_t n, uint8_t *out, size_t *out_len)
{
	*out_len = KEY_LEN;
	if (!strcmp(type, "machine_private") || !strcmp(type, "node_private"))
		return key_parse(KEY_PRIVATE, s, n, out) == 0;
	if (!strcmp(type, "machine_public"))
		return key_parse(KEY_MACHINE, s, n, out) == 0;
	if (!strcmp(type, "node_public"))
		return key_parse(KEY_NODE, s, n, out) == 0;
	if (!strcmp(type, "disco_public"))
		return key_parse(KEY_DISCO, s, n, out) == 0;
	if (!strcmp(type, "challenge_public"))
		return key_parse(KEY_CHALLENGE, s, n, out) == 0;
	if (!strcmp(type, "nl_public"))
		return key_parse(KEY_NL, s, n, out) == 0 || key_parse(KEY_NL_CLI, s, n, out) == 0;
	if (!strcmp(type, "nl_private")) {
		*out_len = KEY_NL_PRIVATE_LEN;
		return key_nl_private_parse(s, n, out) == 0;
	}
	if (!strcmp(type, "derp_mesh")) { /* read from a file: white space around it is trimmed */
		while (n && strchr(" \t\r\n\v\f", s[0]) && s[0])
			s++, n--;
		while (n && s[n - 1] && strchr(" \t\r\n\v\f", s[n - 1]))
			n--;
		return key_parse_untyped(s, n, out) == 0;
	}
	return key_parse_untyped(s, n, out) == 0;
}

static void parser_verdicts_are_those_of_the_library(void **state)
{
	json_t *s = vectors_section(file, "text"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		uint8_t out[KEY_NL_PRIVATE_LEN];
		size_t n, out_len, want_len;
		uint8_t *text = vec_hex(c, "text_hex", &n), *want;
		bool accept = vec_bool(c, "accept");

		CHECK_ROW("text %zu, %s", i, vec_str(c, "type"));
		CHECK_INT(verdict(vec_str(c, "type"), (const char *)text, n, out, &out_len), ==,
			accept);
		if (accept) {
			want = vec_hex(c, "bytes", &want_len);
			CHECK_INT(want_len, ==, out_len);
			CHECK_MEM(out, want, out_len);
			free(want);
		}
		free(text);
	}
	vectors_count(FILE_NAME, "text", json_array_size(s));
}

static int load(void **state)
{
	file = vectors_load(FILE_NAME);
	return 0;
}

static int unload(void **state)
{
	json_decref(file);
	return 0;
}

static void node_key_has_a_binary_form(void **state)
{
	json_t *s = vectors_section(file, "node_binary"), *c;
	uint8_t back[KEY_NODE_BINARY_LEN];
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		uint8_t *bytes = vec_hex(c, "bytes", &n);
		struct node_pub key;
		int rc = key_node_from_binary(bytes, n, &key);

		CHECK_ROW("node_binary %zu", i);
		CHECK_INT(rc == 0, ==, vec_bool(c, "accept"));
		if (rc == 0) {
			key_node_to_binary(&key, back);
			CHECK_MEM(back, bytes, n);
		}
		free(bytes);
	}
	vectors_count(FILE_NAME, "node_binary", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_key_has_a_binary_form),
		cmocka_unit_test(key_pairs_and_their_texts),
		cmocka_unit_test(zero_keys_print_and_have_no_short_form),
		cmocka_unit_test(shared_keys_are_the_same_from_both_sides),
		cmocka_unit_test(boxes_are_sealed_and_opened),
		cmocka_unit_test(damaged_boxes_stay_closed),
		cmocka_unit_test(lock_keys_sign_and_print),
		cmocka_unit_test(challenge_and_control_keys),
		cmocka_unit_test(parser_verdicts_are_those_of_the_library),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, load, unload);
}

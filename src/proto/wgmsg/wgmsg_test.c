#include "proto/wgmsg/wgmsg.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static void handshake_messages_have_one_size_and_data_a_minimum(void **state)
{
	static const struct {
		enum wgmsg_type type;
		size_t len;
		bool exact;
	} row[] = { { WGMSG_INITIATION, 148, true }, { WGMSG_RESPONSE, 92, true },
		{ WGMSG_COOKIE_REPLY, 64, true }, { WGMSG_TRANSPORT, 32, false } };

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		uint8_t m[256] = { 0 };

		CHECK_ROW("type %d", row[i].type);
		wgmsg_set_type(m, row[i].type);
		CHECK_INT(wgmsg_type(m, row[i].len), ==, row[i].type);
		CHECK_INT(wgmsg_type(m, row[i].len - 1), ==, WGMSG_INVALID);
		CHECK_INT(wgmsg_type(m, row[i].len + 1), ==,
			row[i].exact ? WGMSG_INVALID : row[i].type);
		for (int k = 1; k < 4; k++) {
			m[k] = 1;
			CHECK_INT(wgmsg_type(m, row[i].len), ==, WGMSG_INVALID);
			m[k] = 0;
		}
	}
}

static void unknown_types_and_stubs_are_invalid(void **state)
{
	uint8_t m[148] = { 0 };

	for (int t = 0; t < 256; t++) {
		m[0] = (uint8_t)t;
		CHECK_INT(wgmsg_type(m, sizeof(m)) == WGMSG_INVALID, ==,
			t != WGMSG_INITIATION && t != WGMSG_TRANSPORT);
	}
	for (size_t n = 0; n < 4; n++)
		CHECK_INT(wgmsg_type(m, n), ==, WGMSG_INVALID);
}

/* The layouts laid over recorded messages show the recorded fields. */
static void recorded_messages_show_their_fields(void **state)
{
	json_t *file = vectors_load("wg.json"), *s = vectors_section(file, "session"), *c, *p;
	size_t i, k, n = 0;

	json_array_foreach(s, i, c) json_array_foreach(json_object_get(c, "packets"), k, p)
	{
		const json_t *f = json_object_get(p, "fields");
		size_t len;
		uint8_t *bytes = vec_hex(p, "bytes", &len), want[48];
		const struct wgmsg_initiation *init = (const void *)bytes;
		const struct wgmsg_response *resp = (const void *)bytes;
		const struct wgmsg_transport *data = (const void *)bytes;

		CHECK_ROW("session %zu, packet %zu", i, k);
		CHECK_INT(wgmsg_type(bytes, len), ==, vec_int(p, "type"));
		switch (wgmsg_type(bytes, len)) {
		case WGMSG_INITIATION:
			vec_hex_exact(f, "static_sealed", want, 48);
			CHECK_MEM(init->sealed_static, want, 48);
			vec_hex_exact(f, "timestamp_sealed", want, 28);
			CHECK_MEM(init->sealed_timestamp, want, 28);
			vec_hex_exact(f, "mac2", want, 16);
			CHECK_MEM(init->mac2, want, 16);
			break;
		case WGMSG_RESPONSE:
			vec_hex_exact(f, "receiver", want, 4);
			CHECK_MEM(resp->receiver, want, 4);
			vec_hex_exact(f, "empty_sealed", want, 16);
			CHECK_MEM(resp->sealed_nothing, want, 16);
			vec_hex_exact(f, "mac1", want, 16);
			CHECK_MEM(resp->mac1, want, 16);
			break;
		case WGMSG_TRANSPORT:
			vec_hex_exact(f, "receiver", want, 4);
			CHECK_MEM(data->receiver, want, 4);
			CHECK_INT(load_le64(data->counter), ==, vec_int(f, "counter"));
			break;
		case WGMSG_COOKIE_REPLY:
		case WGMSG_INVALID:
			check_fail(__FILE__, __LINE__, "not expected in a session");
		}
		free(bytes);
		n++;
	}
	vectors_count("wg.json", "session packets", n);
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_messages_have_one_size_and_data_a_minimum),
		cmocka_unit_test(unknown_types_and_stubs_are_invalid),
		cmocka_unit_test(recorded_messages_show_their_fields),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "os/addr/addr.h"
#include "testlib/check.h"

static void what_go_listens_on_is_taken(void **state)
{
	static const struct {
		const char *text;
		int rc;
		unsigned family;
		uint16_t port;
	} rows[] = { { "127.0.0.1:8080", 0, 4, 8080 }, { "[::1]:80", 0, 6, 80 },
		{ ":8080", 0, 0, 8080 }, { ":0", 0, 0, 0 }, { "localhost:0", 0, 4, 0 },
		{ "localhost:9411", 0, 4, 9411 }, { "0.0.0.0:1", 0, 4, 1 },
		{ "[::]:443", 0, 6, 443 }, { "", -ERR_BAD_FORMAT, 0, 0 },
		{ "localhost", -ERR_BAD_FORMAT, 0, 0 }, { "8080", -ERR_BAD_FORMAT, 0, 0 },
		{ "::1:80", -ERR_BAD_FORMAT, 0, 0 }, { "[127.0.0.1]:80", -ERR_BAD_FORMAT, 0, 0 },
		{ "[x]:80", -ERR_BAD_FORMAT, 0, 0 }, { "localhost:", -ERR_BAD_VALUE, 0, 0 },
		{ "127.0.0.1:65536", -ERR_BAD_VALUE, 0, 0 },
		{ "127.0.0.1:-1", -ERR_BAD_VALUE, 0, 0 }, { "127.0.0.1:8x", -ERR_BAD_VALUE, 0, 0 },
		{ "no such name:80", -ERR_NO_NAME, 0, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipport at;

		CHECK_ROW("%s", rows[i].text);
		CHECK_INT(addr_listen_parse(rows[i].text, &at), ==, rows[i].rc);
		if (rows[i].rc < 0)
			continue;
		CHECK_INT(at.ip.family, ==, rows[i].family);
		CHECK_INT(at.port, ==, rows[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_go_listens_on_is_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

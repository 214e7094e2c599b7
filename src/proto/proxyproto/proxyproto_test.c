#include "proto/proxyproto/proxyproto.h"
#include "testlib/check.h"

static void check(const void *bytes, size_t len, const char *want)
{
	uint8_t with_more[PROXYPROTO_MAX + 8];
	char text[IPPORT_TEXT_MAX];
	struct proxyproto h;
	size_t used;

	memcpy(with_more, bytes, len);
	memcpy(with_more + len, "GET / ", 6);
	CHECK_INT(proxyproto_decode(with_more, len + 6, &h, &used), ==, want ? 0 : -ERR_BAD_FORMAT);
	if (!want)
		return;
	CHECK_INT(used, ==, len);
	CHECK_STR(h.named ? ipport_format(h.from, text) : "", want);
	for (size_t n = 1; n < len; n++)
		CHECK_INT(proxyproto_decode(bytes, n, &h, &used), ==, PROXYPROTO_MORE);
}

static void version_1_names_the_client(void **state)
{
	static const struct {
		const char *line, *from; /* NULL: refused */
	} rows[] = {
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1:56324" },
		{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
			"255.255.255.255:65535" },
		{ "PROXY TCP6 2001:db8::1 2001:db8::2 1 443\r\n", "[2001:db8::1]:1" },
		{ "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 443\r\n", "192.0.2.1:1" },
		{ "PROXY UNKNOWN\r\n", "" },
		{ "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "" },
		{ "PROXY TCP4 2001:db8::1 2001:db8::2 1 443\r\n", NULL },
		{ "PROXY TCP6 192.0.2.1 192.0.2.2 1 443\r\n", NULL },
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", NULL },
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 01 443\r\n", NULL },
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n", NULL },
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n", NULL },
		{ "PROXY TCP4 192.0.2.1  198.51.100.1 1 443\r\n", NULL },
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 1 443 \r\n", NULL },
		{ "PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n", NULL },
		{ "PROXY TCP5 192.0.2.1 198.51.100.1 1 443\r\n", NULL },
		{ "PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n", NULL },
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 1 443\n", NULL },
		{ "PROXY \r\n", NULL },
		{ "PROXY\r\n", NULL },
		{ "proxy TCP4 192.0.2.1 198.51.100.1 1 443\r\n", NULL },
		{ "GET / HTTP/1.1\r\n", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].line);
		check(rows[i].line, strlen(rows[i].line), rows[i].from);
	}
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 \
	"\300\0\2\1" \
	"\306\063\144\1" \
	"\334\4" \
	"\1\273"
#define V6 \
	"\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1" \
	"\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\2" \
	"\0\1" \
	"\1\273"

static void version_2_names_the_client(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *from;
	} rows[] = {
#define ROW(text, from) { SIGNATURE text, sizeof(SIGNATURE text) - 1, from }
		ROW("\x21\x11\0\x0c" V4, "192.0.2.1:56324"),
		ROW("\x21\x21\0\x24" V6, "[2001:db8::1]:1"),
		ROW("\x21\x11\0\x12" V4 "\x04\0\3abc", "192.0.2.1:56324"), /* an extension */
		ROW("\x20\0\0\0", ""),                                     /* LOCAL */
		ROW("\x20\x11\0\x0c" V4, ""), /* LOCAL, whatever it says */
		ROW("\x21\0\0\0", ""),        /* not known */
		ROW("\x21\x12\0\x0c" V4, ""), /* a datagram */
		ROW("\x21\x11\0\x0b"
		    "\300\0\2\1\306\063\144\1\334\4\1",
			NULL), /* shorter than its addresses */
		ROW("\x21\x21\0\x0c" V4, NULL),
		ROW("\x22\x11\0\x0c" V4, NULL), /* no such command */
		ROW("\x11\x11\0\x0c" V4, NULL), /* no such version */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%zu", i);
		check(rows[i].bytes, rows[i].len, rows[i].from);
	}
}

static void headers_have_an_end(void **state)
{
	uint8_t line[PROXYPROTO_LINE_MAX + 1] = "PROXY UNKNOWN ",
					   v2[20] = SIGNATURE "\x21\x11\xff\xff";
	struct proxyproto h;
	size_t used;

	memset(line + 14, 'a', sizeof(line) - 14);
	CHECK_INT(proxyproto_decode(line, PROXYPROTO_LINE_MAX - 1, &h, &used), ==, PROXYPROTO_MORE);
	CHECK_INT(proxyproto_decode(line, PROXYPROTO_LINE_MAX, &h, &used), ==, -ERR_TOO_BIG);
	CHECK_INT(proxyproto_decode(v2, 16, &h, &used), ==, -ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1_names_the_client),
		cmocka_unit_test(version_2_names_the_client),
		cmocka_unit_test(headers_have_an_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

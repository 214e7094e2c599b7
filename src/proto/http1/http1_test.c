#include "proto/http1/http1.h"
#include "base/err/err.h"
#include "testlib/check.h"

static int parse(const char *s, bool response, struct http1_head *h)
{
	size_t used;

	return http1_parse((const uint8_t *)s, strlen(s), response, h, &used);
}

static void upgrade_request_is_read(void **state)
{
	static const char in[] =
		"POST /ts2021?a=1&b=x%20y HTTP/1.1\r\nHost: h:1\r\nconnection: keep-alive, Upgrade\r\n"
		"Upgrade:  tailscale-control-protocol \r\nContent-Length: 0\r\n\r\nrest";
	struct http1_head h;
	size_t used;

	for (size_t n = 0; n < sizeof(in) - 5; n++)
		CHECK_INT(http1_parse((const uint8_t *)in, n, false, &h, &used), ==, HTTP1_MORE);
	CHECK_INT(http1_parse((const uint8_t *)in, sizeof(in) - 1, false, &h, &used), ==, 0);
	CHECK_INT(used, ==, sizeof(in) - 5);
	CHECK_TRUE(http1_method_is(&h, "POST") && view_eq(http1_path(&h), VIEW_LIT("/ts2021")));
	CHECK_TRUE(view_eq(http1_query(&h, "b"), VIEW_LIT("x%20y")) && !http1_query(&h, "c").len);
	CHECK_TRUE(http1_has_token(&h, "Connection", "upgrade") &&
		   !http1_has_token(&h, "Connection", "close"));
	CHECK_TRUE(view_eq(http1_find(&h, "upgrade"), VIEW_LIT("tailscale-control-protocol")));
	CHECK_TRUE(h.keep_alive && h.has_content_length && !h.content_length);
}

static void response_is_read(void **state)
{
	struct http1_head h;

	CHECK_INT(parse("HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n", true, &h), ==,
		0);
	CHECK_INT(h.status, ==, 101);
	CHECK_INT(parse("HTTP/1.0 204 \r\n\r\n", true, &h), ==, 0);
	CHECK_TRUE(h.status == 204 && !h.keep_alive);
}

static void ambiguous_heads_are_refused(void **state)
{
	static const char *const bad[] = { "GET\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA b: c\r\n\r\n",
		"GET / HTTP/1.1\r\nA : c\r\n\r\n", "GET / HTTP/1.1\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "GET / HTTP/1.1\r\nA\r\n\r\n",
		"\x16\x03\x01 / HTTP/1.1\r\n\r\n" };
	static char big[HTTP1_HEAD_MAX + 1];
	struct http1_head h;
	size_t used;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%zu", i);
		CHECK_INT(parse(bad[i], false, &h), ==, -ERR_BAD_FORMAT);
	}
	memset(big, 'a', sizeof(big));
	CHECK_INT(
		http1_parse((const uint8_t *)big, sizeof(big), false, &h, &used), ==, -ERR_TOO_BIG);
}

static void number_of_headers_is_bounded(void **state)
{
	struct http1_head h;
	struct buf b;

	buf_init(&b, 10000);
	CHECK_INT(buf_append_str(&b, "GET / HTTP/1.1\r\n"), ==, 0);
	for (int i = 0; i <= HTTP1_HEADERS_MAX; i++)
		CHECK_INT(buf_printf(&b, "a%d: b\r\n", i), ==, 0);
	CHECK_INT(buf_append_str(&b, "\r\n"), ==, 0);
	CHECK_INT(parse(buf_cstr(&b), false, &h), ==, -ERR_TOO_MANY);
	buf_fini(&b);
}

/* Decodes a chunked body given in pieces of n bytes. The result of the last step; the content in out. */
static int chunks(const char *in, size_t piece, char *out)
{
	struct http1_chunks c = { 0 };
	size_t len = strlen(in), at = 0, have = 0, used;
	struct view data;
	int rc = HTTP1_MORE;

	*out = 0;
	while (rc == HTTP1_MORE && have < len) {
		have = MIN_OF(have + piece, len);
		do {
			rc = http1_chunks_next(
				&c, (const uint8_t *)in + at, have - at, &data, &used);
			if (rc >= 0) {
				strncat(out, (const char *)data.p, data.len);
				at += used;
			}
		} while (rc == 0);
	}
	return rc;
}

static void chunked_bodies_are_read_however_they_are_cut(void **state)
{
	char out[64];

	for (size_t piece = 1; piece < 60; piece++) {
		CHECK_ROW("%zu", piece);
		CHECK_INT(
			chunks("5\r\nhello\r\n1;ext=\"x\"\r\n \r\n00B\r\nwide world!\r\n0\r\nTrailer: y\r\n\r\n",
				piece, out),
			==, HTTP1_END);
		CHECK_STR(out, "hello wide world!");
	}
}

static void bad_chunks_are_refused(void **state)
{
	static const char *const bad[] = { "\r\n", "x\r\n", "-1\r\n", "0x5\r\nhello\r\n",
		"5\r\nhelloX\r\n", "ffffffffffffffff\r\n", "5 5\r\nhello\r\n" };
	static char longer[400];
	char out[64];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(chunks(bad[i], 1000, out), ==, -ERR_BAD_FORMAT);
	}
	CHECK_INT(chunks("5\r\nhel", 1000, out), ==, HTTP1_MORE);
	memset(longer, '0', sizeof(longer) - 1);
	CHECK_INT(chunks(longer, 1000, out), ==, -ERR_BAD_FORMAT);
}

static void form_fields_are_found_and_decoded(void **state)
{
	struct view form = VIEW_LIT("a=1&ab=x%20y+z&empty=&a=2&b=%4"), v;
	char out[16];

	CHECK_TRUE(http1_form(form, "ab", &v));
	CHECK_INT(http1_unescape(v, true, out, sizeof(out)), ==, 0);
	CHECK_STR(out, "x y z");
	CHECK_INT(http1_unescape(v, false, out, sizeof(out)), ==, 0);
	CHECK_STR(out, "x y+z");
	CHECK_TRUE(http1_form(form, "a", &v) && view_eq(v, VIEW_LIT("1")));
	CHECK_TRUE(http1_form(form, "empty", &v) && v.len == 0);
	CHECK_TRUE(!http1_form(form, "c", &v));
	CHECK_TRUE(http1_form(form, "b", &v));
	CHECK_INT(http1_unescape(v, true, out, sizeof(out)), ==, -ERR_BAD_FORMAT);
	CHECK_INT(http1_unescape(VIEW_LIT("%00"), true, out, sizeof(out)), ==, -ERR_BAD_FORMAT);
	CHECK_INT(http1_unescape(VIEW_LIT("0123456789abcdef"), true, out, sizeof(out)), ==,
		-ERR_TOO_BIG);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* from 1994-11-06 08:49:37; -1: refused */
	} rows[] = {
		{ "0", 0 },
		{ "30", 30 },
		{ "3601", 3601 },
		{ "9007199254740", 9007199254740 },
		{ "99999999999999999999", -1 },
		{ "Sun, 06 Nov 1994 08:50:07 GMT", 30 },
		{ "Sunday, 06-Nov-94 08:50:07 GMT", 30 },
		{ "Sun Nov  6 08:50:07 1994", 30 },
		{ "Sun, 06 Nov 1994 09:49:37 GMT", 3600 },
		{ "", -1 },
		{ "-1", -1 },
		{ "+1", -1 },
		{ "1.5", -1 },
		{ " 1", -1 },
		{ "1s", -1 },
		{ "Sun, 06 Nov 1994 08:50:07 GMT!", -1 },
		{ "Sun, 06 Nov 1994 08:50:07 CET", -1 },
		{ "Sun, 06 nov 1994 08:50:07 GMT", -1 },
		{ "Sun, 66 Nov 1994 08:50:07 GMT", -1 },
		{ "Sun, 06 Nov 1994 88:50:07 GMT", -1 },
		{ "soon", -1 },
		{ "Sun, 06 Nov 1994 08:50:07 GMT and much more than any date is long", -1 },
	};
	unix_ms now, ms;

	CHECK_INT(time_parse_rfc3339("1994-11-06T08:49:37Z", 20, &now), ==, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = http1_retry_after(view_of(rows[i].text, strlen(rows[i].text)), now, &ms);

		if ((rc == 0) != (rows[i].seconds >= 0) ||
			(rc == 0 && ms != rows[i].seconds * 1000))
			print_error("# %s: %d, %lld\n", rows[i].text, rc, (long long)ms);
		CHECK_INT(rc == 0, ==, rows[i].seconds >= 0);
		if (rc == 0)
			CHECK_INT(ms, ==, rows[i].seconds * 1000);
	}
	CHECK_INT(http1_retry_after(VIEW_LIT("Sun, 06 Nov 1994 08:49:07 GMT"), now, &ms), ==, 0);
	CHECK_INT(ms, ==, -30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upgrade_request_is_read),
		cmocka_unit_test(response_is_read),
		cmocka_unit_test(ambiguous_heads_are_refused),
		cmocka_unit_test(number_of_headers_is_bounded),
		cmocka_unit_test(chunked_bodies_are_read_however_they_are_cut),
		cmocka_unit_test(bad_chunks_are_refused),
		cmocka_unit_test(form_fields_are_found_and_decoded),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/text/text.h"
#include "base/err/err.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

/* The vectors of RFC 4648, section 10. */
static void base64_agrees_with_the_rfc(void **state)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" } };
	char out[20];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		base64_encode((const uint8_t *)rows[i][0], strlen(rows[i][0]), out);
		CHECK_STR(out, rows[i][1]);
	}
	base64url_encode((const uint8_t *)"\xfb\xff", 2, out);
	CHECK_STR(out, "-_8");
}

static void bytes_come_back_from_hex_and_base64(void **state)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 5);
	for (size_t n = 0; n < 100; n++) {
		uint8_t in[100], back[140];
		char text[210];
		size_t len = 0;

		rng_fill(&r.rng, in, n);
		hex_encode(in, n, text);
		CHECK_INT(hex_decode(text, strlen(text), back), ==, 0);
		CHECK_MEM(back, in, n);
		base64_encode(in, n, text);
		CHECK_INT(strlen(text), ==, BASE64_LEN(n));
		CHECK_INT(base64_decode(text, strlen(text), back, &len), ==, 0);
		CHECK_INT(len, ==, n);
		CHECK_MEM(back, in, n);
		base64url_encode(in, n, text);
		CHECK_INT(base64_decode(text, strlen(text), back, &len), ==, 0);
		CHECK_INT(len, ==, n);
		CHECK_MEM(back, in, n);
	}
}

static void every_character_outside_the_alphabet_is_rejected(void **state)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	static const char b64[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
	uint8_t out[4];
	size_t len;

	for (int c = 1; c < 256; c++) {
		char h[2] = { '0', (char)c }, b[4] = { 'A', 'A', (char)c, 'A' };

		CHECK_ROW("character %d", c);
		CHECK_INT(hex_decode(h, 2, out) == 0, ==, strchr(hex, c) != NULL);
		CHECK_INT(base64_decode(b, 4, out, &len) == 0, ==, strchr(b64, c) != NULL);
	}
	CHECK_INT(hex_decode("abc", 3, out), ==, -ERR_BAD_FORMAT);
}

static void base64_rejects_wrong_padding_and_stray_bits(void **state)
{
	static const char *const bad[] = { "A", "A===", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "=" };
	uint8_t out[8];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(base64_decode(bad[i], strlen(bad[i]), out, &len), ==, -ERR_BAD_FORMAT);
	}
}

static void numbers_stop_at_their_maximum(void **state)
{
	uint64_t v = 0;

	CHECK_INT(text_u64("255", 3, 255, &v), ==, 0);
	CHECK_INT(v, ==, 255);
	CHECK_INT(text_u64("256", 3, 255, &v), ==, -ERR_BAD_VALUE);
	CHECK_INT(text_u64("5", 1, 3, &v), ==, -ERR_BAD_VALUE);
	CHECK_INT(text_u64("18446744073709551615", 20, UINT64_MAX, &v), ==, 0);
	CHECK_TRUE(v == UINT64_MAX);
	CHECK_INT(text_u64("18446744073709551616", 20, UINT64_MAX, &v), ==, -ERR_BAD_VALUE);
	CHECK_INT(text_u64("", 0, 9, &v), ==, -ERR_BAD_FORMAT);
	CHECK_INT(text_u64("+1", 2, 9, &v), ==, -ERR_BAD_FORMAT);
}

static void utf8_is_checked_as_the_standard_says(void **state)
{
	static const char *const good[] = { "", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc2",
		"\xe1\x80", "\xff" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_TRUE(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_TRUE(!text_is_utf8(bad[i], strlen(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_agrees_with_the_rfc),
		cmocka_unit_test(bytes_come_back_from_hex_and_base64),
		cmocka_unit_test(every_character_outside_the_alphabet_is_rejected),
		cmocka_unit_test(base64_rejects_wrong_padding_and_stray_bits),
		cmocka_unit_test(numbers_stop_at_their_maximum),
		cmocka_unit_test(utf8_is_checked_as_the_standard_says),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

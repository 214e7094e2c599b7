/* Hex, both kinds of base64, numbers and times: what was written is read as it was, and what is read is written as it stood. */
#include "base/text/text.h"
#include "base/time/time.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MOST = 4096 };

static void written(const uint8_t *data, size_t len)
{
	static char text[2 * MOST + 1];
	static uint8_t again[MOST + 3];
	size_t n;

	hex_encode(data, len, text);
	CHECK(hex_decode(text, 2 * len, again) == 0 && memcmp(again, data, len) == 0);
	base64_encode(data, len, text);
	CHECK(base64_decode(text, strlen(text), again, &n) == 0 && n == len &&
		memcmp(again, data, len) == 0);
	CHECK(strlen(text) == BASE64_LEN(len));
}

/* One text for each value, but for the alphabet and the padding. */
static bool is_base64_of(const uint8_t *bytes, size_t n, const char *s, size_t len)
{
	static char text[2 * MOST + 1];

	base64_encode(bytes, n, text);
	for (size_t i = 0; i < len; i++)
		if (!(s[i] == text[i] || (s[i] == '-' && text[i] == '+') ||
			    (s[i] == '_' && text[i] == '/')))
			return false;
	return text[len] == 0 || text[len] == '=';
}

static void read_as_text(const char *s, size_t len)
{
	static char text[2 * MOST + 1];
	static uint8_t bytes[MOST + 3];
	uint64_t number;
	size_t n;

	if (base64_decode(s, len, bytes, &n) == 0)
		CHECK(is_base64_of(bytes, n, s, len));
	if (len && hex_decode(s, len, bytes) == 0) {
		hex_encode(bytes, len / 2, text);
		CHECK(text_ieq(text, strlen(text), s, len));
	}
	if (text_u64(s, len, UINT64_MAX, &number) == 0) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
		while (len > 1 && *s == '0') {
			s++;
			len--;
		}
		CHECK(strlen(text) == len && memcmp(text, s, len) == 0);
	}
}

static void times(const char *s, size_t len)
{
	char one[TIME_RFC3339_MAX], two[TIME_RFC3339_MAX];
	unix_ms t, again;

	if (time_parse_rfc3339(s, len, &t) < 0)
		return;
	time_format_rfc3339(t, one);
	CHECK(time_parse_rfc3339(one, strlen(one), &again) == 0 && again == t);
	time_format_rfc3339(again, two);
	CHECK(strcmp(one, two) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len > MOST)
		return 0;
	written(data, len);
	read_as_text((const char *)data, len);
	times((const char *)data, len);
	return 0;
}

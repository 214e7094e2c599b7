#include "base/text/text.h"
#include "base/err/err.h"

/* All ones if lo <= c <= hi, without a branch on c. */
static unsigned in_range(unsigned c, unsigned lo, unsigned hi)
{
	/* both differences are negative, and so have the top bit, exactly when c is inside */
	return -((((lo - 1 - c) & (c - hi - 1)) >> 31) & 1u);
}

void hex_encode(const uint8_t *in, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		for (int k = 0; k < 2; k++) {
			unsigned v = k ? in[i] & 15u : in[i] >> 4;

			/* 'a' - '0' - 10 is added where v > 9, by arithmetic instead of a table */
			out[2 * i + (size_t)k] =
				(char)(v + '0' + (((9u - v) >> 8) & ('a' - '0' - 10)));
		}
	}
	out[2 * n] = 0;
}

/* 0..15, or 256 and above for anything else. */
static unsigned hex_value(unsigned c)
{
	unsigned digit = in_range(c, '0', '9'), lower = in_range(c | 32, 'a', 'f');

	return (digit & (c - '0')) | (lower & ((c | 32) - 'a' + 10)) | (~(digit | lower) & 256);
}

int hex_decode(const char *s, size_t len, uint8_t *out)
{
	unsigned bad = len & 1 ? 256 : 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		unsigned hi = hex_value((uint8_t)s[i]), lo = hex_value((uint8_t)s[i + 1]);

		bad |= (hi | lo) & 256;
		out[i / 2] = (uint8_t)(hi << 4 | (lo & 15));
	}
	return bad ? -ERR_BAD_FORMAT : 0;
}

static char b64_char(unsigned v, bool url)
{
	unsigned c = in_range(v, 0, 25) & (v + 'A');

	c |= in_range(v, 26, 51) & (v - 26 + 'a');
	c |= in_range(v, 52, 61) & (v - 52 + '0');
	c |= in_range(v, 62, 62) & (unsigned)(url ? '-' : '+');
	c |= in_range(v, 63, 63) & (unsigned)(url ? '_' : '/');
	return (char)c;
}

static size_t b64_encode(const uint8_t *in, size_t n, char *out, bool url)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i += 3) {
		size_t k = MIN_OF(n - i, (size_t)3);
		unsigned v = (unsigned)in[i] << 16 | (k > 1 ? (unsigned)in[i + 1] << 8 : 0) |
			     (k > 2 ? in[i + 2] : 0);

		for (size_t j = 0; j <= k; j++)
			out[o++] = b64_char(v >> (18 - 6 * j) & 63, url);
		for (size_t j = k; j < 3 && !url; j++)
			out[o++] = '=';
	}
	out[o] = 0;
	return o;
}

void base64_encode(const uint8_t *in, size_t n, char *out)
{
	b64_encode(in, n, out, false);
}

void base64url_encode(const uint8_t *in, size_t n, char *out)
{
	b64_encode(in, n, out, true);
}

static unsigned b64_value(unsigned c)
{
	unsigned up = in_range(c, 'A', 'Z'), lo = in_range(c, 'a', 'z'),
		 dig = in_range(c, '0', '9');
	unsigned x62 = in_range(c, '+', '+') | in_range(c, '-', '-');
	unsigned x63 = in_range(c, '/', '/') | in_range(c, '_', '_');

	return (up & (c - 'A')) | (lo & (c - 'a' + 26)) | (dig & (c - '0' + 52)) | (x62 & 62) |
	       (x63 & 63) | (~(up | lo | dig | x62 | x63) & 256);
}

int base64_decode(const char *s, size_t len, uint8_t *out, size_t *ret_len)
{
	size_t pad = 0, o = 0;
	unsigned bad = 0;

	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	if (pad && len % 4)
		return -ERR_BAD_FORMAT;
	len -= pad;
	if (len % 4 == 1)
		return -ERR_BAD_FORMAT;
	for (size_t i = 0; i < len; i += 4) {
		size_t k = MIN_OF(len - i, (size_t)4);
		unsigned v = 0;

		for (size_t j = 0; j < k; j++) {
			unsigned d = b64_value((uint8_t)s[i + j]);

			bad |= d & 256;
			v |= (d & 63) << (18 - 6 * j);
		}
		for (size_t j = 0; j + 1 < k; j++)
			out[o++] = (uint8_t)(v >> (16 - 8 * j));
		if (k < 4) /* bits that no byte uses */
			bad |= v & (k == 2 ? 0xffffu : 0xffu) ? 256 : 0;
	}
	if (bad)
		return -ERR_BAD_FORMAT;
	*ret_len = o;
	return 0;
}

bool text_ieq(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

int text_u64(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0)
		return -ERR_BAD_FORMAT;
	for (size_t i = 0; i < len; i++) {
		unsigned d = (unsigned)((uint8_t)s[i] - '0');

		if (d > 9)
			return -ERR_BAD_FORMAT;
		if (v > max / 10 || v * 10 > max - MIN_OF(max, (uint64_t)d))
			return -ERR_BAD_VALUE;
		v = v * 10 + d;
	}
	if (v > max)
		return -ERR_BAD_VALUE;
	*ret = v;
	return 0;
}

bool text_is_utf8(const void *s, size_t len)
{
	struct cur c = cur_over(s, len);

	while (cur_left(&c) >= 8 &&
		!(load_le64(c.p) & 0x8080808080808080)) /* most texts are ASCII */
		cur_skip(&c, 8);
	while (cur_left(&c)) {
		uint8_t b = cur_u8(&c);
		uint32_t v, min;
		int more;

		if (b < 0x80)
			continue;
		if (b >= 0xc2 && b < 0xe0) {
			more = 1, v = b & 0x1fu, min = 0x80;
		} else if (b >= 0xe0 && b < 0xf0) {
			more = 2, v = b & 0x0fu, min = 0x800;
		} else if (b >= 0xf0 && b < 0xf5) {
			more = 3, v = b & 0x07u, min = 0x10000;
		} else {
			return false;
		}
		for (; more; more--) {
			if (!cur_left(&c))
				return false;
			b = cur_u8(&c);
			if ((b & 0xc0) != 0x80)
				return false;
			v = v << 6 | (b & 0x3f);
		}
		if (v < min || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
			return false;
	}
	return true;
}

#include "proto/proxyproto/proxyproto.h"
#include "base/text/text.h"

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49,
	0x54, 0x0a };
static const char line_begin[] = "PROXY ";

enum { V2_HEAD = 16, V2_VERSION = 0x20, V2_LOCAL = 0, V2_PROXY = 1 };
enum { V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_TCP4_LEN = 12, V2_TCP6_LEN = 36 };
enum { LINE_BEGIN = sizeof(line_begin) - 1, LINE_WORDS = 5 };

/* Does what came, as far as it came, agree with the constant? */
static bool begins(const uint8_t *p, size_t len, const void *with, size_t with_len)
{
	return !memcmp(p, with, len < with_len ? len : with_len);
}

/* ---- Version 2 ---- */

static int v2_addresses(const uint8_t *p, size_t len, uint8_t kind, struct proxyproto *ret)
{
	struct cur c = cur_over(p, len);
	uint8_t ip[16];

	if (kind == V2_TCP4) {
		cur_copy(&c, ip, 4);
		cur_take(&c, 4); /* to whom: we know that */
	} else if (kind == V2_TCP6) {
		cur_copy(&c, ip, 16);
		cur_take(&c, 16);
	} else {
		return 0;
	}
	ret->from.port = cur_be16(&c);
	cur_be16(&c);
	if (c.bad)
		return -ERR_BAD_FORMAT;
	ret->from.ip = kind == V2_TCP4 ? ipaddr_from4(ip) : ipaddr_from16(ip);
	ret->named = true;
	return 0;
}

static int decode_v2(const uint8_t *p, size_t len, struct proxyproto *ret, size_t *ret_used)
{
	uint8_t command;
	size_t rest;

	if (len < V2_HEAD)
		return PROXYPROTO_MORE;
	command = p[12] & 0x0f;
	rest = (size_t)p[14] << 8 | p[15];
	if ((p[12] & 0xf0) != V2_VERSION || command > V2_PROXY)
		return -ERR_BAD_FORMAT;
	if (rest > PROXYPROTO_MAX - V2_HEAD)
		return -ERR_TOO_BIG;
	if (len < V2_HEAD + rest)
		return PROXYPROTO_MORE;
	*ret_used = V2_HEAD + rest;
	return command == V2_LOCAL ? 0 : v2_addresses(p + V2_HEAD, rest, p[13], ret);
}

/* ---- Version 1 ---- */

/* The words of "TCP4 FROM TO PORT PORT", one blank between them. */
static bool split(struct view line, struct view word[static LINE_WORDS])
{
	for (size_t i = 0; i < LINE_WORDS; i++) {
		const uint8_t *blank = line.len ? memchr(line.p, ' ', line.len) : NULL;
		size_t n = blank ? (size_t)(blank - line.p) : line.len;

		if (!n || !blank != (i == LINE_WORDS - 1))
			return false;
		word[i] = view_of(line.p, n);
		line = blank ? view_of(blank + 1, line.len - n - 1) : view_of("", 0);
	}
	return true;
}

static bool parse_ip(struct view v, bool v6, struct ipaddr *ret)
{
	return ipaddr_parse((const char *)v.p, v.len, ret) == 0 &&
	       (memchr(v.p, ':', v.len) != NULL) == v6;
}

static bool parse_port(struct view v, uint16_t *ret)
{
	uint64_t n;

	if ((v.len > 1 && v.p[0] == '0') || text_u64((const char *)v.p, v.len, UINT16_MAX, &n) < 0)
		return false;
	*ret = (uint16_t)n;
	return true;
}

static int parse_line(struct view line, struct proxyproto *ret)
{
	struct view w[LINE_WORDS];
	struct proxyproto r = { .named = true };
	struct ipport to;
	bool v6;

	if (view_eq(line, VIEW_LIT("UNKNOWN")) || (line.len > 8 && !memcmp(line.p, "UNKNOWN ", 8)))
		return 0;
	if (!split(line, w))
		return -ERR_BAD_FORMAT;
	v6 = view_eq(w[0], VIEW_LIT("TCP6"));
	if ((!v6 && !view_eq(w[0], VIEW_LIT("TCP4"))) || !parse_ip(w[1], v6, &r.from.ip) ||
		!parse_ip(w[2], v6, &to.ip) || !parse_port(w[3], &r.from.port) ||
		!parse_port(w[4], &to.port))
		return -ERR_BAD_FORMAT;
	*ret = r;
	return 0;
}

static int decode_line(const uint8_t *p, size_t len, struct proxyproto *ret, size_t *ret_used)
{
	const uint8_t *end = memchr(p, '\n', len < PROXYPROTO_LINE_MAX ? len : PROXYPROTO_LINE_MAX);

	if (!end)
		return len < PROXYPROTO_LINE_MAX ? PROXYPROTO_MORE : -ERR_TOO_BIG;
	if (end - p <= LINE_BEGIN || end[-1] != '\r')
		return -ERR_BAD_FORMAT;
	*ret_used = (size_t)(end - p) + 1;
	return parse_line(view_of(p + LINE_BEGIN, (size_t)(end - p) - 1 - LINE_BEGIN), ret);
}

int proxyproto_decode(const uint8_t *p, size_t len, struct proxyproto *ret, size_t *ret_used)
{
	struct proxyproto r = { 0 };
	size_t used = 0;
	int rc;

	if (begins(p, len, signature, sizeof(signature)))
		rc = decode_v2(p, len, &r, &used);
	else if (begins(p, len, line_begin, LINE_BEGIN))
		rc = len < LINE_BEGIN ? PROXYPROTO_MORE : decode_line(p, len, &r, &used);
	else
		rc = -ERR_BAD_FORMAT;
	if (rc == 0) {
		*ret = r;
		*ret_used = used;
	}
	return rc;
}

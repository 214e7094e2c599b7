/* Names: text and comparison. */
#include "proto/dnsmsg/dnsmsg.h"

#include "base/err/err.h"
#include "base/text/text.h"

void dnsmsg_name_lower(struct dnsmsg_name *n)
{
	/* Lengths are below 64 and so no letters. */
	for (unsigned i = 0; i < n->len; i++)
		n->b[i] = (uint8_t)ascii_lower((char)n->b[i]);
}

bool dnsmsg_name_eq(const struct dnsmsg_name *a, const struct dnsmsg_name *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if (ascii_lower((char)a->b[i]) != ascii_lower((char)b->b[i]))
			return false;
	return true;
}

bool dnsmsg_name_is_below(const struct dnsmsg_name *n, const struct dnsmsg_name *suffix)
{
	unsigned i = 0;

	while (n->len - i > suffix->len && n->b[i])
		i += 1u + n->b[i];
	return suffix->len && n->len - i == suffix->len &&
	       !memcmp(n->b + i, suffix->b, suffix->len);
}

size_t dnsmsg_name_labels(const struct dnsmsg_name *n)
{
	size_t k = 0;

	for (unsigned i = 0; i < n->len && n->b[i]; i += 1u + n->b[i])
		k++;
	return k;
}

bool dnsmsg_name_join(
	const struct dnsmsg_name *a, const struct dnsmsg_name *below, struct dnsmsg_name *ret)
{
	size_t n = a->len ? a->len - 1u : 0;

	if (n + below->len > DNSMSG_NAME_MAX)
		return false;
	memcpy(ret->b, a->b, n);
	memcpy(ret->b + n, below->b, below->len);
	ret->len = (uint8_t)(n + below->len);
	return true;
}

/* A byte of a label; \. \DDD. Negative: none. */
static int take_byte(const char *s, size_t len, size_t *at)
{
	int v = 0;

	if (s[*at] != '\\')
		return (uint8_t)s[(*at)++];
	++*at;
	if (*at < len && (s[*at] < '0' || s[*at] > '9'))
		return (uint8_t)s[(*at)++];
	if (len - *at < 3)
		return -ERR_BAD_FORMAT;
	for (int i = 0; i < 3; i++) {
		char c = s[(*at)++];

		if (c < '0' || c > '9')
			return -ERR_BAD_FORMAT;
		v = v * 10 + c - '0';
	}
	return v > 255 ? -ERR_BAD_FORMAT : v;
}

static int take_text_label(const char *s, size_t len, size_t *at, struct dnsmsg_name *n)
{
	size_t start = n->len++, k = 0;

	while (*at < len && s[*at] != '.') {
		int c = take_byte(s, len, at);

		if (c < 0)
			return c;
		if (++k > DNSMSG_LABEL_MAX || n->len >= DNSMSG_NAME_MAX - 1)
			return -ERR_BAD_FORMAT;
		n->b[n->len++] = (uint8_t)c;
	}
	if (!k)
		return -ERR_BAD_FORMAT;
	n->b[start] = (uint8_t)k;
	if (*at < len)
		++*at; /* the dot */
	return 0;
}

int dnsmsg_name_parse(const char *s, size_t len, struct dnsmsg_name *ret)
{
	size_t at = 0;

	ret->len = 0;
	if (len == 1 && s[0] == '.')
		len = 0;
	while (at < len) {
		int rc = ret->len >= DNSMSG_NAME_MAX - 1 ? -ERR_BAD_FORMAT
							 : take_text_label(s, len, &at, ret);

		if (rc < 0)
			return rc;
	}
	ret->b[ret->len++] = 0;
	return 0;
}

static char *put_byte(char *out, uint8_t c)
{
	if (c > ' ' && c < 0x7f && c != '.' && c != '\\' && c != '"') {
		*out++ = (char)c;
		return out;
	}
	*out++ = '\\';
	*out++ = (char)('0' + c / 100);
	*out++ = (char)('0' + c / 10 % 10);
	*out++ = (char)('0' + c % 10);
	return out;
}

char *dnsmsg_name_format(const struct dnsmsg_name *n, char *out)
{
	char *p = out;

	for (unsigned i = 0; i < n->len && n->b[i]; i += 1u + n->b[i]) {
		for (unsigned k = 1; k <= n->b[i]; k++)
			p = put_byte(p, n->b[i + k]);
		*p++ = '.';
	}
	if (p == out)
		*p++ = '.';
	*p = 0;
	return out;
}

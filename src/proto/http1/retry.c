/* Retry-After (RFC 9110, 10.2.3): seconds, or a date in one of the three forms of HTTP (5.6.7). */
#include "proto/http1/http1.h"
#include "base/err/err.h"
#include "base/text/text.h"

#include <stdio.h>

enum { DATE_MAX = 40 };

static int month_of(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *at = strlen(name) == 3 ? strstr(names, name) : NULL;

	return at && (at - names) % 3 == 0 ? (int)(at - names) / 3 + 1 : 0;
}

static int date_parse(const char *s, unix_ms *ret)
{
	char month[4] = "", text[TIME_RFC3339_MAX];
	int day, year, h, m, sec, end = -1, n;

	/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" */
	sscanf(s, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month, &year, &h, &m,
		&sec, &end);
	if (end < 0) {
		sscanf(s, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, month, &year,
			&h, &m, &sec, &end);
		if (end >= 0)
			year += year < 69 ? 2000 : 1900; /* as POSIX has it, and Go */
	}
	if (end < 0)
		sscanf(s, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &day, &h, &m, &sec,
			&year, &end);
	if (end < 0 || s[end] || !month_of(month) || day < 1 || h < 0 || m < 0 || sec < 0 ||
		year < 1)
		return -ERR_BAD_FORMAT;
	n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month_of(month),
		day, h, m, sec);
	return n > 0 && (size_t)n < sizeof(text) ? time_parse_rfc3339(text, (size_t)n, ret)
						 : -ERR_BAD_FORMAT;
}

int http1_retry_after(struct view v, unix_ms now, unix_ms *ret)
{
	char text[DATE_MAX];
	uint64_t seconds;
	unix_ms at;

	if (text_u64((const char *)v.p, v.len, INT64_MAX / 1000, &seconds) == 0) {
		*ret = (unix_ms)seconds * 1000;
		return 0;
	}
	if (v.len >= sizeof(text) || v.len == 0)
		return -ERR_BAD_FORMAT;
	memcpy(text, v.p, v.len);
	text[v.len] = 0;
	if (date_parse(text, &at) < 0)
		return -ERR_BAD_FORMAT;
	*ret = at - now;
	return 0;
}

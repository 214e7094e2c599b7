#include "base/time/time.h"
#include "base/err/err.h"

#include <string.h>

/* Civil date from days since 1970 and back, proleptic Gregorian (H. Hinnant's algorithm). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	const int64_t era = (y >= 0 ? y : y - 399) / 400;
	const unsigned yoe = (unsigned)(y - era * 400);
	const unsigned doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
	z += 719468;
	const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	const unsigned doe = (unsigned)(z - era * 146097);
	const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	const unsigned mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

void time_format_rfc3339(unix_ms t, char *out)
{
	int64_t days = t / 86400000, y;
	int64_t ms = t % 86400000;
	unsigned m, d;
	int n;

	if (ms < 0) {
		ms += 86400000;
		days--;
	}
	civil_from_days(days, &y, &m, &d);
	n = snprintf(out, TIME_RFC3339_MAX, "%04d-%02u-%02uT%02d:%02d:%02d", (int)(y % 10000), m, d,
		(int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60));
	ms %= 1000;
	if (ms) {
		n += snprintf(out + n, (size_t)(TIME_RFC3339_MAX - n), ".%03d", (int)ms);
		while (out[n - 1] == '0')
			n--;
	}
	memcpy(out + n, "Z", 2);
}

static bool digits(const char **p, const char *end, int n, int *ret)
{
	int v = 0;

	for (; n > 0; n--, (*p)++) {
		if (*p == end || **p < '0' || **p > '9')
			return false;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return true;
}

static bool one(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

static bool fraction(const char **p, const char *end, int *ret_ms)
{
	int scale = 100, ms = 0;

	if (*p == end || **p != '.')
		return true;
	(*p)++;
	if (*p == end || **p < '0' || **p > '9')
		return false;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
		ms += (**p - '0') * scale;
	*ret_ms = ms;
	return true;
}

static bool zone(const char **p, const char *end, int *ret_minutes)
{
	int sign, h, m;

	if (one(p, end, 'Z'))
		return true;
	if (*p == end || (**p != '+' && **p != '-'))
		return false;
	sign = **p == '-' ? -1 : 1;
	(*p)++;
	if (!digits(p, end, 2, &h) || !one(p, end, ':') || !digits(p, end, 2, &m) || h > 23 ||
		m > 59)
		return false;
	*ret_minutes = sign * (h * 60 + m);
	return true;
}

int time_parse_rfc3339(const char *s, size_t len, unix_ms *ret)
{
	const char *p = s, *end = s + len;
	int y, mo, d, h, mi, sec, ms = 0, off = 0;
	unix_ms t;

	if (!digits(&p, end, 4, &y) || !one(&p, end, '-') || !digits(&p, end, 2, &mo) ||
		!one(&p, end, '-') || !digits(&p, end, 2, &d) || !one(&p, end, 'T') ||
		!digits(&p, end, 2, &h) || !one(&p, end, ':') || !digits(&p, end, 2, &mi) ||
		!one(&p, end, ':') || !digits(&p, end, 2, &sec) || !fraction(&p, end, &ms) ||
		!zone(&p, end, &off) || p != end)
		return -ERR_BAD_FORMAT;
	if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || sec > 60)
		return -ERR_BAD_FORMAT;
	t = days_from_civil(y, (unsigned)mo, (unsigned)d) * 86400000 +
	    (h * 3600 + (mi - off) * 60 + sec) * (int64_t)1000 + ms;
	if (t > UNIX_MS_MAX)
		return -ERR_BAD_FORMAT; /* by its offset: nobody could read it again */
	*ret = y <= 1 ? 0 : t;
	return 0;
}

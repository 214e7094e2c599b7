#include "term/duration.h"

#include "base/err/err.h"
#include "base/time/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int64_t ns;
} units[] = { { "ns", 1 }, { "us", USEC(1) }, { "µs", USEC(1) }, { "ms", MSEC(1) }, { "s", SEC(1) },
	{ "m", SEC(60) }, { "h", SEC(3600) }, { "d", SEC(24 * 3600) } };

/* The number and unit at *s. */
static int duration_part(const char **s, double *sum)
{
	size_t digits = strspn(*s, "0123456789."), len;
	char number[32], *end;
	double v;

	if (!digits || digits >= sizeof(number))
		return -ERR_BAD_VALUE;
	memcpy(number, *s, digits);
	number[digits] = 0;
	v = strtod(number, &end);
	if (*end)
		return -ERR_BAD_VALUE;
	*s += digits;
	len = strcspn(*s, "0123456789.");
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strlen(units[i].name) != len || memcmp(*s, units[i].name, len) != 0)
			continue;
		*sum += v * (double)units[i].ns;
		*s += len;
		return 0;
	}
	return -ERR_BAD_VALUE;
}

int duration_parse(const char *s, int64_t *ret_ns)
{
	bool minus = *s == '-';
	double sum = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (!*s)
		return -ERR_BAD_VALUE;
	while (*s)
		if (duration_part(&s, &sum) < 0)
			return -ERR_BAD_VALUE;
	if (sum > 9e18)
		return -ERR_BAD_VALUE;
	*ret_ns = (int64_t)(minus ? -sum : sum);
	return 0;
}

/* A number with its fraction, trailing zeros cut. */
static int put_fraction(char *out, int64_t v, int64_t unit, const char *name)
{
	int n = snprintf(out, 32, "%lld.%09lld", (long long)(v / unit),
		(long long)(v % unit * (1000000000 / unit)));

	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	return n + snprintf(out + n, (size_t)(32 - n), "%s", name);
}

int duration_parse_life(const char *s, int64_t *ret_ms)
{
	int64_t ns;

	*ret_ms = 0;
	if (strcmp(s, "0") == 0 || strcmp(s, "never") == 0)
		return 0;
	if (duration_parse(s, &ns) < 0 || ns < MSEC(1))
		return -ERR_BAD_VALUE;
	*ret_ms = ns / MSEC(1);
	return 0;
}

char *duration_format(int64_t ns, char out[static DURATION_TEXT_MAX])
{
	int n = 0;

	if (ns == 0) {
		memcpy(out, "0s", 3);
	} else if (ns < USEC(1)) {
		snprintf(out, 32, "%lldns", (long long)ns);
	} else if (ns < MSEC(1)) {
		put_fraction(out, ns, USEC(1), "µs");
	} else if (ns < SEC(1)) {
		put_fraction(out, ns, MSEC(1), "ms");
	} else {
		if (ns >= SEC(3600))
			n += snprintf(out, 32, "%lldh", (long long)(ns / SEC(3600)));
		if (ns >= SEC(60))
			n += snprintf(out + n, (size_t)(32 - n), "%lldm",
				(long long)(ns % SEC(3600) / SEC(60)));
		put_fraction(out + n, ns % SEC(60), SEC(1), "s");
	}
	return out;
}

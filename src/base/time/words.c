/* Times as people write them. */
#include "base/time/time.h"

#include <stdio.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const struct unit {
	int64_t seconds;
	const char *letter, *name;
} units[] = { { DAY, "d", "day" }, { HOUR, "h", "hour" }, { MINUTE, "m", "minute" },
	{ 1, "s", "second" } };

static const struct unit *unit_of(int64_t seconds)
{
	const struct unit *u = units;

	while (u->seconds > seconds && u->seconds > 1)
		u++;
	return u;
}

/* How far away, in its largest unit; 0 for less than a second. */
static int64_t distance(unix_ms t, unix_ms now, const struct unit **ret)
{
	int64_t seconds = (t < now ? now - t : t - now) / 1000;

	*ret = unit_of(seconds);
	return seconds / (*ret)->seconds;
}

void time_format_short(unix_ms t, unix_ms now, char *out)
{
	const struct unit *u;
	int64_t n = distance(t, now, &u);

	if (!t)
		snprintf(out, TIME_WORDS_MAX, "-");
	else if (!n)
		snprintf(out, TIME_WORDS_MAX, "now");
	else
		snprintf(out, TIME_WORDS_MAX, t < now ? "%lld%s ago" : "in %lld%s", (long long)n,
			u->letter);
}

void time_format_long(unix_ms t, unix_ms now, char *out)
{
	const struct unit *u;
	int64_t n = distance(t, now, &u);

	if (!t)
		snprintf(out, TIME_WORDS_MAX, "never");
	else if (!n)
		snprintf(out, TIME_WORDS_MAX, "just now");
	else
		snprintf(out, TIME_WORDS_MAX, t < now ? "%lld %s%s ago" : "in %lld %s%s",
			(long long)n, u->name, n == 1 ? "" : "s");
}

void time_format_span(int64_t seconds, char *out)
{
	const struct unit *u = unit_of(seconds < 0 ? 0 : seconds);
	int64_t n = seconds < 0 ? 0 : seconds / u->seconds, rest;

	rest = u->seconds > MINUTE ? seconds % u->seconds / u[1].seconds : 0;
	if (u->seconds == MINUTE)
		snprintf(out, TIME_WORDS_MAX, "%lld min", (long long)n);
	else if (!rest)
		snprintf(out, TIME_WORDS_MAX, "%lld %s", (long long)n, u->letter);
	else
		snprintf(out, TIME_WORDS_MAX, "%lld %s %lld %s", (long long)n, u->letter,
			(long long)rest, u->seconds == HOUR ? "min" : u[1].letter);
}

/* core/policy/lang: ssh rules as they are read. */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"

#include <errno.h>

struct raw_ssh {
	struct doc_text action, period;
	struct terms src, dst;
	struct doc_texts users, env, recorder;
	bool enforce;
};

static const struct member ssh_members[] = {
	{ "action", read_text, offsetof(struct raw_ssh, action) },
	{ "src", read_terms, offsetof(struct raw_ssh, src) },
	{ "dst", read_terms, offsetof(struct raw_ssh, dst) },
	{ "users", read_texts, offsetof(struct raw_ssh, users) },
	{ "checkPeriod", read_text, offsetof(struct raw_ssh, period) },
	{ "acceptEnv", read_texts, offsetof(struct raw_ssh, env) },
	{ "recorder", read_texts, offsetof(struct raw_ssh, recorder) },
	{ "enforceRecorder", read_bool, offsetof(struct raw_ssh, enforce) },
};

/* Nanoseconds of a unit at s, and its length. */
static double unit_ns(const char *s, size_t *ret_len)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "ns", 1 }, { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "\xce\xbcs", 1e3 },
		{ "ms", 1e6 }, { "h", 3600e9 }, { "m", 60e9 }, { "s", 1e9 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		*ret_len = strlen(units[i].unit);
		if (strncmp(s, units[i].unit, *ret_len) == 0)
			return units[i].ns;
	}
	return 0;
}

/* A decimal at *s, such as 1.5 or .5; negative when there is none. */
static double take_decimal(const char **s)
{
	double v = 0, scale = 1;
	size_t digits = 0;
	bool fraction = false;

	for (; (**s >= '0' && **s <= '9') || (**s == '.' && !fraction); (*s)++) {
		if (**s == '.') {
			fraction = true;
			continue;
		}
		digits++;
		v = v * 10 + (**s - '0');
		if (fraction)
			scale *= 10;
	}
	return digits ? v / scale : -1;
}

/* Go's durations: "12h", "1h30m", "90s", "-1m", "1.5h". Nanoseconds; false when it is none or out
 * of range. */
static bool parse_duration(const char *s, int64_t *ret)
{
	bool neg = *s == '-';
	double sum = 0;

	if (*s == '-' || *s == '+')
		s++;
	*ret = 0;
	if (strcmp(s, "0") == 0)
		return true;
	if (!*s)
		return false;
	while (*s) {
		double v = take_decimal(&s), unit;
		size_t len;

		unit = unit_ns(s, &len);
		if (v < 0 || unit <= 0)
			return false;
		s += len;
		sum += v * unit;
		if (sum > 9.2e18)
			return false;
	}
	*ret = neg ? -(int64_t)sum : (int64_t)sum;
	return true;
}

/* As Go prints them: "168h0m1s", "1m0s", "30s". */
static void format_duration(int64_t ns, char out[static 48])
{
	uint64_t s = (uint64_t)(ns < 0 ? -ns : ns) / 1000000000u;
	const char *sign = ns < 0 ? "-" : "";

	if (s >= 3600)
		snprintf(out, 48, "%s%lluh%llum%llus", sign, (unsigned long long)s / 3600,
			(unsigned long long)s / 60 % 60, (unsigned long long)s % 60);
	else if (s >= 60)
		snprintf(out, 48, "%s%llum%llus", sign, (unsigned long long)s / 60,
			(unsigned long long)s % 60);
	else
		snprintf(out, 48, "%s%llus", sign, (unsigned long long)s);
}

static int read_period(struct reader *r, const struct doc_text *t, int64_t *ret)
{
	char text[48];
	int64_t ns;

	*ret = CHECK_DEFAULT;
	if (!t->s || !*t->s)
		return 0;
	if (strcmp(t->s, "always") == 0) {
		*ret = CHECK_ALWAYS;
		return 0;
	}
	if (!parse_duration(t->s, &ns))
		return fault_at(r, t->at,
			"time: invalid duration \"%.40s\": write 12h, 30m, 90s or always", t->s);
	format_duration(ns, text);
	if (ns < 0)
		return fault_at(r, t->at, "checkPeriod %s must be a positive duration", text);
	if (ns > (int64_t)CHECK_MAX * 1000000000)
		return fault_at(r, t->at, "checkPeriod %s is above the max (168h)", text);
	*ret = (ns + 999999999) / 1000000000;
	return 0;
}

static int read_user(struct reader *r, const struct doc_text *t, struct ssh_user *ret)
{
	static const char localpart[] = "localpart:*@";
	struct term trimmed;
	int rc = term_try(r->a, t->s, strlen(t->s), t->at, &trimmed);

	if (rc == -ENOMEM)
		return fault_no_memory(r);
	ret->name = trimmed.full;
	ret->at = t->at;
	if (!*ret->name || strcmp(ret->name, "*") == 0)
		return fault_at(r, t->at,
			"user \"%s\" is not valid; name a local user, autogroup:nonroot or localpart:*@domain",
			ret->name);
	if (strncmp(ret->name, localpart, strlen(localpart)) == 0 && ret->name[strlen(localpart)])
		ret->domain = ret->name + strlen(localpart);
	return 0;
}

static int read_users(
	struct reader *r, const struct raw_ssh *raw, struct place at, struct ssh_rule *ret)
{
	int rc = 0;

	if (raw->users.n == 0)
		return fault_at(r, at,
			"users must be specified; \"users\": [\"autogroup:nonroot\"] is a good start");
	ret->users = arena_array(r->a, raw->users.n, sizeof(*ret->users));
	if (!ret->users)
		return fault_no_memory(r);
	for (size_t i = 0; i < raw->users.n && rc == 0; i++)
		rc = read_user(r, &raw->users.v[i], &ret->users[ret->n_users++]);
	return rc;
}

static int read_action(
	struct reader *r, const struct raw_ssh *raw, struct place at, bool *ret_check)
{
	struct term t;

	if (!raw->action.s || !*raw->action.s)
		return fault_at(r, raw->action.s ? raw->action.at : at,
			"action must be specified; it is \"accept\" or \"check\"");
	if (term_try(r->a, raw->action.s, strlen(raw->action.s), at, &t) == -ENOMEM)
		return fault_no_memory(r);
	*ret_check = strcmp(t.full, "check") == 0;
	if (!*t.full)
		return fault_at(r, raw->action.at,
			"action must be specified; it is \"accept\" or \"check\"");
	if (!*ret_check && strcmp(t.full, "accept") != 0)
		return fault_at(r, raw->action.at,
			"\"%.40s\" is not a valid action; it is \"accept\" or \"check\"", t.full);
	return 0;
}

int doc_read_ssh_rule(struct reader *r, const struct hujson *v, void *dst)
{
	struct ssh_rule *s = dst;
	struct raw_ssh raw = { 0 };
	int rc = read_members(r, v, ssh_members, ARRAY_LEN(ssh_members), &raw, "an ssh rule");

	s->at = place_of(v);
	if (rc == 0)
		rc = read_action(r, &raw, s->at, &s->check);
	if (rc == 0)
		rc = read_users(r, &raw, s->at, s);
	if (rc == 0)
		rc = read_period(r, &raw.period, &s->period);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < raw.env.n; i++)
		if (!*raw.env.v[i].s)
			return fault_at(r, raw.env.v[i].at, "acceptEnv values cannot be empty");
	s->src = raw.src;
	s->dst = raw.dst;
	s->accept_env = raw.env;
	s->recorder = raw.recorder;
	s->enforce_recorder = raw.enforce;
	return 0;
}

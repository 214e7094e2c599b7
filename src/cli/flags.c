#include "cli/flags.h"

#include "base/err/err.h"
#include "base/time/time.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static struct flag *find(struct flag *table, const char *name, size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
			return table;
	return NULL;
}

struct flag *flag_find(struct flag *table, const char *name)
{
	struct flag *f = find(table, name, strlen(name));

	CHECK(f);
	return f;
}

static const struct flag *get(const struct flag *table, const char *name)
{
	return flag_find((struct flag *)table, name);
}

bool flag_on(const struct flag *table, const char *name)
{
	return get(table, name)->on;
}

bool flag_is_set(const struct flag *table, const char *name)
{
	return get(table, name)->is_set;
}

const char *flag_text(const struct flag *table, const char *name)
{
	return get(table, name)->text;
}

int64_t flag_n(const struct flag *table, const char *name)
{
	return get(table, name)->n;
}

bool flags_any_set(const struct flag *table)
{
	for (; table->name; table++)
		if (table->is_set)
			return true;
	return false;
}

static bool parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*ret = strcmp(s, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static const struct {
	const char *name;
	int64_t ns;
} units[] = { { "ns", 1 }, { "us", USEC(1) }, { "µs", USEC(1) }, { "ms", MSEC(1) }, { "s", SEC(1) },
	{ "m", SEC(60) }, { "h", SEC(3600) } };

/* The number and unit at *s. */
static int duration_part(const char **s, double *sum)
{
	size_t digits = strspn(*s, "0123456789."), len;
	char number[32], *end;
	double v;

	if (!digits || digits >= sizeof(number))
		return -ERR_BAD_FORMAT;
	memcpy(number, *s, digits);
	number[digits] = 0;
	v = strtod(number, &end);
	if (*end)
		return -ERR_BAD_FORMAT;
	*s += digits;
	len = strcspn(*s, "0123456789.");
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strlen(units[i].name) != len || memcmp(*s, units[i].name, len) != 0)
			continue;
		*sum += v * (double)units[i].ns;
		*s += len;
		return 0;
	}
	return -ERR_BAD_FORMAT;
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
		return -ERR_BAD_FORMAT;
	while (*s)
		if (duration_part(&s, &sum) < 0)
			return -ERR_BAD_FORMAT;
	if (sum > 9e18)
		return -ERR_BAD_FORMAT;
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

char *duration_format(int64_t ns, char *out)
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

static const char *parse_int(const char *s, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(s, &end, 0);
	if (!*s || *end)
		return "parse error";
	return errno == ERANGE ? "value out of range" : NULL;
}

/* NULL, or what is wrong. */
static const char *set(struct flag *f, const char *value)
{
	f->text = value;
	switch (f->kind) {
	case FLAG_BOOL:
		return parse_bool(value, &f->on) ? NULL : "parse error";
	case FLAG_INT:
		return parse_int(value, &f->n);
	case FLAG_DURATION:
		return duration_parse(value, &f->n) == 0 ? NULL : "parse error";
	case FLAG_TEXT:
		break;
	}
	return NULL;
}

static void set_defaults(struct flag *table)
{
	for (struct flag *f = table; f->name; f++) {
		f->is_set = f->on = false;
		f->n = 0;
		CHECK(!set(f, f->def                 ? f->def
			      : f->kind == FLAG_TEXT ? ""
			      : f->kind == FLAG_BOOL ? "false"
						     : "0"));
	}
}

/* One flag at argv[0]; how many words it took. */
static int take_flag(
	struct flag *table, int argc, char **argv, int *ret_used, char *err, size_t err_size)
{
	const char *name = argv[0] + 1, *eq, *value, *wrong;
	struct flag *f;
	size_t len;

	if (*name == '-')
		name++;
	if (!*name || *name == '-' || *name == '=') {
		snprintf(err, err_size, "bad flag syntax: %s", argv[0]);
		return -ERR_BAD_VALUE;
	}
	eq = strchr(name, '=');
	len = eq ? (size_t)(eq - name) : strlen(name);
	f = find(table, name, len);
	if (!f) {
		if ((len == 4 && memcmp(name, "help", 4) == 0) || (len == 1 && *name == 'h'))
			return FLAGS_HELP;
		snprintf(err, err_size, "flag provided but not defined: -%.*s", (int)len, name);
		return -ERR_BAD_VALUE;
	}
	value = eq ? eq + 1 : f->kind == FLAG_BOOL ? "true" : argc > 1 ? argv[1] : NULL;
	*ret_used = !eq && f->kind != FLAG_BOOL ? 2 : 1;
	if (!value) {
		snprintf(err, err_size, "flag needs an argument: -%s", f->name);
		return -ERR_BAD_VALUE;
	}
	wrong = f->is_set ? "flag provided multiple times" : set(f, value);
	f->is_set = true;
	if (!wrong)
		return 0;
	if (f->kind == FLAG_BOOL && !eq)
		snprintf(err, err_size, "invalid boolean flag %s: %s", f->name, wrong);
	else
		snprintf(err, err_size, "invalid %svalue \"%s\" for %s-%s: %s",
			f->kind == FLAG_BOOL ? "boolean " : "", value,
			f->kind == FLAG_BOOL ? "" : "flag ", f->name, wrong);
	return -ERR_BAD_VALUE;
}

int flags_parse(
	struct flag *table, int argc, char **argv, int *ret_used, char *err, size_t err_size)
{
	int i = 0;

	set_defaults(table);
	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		int used = 1, rc;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		rc = take_flag(table, argc - i, argv + i, &used, err, err_size);
		if (rc != 0)
			return rc;
		i += used;
	}
	*ret_used = i;
	return 0;
}

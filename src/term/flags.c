#include "term/flags.h"

#include "base/err/err.h"
#include "base/text/near.h"
#include "term/duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct flag *flags_find(struct flag *table, const char *name, size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
			return table;
	return NULL;
}

static const struct flag *get(const struct flag *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			break;
	CHECK(table->name);
	return table;
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

int flags_parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*ret = strcmp(s, yes[i]) == 0;
			return 0;
		}
	}
	return -ERR_BAD_VALUE;
}

static const char *parse_int(const struct flag *f, const char *s, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(s, &end, 0);
	if (!*s || *end || ((f->min || f->max) && (*ret < f->min || *ret > f->max)))
		return "parse error";
	return errno == ERANGE ? "value out of range" : NULL;
}

/* NULL, or what is wrong. */
static const char *set(struct flag *f, const char *value)
{
	f->text = value;
	switch (f->kind) {
	case FLAG_BOOL:
		if (flags_parse_bool(value, &f->on) == 0)
			return NULL;
		f->on = f->or_list && strpbrk(value, "/:,");
		return f->on ? NULL : "parse error";
	case FLAG_INT:
		return parse_int(f, value, &f->n);
	case FLAG_DURATION:
		return duration_parse(value, &f->n) == 0 ? NULL : "parse error";
	case FLAG_TEXT:
	case FLAG_LIST:
		break;
	}
	return NULL;
}

static void set_defaults(struct flag *table)
{
	for (struct flag *f = table; f->name; f++) {
		f->is_set = f->on = false;
		f->n = 0;
		if (f->def)
			CHECK(!set(f, f->def));
		else
			f->text = "";
	}
}

static int refuse(struct flags_error *err, enum flags_fault fault)
{
	err->fault = fault;
	return fault == FLAGS_NO_MEMORY ? -ENOMEM : -ERR_BAD_VALUE;
}

static int refuse_value(struct flags_error *err, enum flags_fault fault, const char *why)
{
	err->why = why;
	return refuse(err, fault);
}

static int refuse_unknown(const struct flag *table, struct flags_error *err)
{
	int best = NEAR_FAR;

	for (; table->name; table++) {
		int k = table->hidden ? NEAR_FAR
				      : near_distance(err->name, err->name_len, table->name);

		if (k >= best)
			continue;
		best = k;
		err->meant = table->name;
	}
	return refuse(err, FLAGS_UNKNOWN);
}

static int give(struct flag *flag, const char *value, struct flags_error *err)
{
	const char *wrong = set(flag, value);

	if (!wrong && flag->check)
		wrong = flag->check(value);
	flag->is_set = true;
	return wrong ? refuse_value(err, FLAGS_BAD_VALUE, wrong) : 0;
}

int flags_give(struct flag *flag, const char *value, struct flags_error *err)
{
	*err = (struct flags_error){ .given = flag->name,
		.name = flag->name,
		.name_len = strlen(flag->name),
		.flag = flag,
		.value = value };
	return flag->is_set ? 0 : give(flag, value, err);
}

static int give_list(
	const struct flags *f, struct flag *flag, const char *value, struct flags_error *err)
{
	int rc;
	const char *before = flag->text;

	rc = give(flag, value, err); /* each part is checked by itself */
	flag->text = rc == 0 ? arena_printf(f->mem, "%s,%s", before, value) : "";
	return flag->text ? rc : refuse(err, FLAGS_NO_MEMORY);
}

/* One flag at argv[0]; how many words it took. */
static int take_flag(
	const struct flags *f, int argc, char *const argv[], int *ret_used, struct flags_error *err)
{
	const char *name = argv[0] + 1 + (argv[0][1] == '-'), *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	struct flag *flag = flags_find(f->table, name, len);

	*err = (struct flags_error){
		.given = argv[0], .name = name, .name_len = len, .flag = flag
	};
	if (!len || *name == '-')
		return refuse(err, FLAGS_SYNTAX);
	if (!flag && ((len == 4 && memcmp(name, "help", 4) == 0) || (len == 1 && *name == 'h')))
		return FLAGS_HELP;
	if (!flag)
		return refuse_unknown(f->table, err);
	*ret_used = !eq && flag->kind != FLAG_BOOL ? 2 : 1;
	err->value = eq ? eq + 1 : flag->kind == FLAG_BOOL ? "true" : argc > 1 ? argv[1] : NULL;
	if (!err->value)
		return refuse(err, FLAGS_NO_VALUE);
	if (flag->is_set && f->once)
		return refuse_value(err, FLAGS_TWICE, "flag provided multiple times");
	if (flag->is_set && flag->kind == FLAG_LIST)
		return give_list(f, flag, err->value, err);
	return give(flag, err->value, err);
}

static bool is_flag(const char *s)
{
	return s[0] == '-' && s[1];
}

int flags_parse(
	const struct flags *f, int argc, char *const argv[], int *ret_used, struct flags_error *err)
{
	int i = 0, used = 1, rc;

	set_defaults(f->table);
	for (; i < argc && is_flag(argv[i]); i += used) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		rc = take_flag(f, argc - i, argv + i, &used, err);
		if (rc != 0)
			return rc;
	}
	*ret_used = i;
	return 0;
}

int flags_parse_mixed(const struct flags *f, int argc, char *const argv[], const char **ret_words,
	size_t max, size_t *ret_n, struct flags_error *err)
{
	bool ended = false;
	int used, rc;

	*ret_n = 0;
	set_defaults(f->table);
	for (int i = 0; i < argc; i += used) {
		used = 1;
		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
		} else if (!ended && is_flag(argv[i])) {
			rc = take_flag(f, argc - i, argv + i, &used, err);
			if (rc != 0)
				return rc;
		} else if (*ret_n == max) {
			*err = (struct flags_error){ .given = argv[i] };
			return refuse(err, FLAGS_TOO_MANY_WORDS);
		} else {
			ret_words[(*ret_n)++] = argv[i];
		}
	}
	return 0;
}

void flags_store(const struct flag *table, void *options)
{
	for (; table->name; table++) {
		void *to = (char *)options + table->member;

		if (!table->is_set && !table->def)
			continue;
		switch (table->kind) {
		case FLAG_BOOL:
			*(bool *)to = table->on;
			break;
		case FLAG_TEXT:
		case FLAG_LIST:
			*(const char **)to = table->text;
			break;
		case FLAG_INT:
		case FLAG_DURATION:
			*(int64_t *)to = table->n;
			break;
		}
	}
}

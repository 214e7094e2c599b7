/* What is said of flags: help, and why one could not be read. */
#include "base/err/err.h"
#include "term/flags.h"

#include <errno.h>
#include <stdio.h>

enum { SHOWN_MAX = 150 }; /* of what was typed */

static int name_len(const struct flags_error *e)
{
	return (int)MIN_OF(e->name_len, (size_t)SHOWN_MAX);
}

static void explain_value_go(const struct flags_error *e, char *out, size_t size)
{
	bool is_bool = e->flag->kind == FLAG_BOOL,
	     bare = e->name[e->name_len] != '='; /* "--json" and not "--json=true" */

	if (is_bool && bare)
		snprintf(out, size, "invalid boolean flag %s: %s", e->flag->name, e->why);
	else
		snprintf(out, size, "invalid %svalue \"%.100s\" for %s-%s: %s",
			is_bool ? "boolean " : "", e->value, is_bool ? "" : "flag ", e->flag->name,
			e->why);
}

void flags_explain_go(const struct flags_error *e, char *out, size_t size)
{
	switch (e->fault) {
	case FLAGS_SYNTAX:
		snprintf(out, size, "bad flag syntax: %.*s", SHOWN_MAX, e->given);
		break;
	case FLAGS_UNKNOWN:
		snprintf(out, size, "flag provided but not defined: -%.*s", name_len(e), e->name);
		break;
	case FLAGS_NO_VALUE:
		snprintf(out, size, "flag needs an argument: -%s", e->flag->name);
		break;
	case FLAGS_TWICE:
	case FLAGS_BAD_VALUE:
		explain_value_go(e, out, size);
		break;
	case FLAGS_TOO_MANY_WORDS:
		snprintf(out, size, "too many arguments from \"%.*s\" on", SHOWN_MAX, e->given);
		break;
	case FLAGS_NO_MEMORY:
		snprintf(out, size, "%s", err_text(-ENOMEM));
		break;
	}
}

static void explain_value(const struct flags_error *e, char *out, size_t size)
{
	const char *name = e->flag->name;

	if (e->flag->check)
		snprintf(out, size, "--%s: %s", name, e->why);
	else if (e->flag->kind == FLAG_BOOL)
		snprintf(out, size, "--%s is true or false, not \"%.*s\"", name, SHOWN_MAX,
			e->value);
	else if (e->flag->kind == FLAG_INT && (e->flag->min || e->flag->max))
		snprintf(out, size, "--%s \"%.*s\": write a number from %lld to %lld", name,
			SHOWN_MAX, e->value, (long long)e->flag->min, (long long)e->flag->max);
	else
		snprintf(out, size, "--%s \"%.*s\": %s", name, SHOWN_MAX, e->value, e->why);
}

void flags_explain(const struct flags_error *e, const char *program, char *out, size_t size)
{
	switch (e->fault) {
	case FLAGS_SYNTAX:
	case FLAGS_UNKNOWN:
		if (e->fault == FLAGS_UNKNOWN && e->meant)
			snprintf(out, size, "unknown option %.*s; did you mean --%s?", SHOWN_MAX,
				e->given, e->meant);
		else
			snprintf(out, size, "unknown option %.*s; %s --help lists all", SHOWN_MAX,
				e->given, program);
		break;
	case FLAGS_NO_VALUE:
		snprintf(out, size, "--%s needs a value", e->flag->name);
		break;
	case FLAGS_TWICE:
		snprintf(out, size, "--%s was given twice; give it once", e->flag->name);
		break;
	case FLAGS_BAD_VALUE:
		explain_value(e, out, size);
		break;
	case FLAGS_TOO_MANY_WORDS:
		snprintf(out, size,
			"too many words, from \"%.*s\" on; %s --help lists the commands", SHOWN_MAX,
			e->given, program);
		break;
	case FLAGS_NO_MEMORY:
		snprintf(out, size, "%s", err_text(-ENOMEM));
		break;
	}
}

void flags_print_one(const struct flag *f, const char *help, int column, FILE *out)
{
	bool takes = f->kind != FLAG_BOOL;
	int n = fprintf(out, "  --%s%s%s", f->name, takes ? " " : "",
		takes ? f->arg ? f->arg : "VALUE" : "");

	fprintf(out, "%*s", MAX_OF(column - n, 2),
		""); /* two blanks part what it is from what it does */
	for (; *help; help++) {
		fputc(*help, out);
		if (*help == '\n')
			fprintf(out, "%*s", column, "");
	}
	fputc('\n', out);
}

void flags_print_help(const struct flag *table, unsigned of, int column, FILE *out)
{
	for (; table->name; table++)
		if (!table->hidden && (!of || table->of & of))
			flags_print_one(table, table->help, column, out);
}

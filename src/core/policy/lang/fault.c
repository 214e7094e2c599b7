/* core/policy/lang: faults of a document, each with its place in the text. */
#include "core/policy/lang/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void fault_va(struct reader *r, struct place at, const char *fmt, va_list ap)
{
	char text[sizeof(((struct err_at *)0)->text)];

	vsnprintf(text, sizeof(text), fmt, ap);
	err_at_set(r->at, at.line, at.column, "%s", text);
}

int fault_at(struct reader *r, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_va(r, at, fmt, ap);
	va_end(ap);
	return -ERR_BAD_VALUE;
}

int fault_on(struct reader *r, const struct hujson *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_va(r, place_of(v), fmt, ap);
	va_end(ap);
	return -ERR_BAD_VALUE;
}

int fault_no_memory(struct reader *r)
{
	err_at_set(r->at, 0, 0, "the policy needs more memory than it may have");
	return -ENOMEM;
}

struct place place_of(const struct hujson *v)
{
	return (struct place){ v->line, v->column };
}

struct place place_of_name(const struct hujson *v)
{
	return (struct place){ v->name_line, v->name_column };
}

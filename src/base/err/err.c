#include "base/err/err.h"

#include <stdarg.h>
#include <string.h>

static const char *const err_texts[] = {
#define X(id, text) [ERR_##id - ERR_FIRST] = text,
	ERR_LIST(X)
#undef X
};

const char *err_text(int rc)
{
	if (rc == 0)
		return "success";
	if (rc > 0)
		return "unexpected outcome";
	rc = -rc;
	if (rc > ERR_FIRST && (size_t)(rc - ERR_FIRST) < ARRAY_LEN(err_texts))
		return err_texts[rc - ERR_FIRST];
	if (rc > ERR_HTTP && rc < ERR_HTTP + 1000)
		return "an HTTP status that was not wanted";
	return strerror(rc);
}

void err_at_set(struct err_at *at, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	if (!at)
		return;
	at->line = line;
	at->column = column;
	va_start(ap, fmt);
	vsnprintf(at->text, sizeof(at->text), fmt, ap);
	va_end(ap);
}

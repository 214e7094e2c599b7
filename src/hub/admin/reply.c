/* Answers of the administration: a document, or what a person reads when it fails. */
#include "hub/admin/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const char admin_headers[] = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";

int admin_reply(struct admin_call *c, const struct json_type *t, const void *doc)
{
	struct buf b;
	int rc;

	buf_init(&b, ADMIN_ANSWER_MAX);
	rc = json_encode(t, doc, &b);
	if (rc == 0)
		rc = http_reply_send(
			c->q->reply, 200, "application/json", admin_headers, buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int status_of(int rc)
{
	switch (-rc) {
	case ENOENT:
		return 404;
	case EEXIST:
	case ERR_CONFLICT:
	case ERR_CHANGED:
	case ERR_EXPIRED:
		return 409;
	case ERR_BAD_VALUE:
	case ERR_BAD_FORMAT:
	case ERR_TRUNCATED:
	case ERR_TRAILING:
	case ERR_TOO_BIG:
	case ERR_TOO_DEEP:
	case ERR_TOO_MANY:
		return 400;
	case ERR_DENIED:
		return 403;
	case ERR_NO_ADDRESS:
		return 409;
	default:
		return 500;
	}
}

/* rc decides the status; c->error, if set, is what the person reads. */
int admin_reply_error(struct admin_call *c, int rc)
{
	struct admin_error e = { .error = c->error[0] ? c->error : err_text(rc),
		.line = c->at.line,
		.column = c->at.column,
		.failures = c->failures };
	struct buf b;

	buf_init(&b, 256 * 1024);
	if (json_encode(&admin_error_type, &e, &b) < 0)
		buf_clear(&b);
	rc = http_reply_send(
		c->q->reply, status_of(rc), "application/json", admin_headers, buf_view(&b));
	buf_fini(&b);
	return rc;
}

int admin_say(struct admin_call *c, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return rc;
}

int admin_ok(struct admin_call *c)
{
	return http_reply_send(c->q->reply, 200, "application/json", admin_headers, VIEW_LIT("{}"));
}

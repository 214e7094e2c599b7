/* Answers in the forms that clients of the original know. */
#include "localapi/server/request.h"

#include <stdarg.h>

int lapi_send_body(struct http_reply *r, const char *content_type, struct view body)
{
	return http_reply_send(r, 200, content_type, "", body);
}

int lapi_send_empty(struct http_reply *r, int status)
{
	return http_reply_send(r, status, NULL, "", view_of("", 0));
}

int lapi_send_text(struct http_reply *r, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = MAX_OF(0, MIN_OF(n, (int)sizeof(text) - 2));
	text[n++] = '\n';
	return http_reply_send(
		r, status, "text/plain; charset=utf-8", "", view_of(text, (size_t)n));
}

int lapi_send_fault(struct http_reply *r, int rc)
{
	return lapi_send_text(r, 500, "%s", err_text(rc));
}

int lapi_send_json_error(struct http_reply *r, int status, const char *key, const char *text)
{
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	rc = buf_printf(&b, "{\"%s\":", key);
	if (rc == 0)
		rc = json_encode_str(&b, text, strlen(text));
	if (rc == 0)
		rc = buf_append_str(&b, "}\n");
	if (rc == 0)
		rc = http_reply_send(r, status, "application/json", "", buf_view(&b));
	buf_fini(&b);
	return rc;
}

int lapi_send_json(struct http_reply *r, int status, const struct json_type *t, const void *value,
	enum lapi_layout layout)
{
	struct buf compact, tabs;
	int rc;

	buf_init(&compact, LAPI_ANSWER_MAX);
	buf_init(&tabs, LAPI_ANSWER_MAX);
	rc = json_encode(t, value, &compact);
	if (rc == 0 && (layout == JSON_TABS || layout == JSON_TABS_BARE)) {
		rc = json_indent(buf_view(&compact), "", "\t", &tabs);
		buf_clear(&compact);
	}
	if (rc == 0 && (layout == JSON_TABS || layout == JSON_LINE))
		rc = buf_append(layout == JSON_TABS ? &tabs : &compact, "\n", 1);
	if (rc == 0)
		rc = http_reply_send(r, status, "application/json", "",
			buf_len(&tabs) ? buf_view(&tabs) : buf_view(&compact));
	buf_fini(&tabs);
	buf_fini(&compact);
	return rc;
}

int lapi_want_post(struct http_request *q)
{
	return lapi_send_text(q->reply, 400, "want POST");
}

int lapi_want_get(struct http_request *q)
{
	return lapi_send_text(q->reply, 400, "want GET");
}

int lapi_only_post(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "only POST allowed");
}

int lapi_post_required(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "POST required");
}

int lapi_unsupported_method(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "unsupported method");
}

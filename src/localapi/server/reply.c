/* Answers: from a status and a body to bytes in the connection's output. */
#include "base/text/text.h"
#include "localapi/server/internal.h"

#include <errno.h>
#include <stdarg.h>

enum { SAVE_TIMEOUT_S = 5 }; /* for the disk; who has waited so long is answered anyway */

void lconn_finish(struct lconn *c)
{
	c->state = CONN_CLOSING;
	stream_finish(c->stream);
}

void lconn_abort(struct lconn *c)
{
	c->state = CONN_CLOSING;
	stream_close(c->stream);
}

/*
 * A change of preferences or profiles is answered when it is kept. Nothing more is read of this connection until then: `out` is
 * not empty. POST starts something, as a login, whose end is told over the bus: that is not kept waiting.
 */
static bool waits_for_disk(const struct lconn *c)
{
	const struct lapi_cfg *cfg = &c->lapi->cfg;

	return c->have_head &&
	       (http1_method_is(&c->head, "PATCH") || http1_method_is(&c->head, "PUT") ||
		       http1_method_is(&c->head, "DELETE")) &&
	       cfg->ops->unsaved && cfg->ops->unsaved(cfg->backend);
}

static void let_go(struct lconn *c)
{
	c->held = false;
	if (c->state == CONN_CLOSING)
		stream_finish(c->stream);
	stream_wake(c->stream);
}

void lapi_saved(struct lapi *a)
{
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);

		if (c->held)
			let_go(c);
	}
	a->n_held = 0;
	loop_timer_set(a->save_timer, MONO_NEVER);
}

void lconn_respond(
	struct lconn *c, int status, const char *content_type, const char *extra, struct view body)
{
	bool head_only = c->have_head && http1_method_is(&c->head, "HEAD");
	bool keep = c->have_head && c->body_whole && c->head.keep_alive;

	if (http1_respond(&c->out, status, content_type, extra, body, head_only, keep) < 0) {
		lconn_abort(c);
		return;
	}
	c->answered = true;
	c->state = keep ? CONN_READING : CONN_CLOSING;
	c->held = waits_for_disk(c);
	if (!c->held)
		let_go(c);
	else if (!c->lapi->n_held++)
		loop_timer_set(
			c->lapi->save_timer, loop_now(c->lapi->loop).mono + SEC(SAVE_TIMEOUT_S));
}

void lreq_body(
	struct lreq *r, int status, const char *content_type, const char *extra, struct view body)
{
	char *lines = arena_printf(r->arena, "%s%s", r->lapi->header_lines, extra);

	lconn_respond(r->conn, status, content_type, lines ? lines : r->lapi->header_lines, body);
}

void lreq_empty(struct lreq *r, int status)
{
	lreq_body(r, status, NULL, "", view_of("", 0));
}

void lreq_text(struct lreq *r, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = MAX_OF(0, MIN_OF(n, (int)sizeof(text) - 2));
	text[n++] = '\n';
	lreq_body(r, status, "text/plain; charset=utf-8", "", view_of(text, (size_t)n));
}

void lreq_fault(struct lreq *r, int rc)
{
	lreq_text(r, 500, "%s", err_text(rc));
}

void lreq_json_error(struct lreq *r, int status, const char *key, const char *text)
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
		lreq_body(r, status, "application/json", "", buf_view(&b));
	else
		lreq_fault(r, rc);
	buf_fini(&b);
}

void lreq_json(struct lreq *r, int status, const struct json_type *t, const void *value,
	enum llayout layout)
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
		lreq_body(r, status, "application/json", "",
			buf_len(&tabs) ? buf_view(&tabs) : buf_view(&compact));
	else
		lreq_fault(r, rc);
	buf_fini(&tabs);
	buf_fini(&compact);
}

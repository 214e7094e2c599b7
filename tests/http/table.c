#include "tests/http/table.h"

#include <errno.h>
#include <stdio.h>

struct http_reply *table_late;
int table_gone;
char table_got[256];
bool table_sink_is_full;
uint64_t table_ticket;

static struct http_reply *streaming, *reading;
static size_t stream_left;
static bool stream_waits;

static int on_hello(struct http_request *q)
{
	return http_reply_send(q->reply, 200, "text/plain", "", VIEW_LIT("hello\n"));
}

static int on_change(struct http_request *q)
{
	return http_reply_send(q->reply, 200, "text/plain", "", VIEW_LIT("changed\n"));
}

static int on_static(struct http_request *q)
{
	return http_reply_send_static(q->reply, "text/plain", "", VIEW_LIT("lies still\n"));
}

static int on_fault(struct http_request *q)
{
	return -ENOMEM;
}

static int on_forgets(struct http_request *q)
{
	return 0;
}

/* Later */

static void on_gone(void *ctx)
{
	table_gone++;
	table_late = NULL;
}

static int on_later(struct http_request *q)
{
	if (table_late)
		return http_reply_refuse_text(q->reply, 503, "one waits\n");
	table_late = q->reply;
	http_reply_later(q->reply, on_gone, NULL);
	return 0;
}

static int on_later_at_once(struct http_request *q)
{
	http_reply_later(q->reply, on_gone, NULL);
	return http_reply_send(q->reply, 200, "text/plain", "", VIEW_LIT("at once\n"));
}

void table_answer(const char *text)
{
	struct http_reply *r = table_late;

	table_late = NULL;
	if (r && http_reply_send(r, 200, "text/plain", "", view_of(text, strlen(text))) < 0)
		table_gone++;
}

/* Streams of 20,000 bytes; one waits behind the first 100. */

enum { STREAM_LEN = 20000 };

static int fill(void *ctx, struct buf *out, size_t room)
{
	size_t n = MIN_OF(room, stream_left);
	uint8_t *p;

	if (stream_waits && stream_left <= STREAM_LEN - 100)
		return 0;
	if (stream_waits)
		n = MIN_OF(n, (size_t)100);
	if (buf_reserve(out, n, &p) < 0)
		return -ENOMEM;
	memset(p, 'x', n);
	buf_commit(out, n);
	stream_left -= n;
	return stream_left ? 0 : HTTP_SOURCE_END;
}

static void over(void *ctx, int rc)
{
	streaming = NULL;
	table_gone += rc < 0;
}

static int begin_stream(struct http_request *q, int64_t length, bool waits)
{
	static const struct http_source source = { fill, over };

	if (streaming)
		return http_reply_refuse_text(q->reply, 503, "one streams\n");
	stream_left = STREAM_LEN;
	stream_waits = waits;
	streaming = q->reply;
	return http_reply_stream(q->reply, 200, "text/plain", "", length, &source, NULL);
}

static int on_stream(struct http_request *q)
{
	return begin_stream(q, STREAM_LEN, false);
}

static int on_chunks(struct http_request *q)
{
	return begin_stream(q, HTTP_LENGTH_UNKNOWN, false);
}

static int on_slow_stream(struct http_request *q)
{
	return begin_stream(q, HTTP_LENGTH_UNKNOWN, true);
}

void table_finish_stream(void)
{
	stream_waits = false;
	if (streaming)
		http_reply_wake(streaming);
	if (reading && !table_sink_is_full)
		http_reply_wake(reading);
}

/* Bodies */

static int on_data(void *ctx, struct view piece)
{
	size_t n = strlen(table_got);

	if (piece.len && piece.p[0] == '!') {
		int rc = http_reply_refuse_text(ctx, 507, "no room\n");

		return rc < 0 ? rc : -ENOSPC;
	}
	snprintf(table_got + n, sizeof(table_got) - n, "[%.*s]", (int)MIN_OF(piece.len, (size_t)40),
		(const char *)piece.p);
	return 0;
}

static bool is_full(void *ctx)
{
	return table_sink_is_full;
}

static int on_over(void *ctx, int rc)
{
	size_t n = strlen(table_got);

	reading = NULL;
	snprintf(table_got + n, sizeof(table_got) - n, " %s", rc == 0 ? "whole" : "broken");
	return rc < 0 ? 0 : http_reply_send(ctx, 201, "text/plain", "", VIEW_LIT("kept\n"));
}

static int on_upload(struct http_request *q)
{
	static const struct http_sink sink = { on_data, is_full, on_over };

	if (reading)
		return http_reply_refuse_text(q->reply, 503, "one is read\n");
	table_got[0] = 0;
	reading = q->reply;
	http_request_read(q, &sink, q->reply);
	return 0;
}

/* The table */

static const char *closed(void *ctx)
{
	return NULL;
}

static uint64_t ticket(void *ctx)
{
	return table_ticket;
}

static const struct http_instead instead = { 503, "text/plain", "",
	{ (const uint8_t *)"not kept\n", 9 } };
static const struct router_gate gate = { closed, ticket, &instead, NULL, NULL };

static void identify(struct http_request *q)
{
	if (http1_find(q->head, "Secret").len)
		q->who = (struct principal){ .kind = PRINCIPAL_TOKEN, .rights = TABLE_RIGHT };
}

static const struct router_ops ops = { .identify = identify, .gate = &gate };
static const struct http_route routes[] = {
	{ "GET", "/hello", 0, .fn = on_hello },
	{ "POST", "/hello", 0, .fn = on_hello },
	{ "POST", "/change", 0, .fn = on_change, .flags = HTTP_ROUTE_CHANGES },
	{ "POST", "/secret", TABLE_RIGHT, .fn = on_hello, .body_max = 1 << 20 },
	{ "GET", "/static", 0, .fn = on_static },
	{ "GET", "/fault", 0, .fn = on_fault },
	{ "GET", "/forgets", 0, .fn = on_forgets },
	{ NULL, "/later", 0, .fn = on_later },
	{ "GET", "/later-at-once", 0, .fn = on_later_at_once },
	{ "GET", "/stream", 0, .fn = on_stream },
	{ "GET", "/chunks", 0, .fn = on_chunks },
	{ "GET", "/slow", 0, .fn = on_slow_stream },
	{ "PUT", "/upload", 0, .fn = on_upload, .flags = HTTP_ROUTE_STREAM, .body_max = 100000 },
};
const struct router table = { ROUTER_TABLE(routes), .ops = &ops };

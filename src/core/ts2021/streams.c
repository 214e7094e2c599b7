/* HTTP/2 of a connection, by nghttp2: streams, requests, answers. */
#include "base/text/text.h"
#include "core/ts2021/internal.h"

#include <errno.h>

enum { PATH_MAX_LEN = 4096, OUT_MAX = 1 << 26 };

static struct ts_stream *stream_new(struct ts2021 *t, int32_t id)
{
	struct ts_stream *s = h2mem_new(&t->mem, sizeof(*s));

	if (!s)
		return NULL;
	s->conn = t;
	s->id = id;
	s->began = t->now;
	buf_init(&s->body, TS2021_BODY_MAX);
	buf_init(&s->out, OUT_MAX);
	buf_set_holder(&s->body, t->mem.holder);
	buf_set_holder(&s->out, t->mem.holder);
	list_push_tail(&t->streams, &s->link);
	t->n_streams++;
	return s;
}

static void body_drop(struct ts_stream *s)
{
	s->conn->body_bytes -= buf_len(&s->body);
	buf_fini(&s->body);
}

static void stream_free(struct ts_stream *s)
{
	struct ts2021 *t = s->conn;

	list_remove(&s->link);
	t->n_streams--;
	body_drop(s);
	buf_fini(&s->out);
	h2mem_free(&t->mem, s->method);
	h2mem_free(&t->mem, s->path);
	h2mem_free(&t->mem, s);
}

static void stream_end(struct ts_stream *s, int rc)
{
	s->conn->ops->on_end(s->conn->owner, s, rc);
	stream_free(s);
}

static struct ts_stream *stream_of(nghttp2_session *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2, id);
}

/* nghttp2's callbacks */

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct ts2021 *t = ctx;
	struct ts_stream *s;

	if (t->client || frame->hd.type != NGHTTP2_HEADERS ||
		frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (t->n_streams >= t->share->streams) {
		ts2021_tell_limit(t, TS2021_BY_STREAMS);
		nghttp2_submit_rst_stream(
			h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	s = stream_new(t, frame->hd.stream_id);
	if (!s)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, s);
	return 0;
}

static char *copy_text(struct h2mem *m, const uint8_t *p, size_t n)
{
	char *s = n <= PATH_MAX_LEN && !memchr(p, 0, n) ? h2mem_new(m, n + 1) : NULL;

	return s ? memcpy(s, p, n) : NULL;
}

/* The stream ends, whatever else comes on it. */
static void refuse(struct ts_stream *s, uint32_t error)
{
	if (s->refused)
		return;
	s->refused = true;
	body_drop(s);
	nghttp2_submit_rst_stream(s->conn->h2, NGHTTP2_FLAG_NONE, s->id, error);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *ctx)
{
	struct ts_stream *s = stream_of(h2, frame->hd.stream_id);
	struct view n = view_of(name, name_len);
	struct ts2021 *t = ctx;
	uint64_t status;
	char **to;

	if (!s || s->refused)
		return 0;
	if (++s->n_fields > TS2021_FIELDS_MAX) {
		ts2021_tell_limit(t, TS2021_BY_FIELDS);
		refuse(s, NGHTTP2_ENHANCE_YOUR_CALM);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (view_eq(n, VIEW_LIT(":status")) &&
		text_u64((const char *)value, value_len, 999, &status) == 0)
		s->status = (int)status;
	if (view_eq(n, VIEW_LIT("retry-after")))
		snprintf(s->retry_after, sizeof(s->retry_after), "%.*s", (int)value_len,
			(const char *)value);
	to = view_eq(n, VIEW_LIT(":method")) ? &s->method
	     : view_eq(n, VIEW_LIT(":path")) ? &s->path
					     : NULL;
	if (to && !*to) {
		*to = copy_text(&t->mem, value, value_len);
		if (!*to)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return 0;
}

static int on_data_chunk(
	nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct ts2021 *t = ctx;
	struct ts_stream *s = stream_of(h2, id);

	if (!s || s->refused)
		return 0;
	if (t->client) {
		t->ops->on_data(t->owner, s, view_of(p, n));
	} else if (n > t->share->bodies - t->body_bytes || buf_append(&s->body, p, n) < 0) {
		ts2021_tell_limit(t, TS2021_BY_BODIES);
		refuse(s, NGHTTP2_ENHANCE_YOUR_CALM);
	} else {
		t->body_bytes += n;
	}
	return 0;
}

/* A request is whole. One that lacks what names it is nobody's to answer. */
static void on_complete(struct ts2021 *t, struct ts_stream *s)
{
	s->complete = true;
	if (!s->method || !s->path) {
		refuse(s, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	if (t->member)
		flood_refund_request(&t->flood, buf_len(&s->body));
	t->ops->on_request(t->owner, s, s->method, s->path, buf_view(&s->body));
	body_drop(s);
}

static int on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct ts2021 *t = ctx;
	struct ts_stream *s;

	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	s = stream_of(h2, frame->hd.stream_id);
	if (!s || s->refused || s->complete)
		return 0;
	if (t->client && frame->hd.type == NGHTTP2_HEADERS)
		t->ops->on_response(t->owner, s, s->status);
	if (!t->client && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		on_complete(t, s);
	return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error, void *ctx)
{
	struct ts_stream *s = stream_of(h2, id);

	if (s) {
		nghttp2_session_set_stream_user_data(h2, id, NULL);
		stream_end(s, error == NGHTTP2_NO_ERROR ? 0 : -ERR_CLOSED);
	}
	return 0;
}

/* Bytes of a body: what waits, else what the owner fills in, else later. */
static ssize_t read_body(nghttp2_session *h2, int32_t id, uint8_t *out, size_t max, uint32_t *flags,
	nghttp2_data_source *source, void *ctx)
{
	struct ts_stream *s = source->ptr;
	size_t n;

	if (!buf_len(&s->out) && s->streaming && !s->finished)
		s->conn->ops->fill(s->conn->owner, s, &s->out);
	n = MIN_OF(buf_len(&s->out), max);
	if (n) {
		memcpy(out, buf_data(&s->out), n);
		buf_consume(&s->out, n);
		s->sent += n;
		flood_sent(&s->conn->flood, n);
	}
	if (!buf_len(&s->out) && s->finished) {
		s->ended = true;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		buf_fini(&s->out);
		return (ssize_t)n;
	}
	if (n == 0) {
		s->deferred = s->dry = true;
		buf_fini(&s->out); /* an idle stream holds no memory */
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

int ts2021_streams_start(struct ts2021 *t)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, TS2021_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, t->client ? 4 << 20 : 1 << 20 },
		{ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE,
			t->client ? 4096 : 0 }, /* a table per idle client adds up at the hub */
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	nghttp2_mem mem = h2mem_hooks(&t->mem);
	nghttp2_session_callbacks *cb;
	nghttp2_option *opt;
	int rc;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return -ENOMEM;
	if (nghttp2_option_new(&opt) != 0) {
		nghttp2_session_callbacks_del(cb);
		return -ENOMEM;
	}
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_option_set_max_deflate_dynamic_table_size(opt, 0);
	/* GET with a body, and connection headers that Go would not send, are not our business to judge. */
	nghttp2_option_set_no_http_messaging(opt, 1);
	nghttp2_option_set_no_closed_streams(opt, 1); /* kept for priorities, that nobody uses */
	nghttp2_option_set_max_outbound_ack(opt, TS2021_QUEUE_MAX / 2);
	rc = t->client ? nghttp2_session_client_new3(&t->h2, cb, t, opt, &mem)
		       : nghttp2_session_server_new3(&t->h2, cb, t, opt, &mem);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(opt);
	if (rc != 0)
		return -ENOMEM;
	if (nghttp2_submit_settings(
		    t->h2, NGHTTP2_FLAG_NONE, settings, t->client ? ARRAY_LEN(settings) : 3) != 0)
		return -ENOMEM;
	if (nghttp2_session_set_local_window_size(
		    t->h2, NGHTTP2_FLAG_NONE, 0, t->client ? 16 << 20 : 4 << 20) != 0)
		return -ENOMEM;
	return 0;
}

void ts2021_streams_end(struct ts2021 *t)
{
	list_for_each_safe(l, &t->streams) {
		struct ts_stream *s = container_of(l, struct ts_stream, link);

		nghttp2_session_set_stream_user_data(t->h2, s->id, NULL);
		stream_end(s, -ERR_CLOSED);
	}
	nghttp2_session_del(t->h2);
	t->h2 = NULL;
}

int ts2021_streams_fail(struct ts2021 *t, enum ts2021_limit l)
{
	ts2021_tell_limit(t, l);
	if (l != TS2021_BY_MEMORY) /* the library may have stopped half way */
		ts2021_streams_goaway(t, NGHTTP2_ENHANCE_YOUR_CALM);
	return ts2021_fail(t, -ERR_FLOOD);
}

int ts2021_streams_feed(struct ts2021 *t, const uint8_t *p, size_t n)
{
	ssize_t used;

	if (flood_feed(&t->flood, p, n, t->now) < 0)
		return ts2021_streams_fail(t, TS2021_BY_FRAMES);
	used = nghttp2_session_mem_recv(t->h2, p, n);
	if (t->mem.refused)
		return ts2021_streams_fail(t, TS2021_BY_MEMORY);
	if (used == NGHTTP2_ERR_FLOODED ||
		nghttp2_session_get_outbound_queue_size(t->h2) > TS2021_QUEUE_MAX)
		return ts2021_streams_fail(t, TS2021_BY_QUEUE);
	if (used < 0 || (size_t)used != n)
		return -ERR_BAD_FORMAT;
	if (nghttp2_session_want_read(t->h2))
		return 0;
	/* The library ends it, as it was spoken to wrongly; or the other side did, and nothing is open. */
	ts2021_streams_goaway(t, NGHTTP2_NO_ERROR);
	return -ERR_CLOSED;
}

static int seal(struct ts2021 *t, const uint8_t *p, size_t n)
{
	return noise_seal_all(&t->keys.send, p, n, &t->out);
}

void ts2021_streams_pull(struct ts2021 *t)
{
	while (t->state == TS2021_OPEN && buf_len(&t->out) < TS2021_OUT_MAX) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(t->h2, &p);
		int rc = n < 0 ? -ERR_BAD_FORMAT : n > 0 ? seal(t, p, (size_t)n) : 0;

		if (rc < 0)
			ts2021_fail(t, rc);
		if (n <= 0)
			break;
	}
	if (t->mem.refused && t->state == TS2021_OPEN)
		(void)ts2021_streams_fail(t, TS2021_BY_MEMORY);
	else if (t->state == TS2021_OPEN && !nghttp2_session_want_read(t->h2))
		ts2021_fail(t, -ERR_CLOSED); /* we have said goodbye */
}

void ts2021_streams_goaway(struct ts2021 *t, uint32_t error)
{
	enum { TYPE_AT = 3 };
	const uint8_t *p;
	ssize_t n;

	if (t->state != TS2021_OPEN || nghttp2_session_terminate_session(t->h2, error) != 0)
		return;
	for (size_t i = 0; i < 2 * TS2021_QUEUE_MAX && buf_len(&t->out) < 2 * TS2021_OUT_MAX; i++) {
		n = nghttp2_session_mem_send(t->h2, &p);
		if (n <= 0 || seal(t, p, (size_t)n) < 0 ||
			(n >= FLOOD_FRAME_HEAD && p[TYPE_AT] == NGHTTP2_GOAWAY))
			return;
	}
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value) };
}

int ts2021_request(struct ts2021 *t, const char *method, const char *path, struct view body,
	void *owner, struct ts_stream **ret)
{
	nghttp2_nv h[] = { nv(":method", method), nv(":scheme", "https"), nv(":authority", t->host),
		nv(":path", path), nv("content-type", "application/json") };
	nghttp2_data_provider data = { .read_callback = read_body };
	struct ts_stream *s;
	int32_t id;

	if (t->state != TS2021_OPEN || t->n_streams >= TS2021_STREAMS_MAX)
		return -ERR_BAD_STATE;
	s = stream_new(t, 0);
	if (!s)
		return -ENOMEM;
	s->owner = owner;
	s->finished = true;
	data.source.ptr = s;
	if (buf_append(&s->out, body.p, body.len) < 0) {
		stream_free(s);
		return -ENOMEM;
	}
	id = nghttp2_submit_request(t->h2, NULL, h, ARRAY_LEN(h), body.len ? &data : NULL, s);
	if (id < 0) {
		stream_free(s);
		return -ENOMEM;
	}
	s->id = id;
	*ret = s;
	t->ops->on_output(t->owner);
	return 0;
}

static int submit_response(struct ts_stream *s, int status, const char *content_type,
	const char *retry_after, bool has_body)
{
	char code[8];
	nghttp2_nv h[3];
	nghttp2_data_provider data = { .source.ptr = s, .read_callback = read_body };

	if (s->responded || s->conn->state != TS2021_OPEN)
		return -ERR_BAD_STATE;
	s->responded = true;
	s->has_body = has_body;
	snprintf(code, sizeof(code), "%d", status);
	h[0] = nv(":status", code);
	h[1] = nv("content-type", content_type ? content_type : "text/plain; charset=utf-8");
	if (retry_after)
		h[2] = nv("retry-after", retry_after);
	if (nghttp2_submit_response(
		    s->conn->h2, s->id, h, retry_after ? 3 : 2, has_body ? &data : NULL) != 0)
		return -ENOMEM;
	s->conn->ops->on_output(s->conn->owner);
	return 0;
}

int ts_stream_respond(struct ts_stream *s, int status, const char *content_type, struct view body)
{
	int rc = buf_append(&s->out, body.p, body.len);

	s->finished = true;
	return rc < 0 ? rc : submit_response(s, status, content_type, NULL, body.len > 0);
}

int ts_stream_respond_later(struct ts_stream *s, int status, unsigned seconds, struct view body)
{
	int rc = buf_append(&s->out, body.p, body.len);
	char text[12];

	snprintf(text, sizeof(text), "%u", seconds);
	s->finished = true;
	return rc < 0 ? rc : submit_response(s, status, NULL, text, body.len > 0);
}

int ts_stream_begin(struct ts_stream *s, int status, const char *content_type)
{
	s->streaming = true;
	return submit_response(s, status, content_type, NULL, true);
}

void ts_stream_wake(struct ts_stream *s)
{
	if (s->deferred && s->conn->state == TS2021_OPEN) {
		s->deferred = false;
		nghttp2_session_resume_data(s->conn->h2, s->id);
	}
	s->conn->ops->on_output(s->conn->owner);
}

void ts_stream_finish(struct ts_stream *s)
{
	s->finished = true;
	ts_stream_wake(s);
}

void ts_stream_reset(struct ts_stream *s)
{
	if (s->conn->state != TS2021_OPEN)
		return;
	nghttp2_submit_rst_stream(s->conn->h2, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
	s->conn->ops->on_output(s->conn->owner);
}

void ts_stream_set_owner(struct ts_stream *s, void *owner)
{
	s->owner = owner;
}

const char *ts_stream_retry_after(const struct ts_stream *s)
{
	return s->retry_after;
}

void *ts_stream_owner(const struct ts_stream *s)
{
	return s->owner;
}

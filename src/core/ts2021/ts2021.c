/*
 *  client:  UPGRADING --101 and Noise response--> OPEN
 *  server:  OPEN from the start (the initiation came in a header)
 *  both:    OPEN --error--> FAILED (feed and output do nothing more)
 */
#include "core/ts2021/ts2021.h"
#include "base/list/list.h"
#include "base/text/text.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>

enum state { UPGRADING, OPEN, FAILED };
enum { EARLY_HEADER_LEN = 9, EARLY_MAX = 10 << 20, IN_MAX = HTTP1_HEAD_MAX + NOISE_RECORD_MAX, PATH_MAX_LEN = 4096 };

static const uint8_t early_magic[5] = { 0xff, 0xff, 0xff, 'T', 'S' };

struct ts_stream {
	struct list link;
	struct ts2021 *conn;
	void *owner;
	int32_t id;
	char *method, *path;
	struct buf body, out; /* server: request body; what waits to be sent */
	bool streaming, finished, responded, deferred;
	int status;
	char retry_after[TS2021_RETRY_MAX]; /* client: of the answer; cut if longer */
};

struct ts2021 {
	enum state state;
	bool client;
	int error;
	const struct ts2021_ops *ops;
	void *owner;
	struct noise_state noise;
	struct noise_keys keys;
	struct buf in, out;
	struct list streams;
	size_t n_streams, body_bytes; /* server: of requests that are not complete */
	nghttp2_session *h2;
	char *host;
	/* client: before HTTP/2 begins there may be an early payload */
	bool early_done;
	struct buf early;
	size_t early_left;
	bool early_kept;
};

static int fail(struct ts2021 *t, int rc)
{
	if (t->state != FAILED)
		t->error = rc;
	t->state = FAILED;
	return t->error;
}

static struct ts_stream *stream_new(struct ts2021 *t, int32_t id)
{
	struct ts_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->conn = t;
	s->id = id;
	buf_init(&s->body, TS2021_BODY_MAX);
	buf_init(&s->out, (size_t)1 << 26);
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
	list_remove(&s->link);
	s->conn->n_streams--;
	body_drop(s);
	buf_fini(&s->out);
	free(s->method);
	free(s->path);
	free(s);
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

	if (t->client || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = t->n_streams < TS2021_STREAMS_MAX ? stream_new(t, frame->hd.stream_id) : NULL;
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, s);
	return 0;
}

static char *copy_text(const uint8_t *p, size_t n)
{
	char *s = n <= PATH_MAX_LEN && !memchr(p, 0, n) ? malloc(n + 1) : NULL;

	if (s) {
		memcpy(s, p, n);
		s[n] = 0;
	}
	return s;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
	const uint8_t *value, size_t value_len, uint8_t flags, void *ctx)
{
	struct ts_stream *s = stream_of(h2, frame->hd.stream_id);
	struct view n = view_of(name, name_len);
	uint64_t status;
	char **to;

	if (!s)
		return 0;
	if (view_eq(n, VIEW_LIT(":status")) && text_u64((const char *)value, value_len, 999, &status) == 0)
		s->status = (int)status;
	if (view_eq(n, VIEW_LIT("retry-after")))
		snprintf(s->retry_after, sizeof(s->retry_after), "%.*s", (int)value_len, (const char *)value);
	to = view_eq(n, VIEW_LIT(":method")) ? &s->method : view_eq(n, VIEW_LIT(":path")) ? &s->path : NULL;
	if (to && !*to) {
		*to = copy_text(value, value_len);
		if (!*to)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return 0;
}

static int on_data_chunk(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct ts2021 *t = ctx;
	struct ts_stream *s = stream_of(h2, id);

	if (!s)
		return 0;
	if (t->client)
		t->ops->on_data(t->owner, s, view_of(p, n));
	else if (n > TS2021_BODY_MAX - t->body_bytes || buf_append(&s->body, p, n) < 0)
		nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_ENHANCE_YOUR_CALM);
	else
		t->body_bytes += n;
	return 0;
}

static int on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct ts2021 *t = ctx;
	struct ts_stream *s;

	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	s = stream_of(h2, frame->hd.stream_id);
	if (!s)
		return 0;
	if (t->client && frame->hd.type == NGHTTP2_HEADERS)
		t->ops->on_response(t->owner, s, s->status);
	if (!t->client && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && s->method && s->path) {
		t->ops->on_request(t->owner, s, s->method, s->path, buf_view(&s->body));
		body_drop(s);
	}
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
	}
	if (!buf_len(&s->out) && s->finished) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		buf_fini(&s->out);
		return (ssize_t)n;
	}
	if (n == 0) {
		s->deferred = true;
		buf_fini(&s->out); /* an idle stream holds no memory */
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

static int h2_start(struct ts2021 *t)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, TS2021_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, t->client ? 4 << 20 : 1 << 20 },
		{ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, t->client ? 4096 : 0 }, /* a table per idle client adds up at the hub */
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
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
	rc = t->client ? nghttp2_session_client_new2(&t->h2, cb, t, opt) : nghttp2_session_server_new2(&t->h2, cb, t, opt);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(opt);
	if (rc != 0)
		return -ENOMEM;
	if (nghttp2_submit_settings(t->h2, NGHTTP2_FLAG_NONE, settings, t->client ? ARRAY_LEN(settings) : 3) != 0)
		return -ENOMEM;
	if (nghttp2_session_set_local_window_size(t->h2, NGHTTP2_FLAG_NONE, 0, t->client ? 16 << 20 : 4 << 20) != 0)
		return -ENOMEM;
	return 0;
}

static struct ts2021 *conn_new(const struct ts2021_ops *ops, void *owner, bool client)
{
	struct ts2021 *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ops = ops;
	t->owner = owner;
	t->client = client;
	list_init(&t->streams);
	buf_init(&t->in, IN_MAX);
	buf_init(&t->out, (size_t)1 << 26);
	buf_init(&t->early, TS2021_EARLY_MAX);
	return t;
}

struct ts2021 *ts2021_free(struct ts2021 *t)
{
	if (!t)
		return NULL;
	t->state = FAILED;
	list_for_each_safe(l, &t->streams) {
		struct ts_stream *s = container_of(l, struct ts_stream, link);

		nghttp2_session_set_stream_user_data(t->h2, s->id, NULL);
		stream_end(s, -ERR_CLOSED);
	}
	nghttp2_session_del(t->h2);
	buf_fini(&t->in);
	buf_fini(&t->out);
	buf_fini(&t->early);
	free(t->host);
	noise_wipe(t, sizeof(*t));
	free(t);
	return NULL;
}

const struct machine_pub *ts2021_remote(const struct ts2021 *t)
{
	return &t->noise.remote;
}

uint16_t ts2021_version(const struct ts2021 *t)
{
	return t->noise.version;
}

/* The early payload: a challenge that no current request answers, but that clients expect to be able to read. */
static int put_early(struct ts2021 *t, const char *hub_url, struct rng *rng)
{
	uint8_t head[EARLY_HEADER_LEN], priv[KEY_LEN], pub[KEY_LEN];
	char key[KEY_TEXT_MAX];
	struct buf plain, text;
	int rc;

	key_generate(rng, priv);
	rc = key_public(priv, pub);
	key_wipe(priv, sizeof(priv));
	if (rc < 0)
		return rc;
	buf_init(&plain, EARLY_HEADER_LEN + TS2021_EARLY_MAX);
	buf_init(&text, TS2021_EARLY_MAX);
	rc = buf_printf(&text, "{\"nodeKeyChallenge\":\"%s\"%s%s%s}", key_format(KEY_CHALLENGE, pub, key), hub_url ? ",\"hubURL\":\"" : "",
		hub_url ? hub_url : "", hub_url ? "\"" : "");
	memcpy(head, early_magic, sizeof(early_magic));
	store_be32(head + 5, (uint32_t)buf_len(&text));
	if (rc == 0)
		rc = buf_append(&plain, head, sizeof(head));
	if (rc == 0)
		rc = buf_append(&plain, buf_data(&text), buf_len(&text));
	if (rc == 0)
		rc = noise_seal_all(&t->keys.send, buf_data(&plain), buf_len(&plain), &t->out);
	buf_fini(&text);
	buf_fini(&plain);
	return rc;
}

int ts2021_accept(struct ts2021 **ret, const struct http1_head *head, const struct secret_machine *self, const char *hub_url,
	struct rng *rng, const struct ts2021_ops *ops, void *owner)
{
	struct view v = http1_find(head, "X-Tailscale-Handshake");
	uint8_t init[NOISE_INITIATION_LEN + 3], resp[NOISE_RESPONSE_LEN];
	struct ts2021 *t;
	size_t n;
	int rc;

	if (!http1_has_token(head, "Upgrade", "tailscale-control-protocol") || v.len > BASE64_LEN(NOISE_INITIATION_LEN) ||
		base64_decode((const char *)v.p, v.len, init, &n) < 0 || n != NOISE_INITIATION_LEN)
		return -ERR_BAD_VALUE;
	t = conn_new(ops, owner, false);
	if (!t)
		return -ENOMEM;
	rc = noise_accept(&t->noise, self, init, rng, resp, &t->keys);
	if (rc == 0)
		rc = buf_append_str(&t->out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\n"
					     "Connection: upgrade\r\n\r\n");
	if (rc == 0)
		rc = buf_append(&t->out, resp, sizeof(resp));
	if (rc == 0)
		rc = put_early(t, hub_url, rng);
	if (rc == 0)
		rc = h2_start(t);
	if (rc < 0) {
		ts2021_free(t);
		return rc;
	}
	t->state = OPEN;
	t->early_done = true;
	*ret = t;
	return 0;
}

int ts2021_connect(struct ts2021 **ret, const char *host, const struct secret_machine *self,
	const struct machine_pub *server, uint16_t version, struct rng *rng, const struct ts2021_ops *ops, void *owner)
{
	uint8_t init[NOISE_INITIATION_LEN];
	char b64[BASE64_LEN(NOISE_INITIATION_LEN) + 1];
	struct ts2021 *t = conn_new(ops, owner, true);
	int rc;

	if (!t)
		return -ENOMEM;
	t->host = strdup(host);
	rc = t->host ? noise_initiate(&t->noise, self, server, version, rng, init) : -ENOMEM;
	if (rc == 0) {
		base64_encode(init, sizeof(init), b64);
		rc = buf_printf(&t->out,
			"POST /ts2021 HTTP/1.1\r\nHost: %s\r\nUser-Agent: warren\r\nContent-Length: 0\r\nConnection: upgrade\r\n"
			"Upgrade: tailscale-control-protocol\r\nX-Tailscale-Handshake: %s\r\n\r\n", host, b64);
	}
	if (rc < 0) {
		ts2021_free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

/* Client: the 101 head and the Noise response behind it. 0 when done or not all there yet. */
static int finish_upgrade(struct ts2021 *t)
{
	struct http1_head h;
	size_t used;
	int rc = http1_parse(buf_data(&t->in), buf_len(&t->in), true, &h, &used);

	if (rc == HTTP1_MORE)
		return 0;
	if (rc < 0)
		return -ERR_NOT_HTTP;
	if (h.status != 101 || !http1_has_token(&h, "Upgrade", "tailscale-control-protocol"))
		return err_http(h.status);
	if (buf_len(&t->in) < used + NOISE_RESPONSE_LEN)
		return 0;
	/* Whatever is wrong with it: who sent it has not got the key that we know. */
	if (noise_finish(&t->noise, buf_data(&t->in) + used, &t->keys) < 0)
		return -ERR_BAD_TAG;
	buf_consume(&t->in, used + NOISE_RESPONSE_LEN);
	rc = h2_start(t);
	if (rc < 0)
		return rc;
	t->state = OPEN;
	t->ops->on_ready(t->owner);
	return 0;
}

static int h2_feed(struct ts2021 *t, const uint8_t *p, size_t n)
{
	ssize_t used = nghttp2_session_mem_recv(t->h2, p, n);

	return used < 0 || (size_t)used != n ? -ERR_BAD_FORMAT : 0;
}

/* Of the early payload: what is short enough is handed over when it is whole. */
static int take_early(struct ts2021 *t, const uint8_t *p, size_t n)
{
	int rc = 0;

	t->early_left -= n;
	if (!t->early_kept)
		return 0;
	rc = buf_append(&t->early, p, n);
	if (rc == 0 && !t->early_left) {
		t->ops->on_early(t->owner, buf_view(&t->early));
		buf_fini(&t->early);
	}
	return rc;
}

/* Client: the first bytes are an early payload, or HTTP/2's first frame. */
static int feed_plain(struct ts2021 *t, const uint8_t *p, size_t n)
{
	size_t early;
	int rc;

	while (!t->early_done && n) {
		rc = buf_append(&t->early, p, 1);
		if (rc < 0)
			return rc;
		p++;
		n--;
		if (buf_len(&t->early) < EARLY_HEADER_LEN)
			continue;
		t->early_done = true;
		if (memcmp(buf_data(&t->early), early_magic, sizeof(early_magic)) == 0) {
			t->early_left = load_be32(buf_data(&t->early) + sizeof(early_magic));
			t->early_kept = t->ops->on_early && t->early_left && t->early_left <= TS2021_EARLY_MAX;
			if (t->early_left > EARLY_MAX)
				return -ERR_TOO_BIG;
		} else {
			rc = h2_feed(t, buf_data(&t->early), EARLY_HEADER_LEN);
			if (rc < 0)
				return rc;
		}
		buf_fini(&t->early);
	}
	early = MIN_OF(t->early_left, n);
	rc = early ? take_early(t, p, early) : 0;
	return rc == 0 && n - early ? h2_feed(t, p + early, n - early) : rc;
}

static int feed_records(struct ts2021 *t)
{
	uint8_t plain[NOISE_PLAINTEXT_MAX];
	size_t len, used;
	int rc;

	for (;;) {
		rc = noise_open(&t->keys.receive, buf_data(&t->in), buf_len(&t->in), plain, &len, &used);
		if (rc != 0)
			return rc == NOISE_MORE ? 0 : rc;
		buf_consume(&t->in, used);
		rc = feed_plain(t, plain, len);
		if (rc < 0)
			return rc;
	}
}

int ts2021_feed(struct ts2021 *t, const uint8_t *p, size_t len)
{
	while (len && t->state != FAILED) {
		size_t n = MIN_OF(len, IN_MAX - buf_len(&t->in));
		int rc = n ? buf_append(&t->in, p, n) : -ERR_TOO_BIG;

		if (rc == 0 && t->state == UPGRADING)
			rc = finish_upgrade(t);
		if (rc == 0 && t->state == OPEN)
			rc = feed_records(t);
		if (rc < 0)
			return fail(t, rc);
		p += n;
		len -= n;
	}
	if (t->state == FAILED)
		return t->error;
	if (!buf_len(&t->in))
		buf_fini(&t->in); /* an idle connection holds no buffer */
	if (t->h2 && nghttp2_session_want_write(t->h2))
		t->ops->on_output(t->owner);
	return 0;
}

struct view ts2021_output(struct ts2021 *t)
{
	while (t->state == OPEN && buf_len(&t->out) < TS2021_OUT_MAX) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(t->h2, &p);
		int rc = n < 0 ? -ERR_BAD_FORMAT : n > 0 ? noise_seal_all(&t->keys.send, p, (size_t)n, &t->out) : 0;

		if (rc < 0)
			fail(t, rc);
		if (n <= 0)
			break;
	}
	return buf_view(&t->out);
}

void ts2021_written(struct ts2021 *t, size_t n)
{
	buf_consume(&t->out, n);
	if (!buf_len(&t->out))
		buf_fini(&t->out);
}

int ts2021_ping(struct ts2021 *t)
{
	if (t->state != OPEN)
		return -ERR_BAD_STATE;
	if (nghttp2_submit_ping(t->h2, NGHTTP2_FLAG_NONE, NULL) != 0)
		return -ENOMEM;
	t->ops->on_output(t->owner);
	return 0;
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name, .value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name), .valuelen = strlen(value) };
}

int ts2021_request(struct ts2021 *t, const char *method, const char *path, struct view body, void *owner,
	struct ts_stream **ret)
{
	nghttp2_nv h[] = { nv(":method", method), nv(":scheme", "https"), nv(":authority", t->host), nv(":path", path),
		nv("content-type", "application/json") };
	nghttp2_data_provider data = { .read_callback = read_body };
	struct ts_stream *s;
	int32_t id;

	if (t->state != OPEN || t->n_streams >= TS2021_STREAMS_MAX)
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

static int submit_response(struct ts_stream *s, int status, const char *content_type, const char *retry_after, bool has_body)
{
	char code[8];
	nghttp2_nv h[3];
	nghttp2_data_provider data = { .source.ptr = s, .read_callback = read_body };

	if (s->responded || s->conn->state != OPEN)
		return -ERR_BAD_STATE;
	s->responded = true;
	snprintf(code, sizeof(code), "%d", status);
	h[0] = nv(":status", code);
	h[1] = nv("content-type", content_type ? content_type : "text/plain; charset=utf-8");
	if (retry_after)
		h[2] = nv("retry-after", retry_after);
	if (nghttp2_submit_response(s->conn->h2, s->id, h, retry_after ? 3 : 2, has_body ? &data : NULL) != 0)
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
	if (s->deferred && s->conn->state == OPEN) {
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
	if (s->conn->state != OPEN)
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

struct ts2021 *ts_stream_conn(const struct ts_stream *s)
{
	return s->conn;
}

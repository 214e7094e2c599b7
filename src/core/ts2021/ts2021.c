/*
 *  client:  UPGRADING --101 and Noise response--> OPEN
 *  server:  OPEN from the start (the initiation came in a header)
 *  both:    OPEN --error, a bound--> FAILED (feed does nothing more; output has what is left to say)
 */
#include "core/ts2021/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { EARLY_HEADER_LEN = 9, EARLY_MAX = 10 << 20, IN_MAX = HTTP1_HEAD_MAX + NOISE_RECORD_MAX };

static const uint8_t early_magic[5] = { 0xff, 0xff, 0xff, 'T', 'S' };

static struct ts2021 *conn_new(const struct ts2021_ops *ops, void *owner, bool client,
	struct ledger_holder *holder, mono_ns now)
{
	struct ts2021 *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ops = ops;
	t->owner = owner;
	t->client = t->member = client;
	t->now = now;
	t->share = client ? &ts2021_member : &ts2021_stranger;
	if (h2mem_init(&t->mem, t->share->h2, sizeof(*t), holder) < 0) {
		free(t);
		return NULL;
	}
	flood_init(&t->flood, client, t->share->frames_rate, t->share->frames_burst);
	list_init(&t->streams);
	buf_init(&t->in, IN_MAX);
	buf_init(&t->out, (size_t)1 << 26);
	buf_init(&t->early, TS2021_EARLY_MAX);
	buf_set_holder(&t->in, holder);
	buf_set_holder(&t->out, holder);
	return t;
}

struct ts2021 *ts2021_free(struct ts2021 *t)
{
	if (!t)
		return NULL;
	t->state = TS2021_FAILED;
	ts2021_streams_end(t);
	buf_fini(&t->in);
	buf_fini(&t->out);
	buf_fini(&t->early);
	free(t->host);
	h2mem_fini(&t->mem);
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
	rc = buf_printf(&text, "{\"nodeKeyChallenge\":\"%s\"%s%s%s}",
		key_format(KEY_CHALLENGE, pub, key), hub_url ? ",\"hubURL\":\"" : "",
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

int ts2021_accept(struct ts2021 **ret, const struct http1_head *head,
	const struct ts2021_server *how, const struct ts2021_ops *ops, void *owner)
{
	struct view v = http1_find(head, "X-Tailscale-Handshake");
	uint8_t init[NOISE_INITIATION_LEN + 3], resp[NOISE_RESPONSE_LEN];
	struct ts2021 *t;
	size_t n;
	int rc;

	if (!http1_has_token(head, "Upgrade", "tailscale-control-protocol") ||
		v.len > BASE64_LEN(NOISE_INITIATION_LEN) ||
		base64_decode((const char *)v.p, v.len, init, &n) < 0 || n != NOISE_INITIATION_LEN)
		return -ERR_BAD_VALUE;
	t = conn_new(ops, owner, false, how->holder, how->now);
	if (!t)
		return -ENOMEM;
	rc = noise_accept(&t->noise, how->self, init, how->rng, resp, &t->keys);
	if (rc == 0)
		rc = buf_append_str(&t->out,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\n"
			"Connection: upgrade\r\n\r\n");
	if (rc == 0)
		rc = buf_append(&t->out, resp, sizeof(resp));
	if (rc == 0)
		rc = put_early(t, how->hub_url, how->rng);
	if (rc == 0)
		rc = ts2021_streams_start(t);
	if (rc < 0) {
		ts2021_free(t);
		return rc;
	}
	t->state = TS2021_OPEN;
	t->early_done = true;
	*ret = t;
	return 0;
}

int ts2021_connect(struct ts2021 **ret, const char *host, const struct secret_machine *self,
	const struct machine_pub *server, uint16_t version, struct rng *rng,
	const struct ts2021_ops *ops, void *owner)
{
	uint8_t init[NOISE_INITIATION_LEN];
	char b64[BASE64_LEN(NOISE_INITIATION_LEN) + 1];
	struct ts2021 *t = conn_new(ops, owner, true, NULL, 0);
	int rc;

	if (!t)
		return -ENOMEM;
	t->host = strdup(host);
	rc = t->host ? noise_initiate(&t->noise, self, server, version, rng, init) : -ENOMEM;
	if (rc == 0) {
		base64_encode(init, sizeof(init), b64);
		rc = buf_printf(&t->out,
			"POST /ts2021 HTTP/1.1\r\nHost: %s\r\nUser-Agent: warren\r\nContent-Length: 0\r\nConnection: upgrade\r\n"
			"Upgrade: tailscale-control-protocol\r\nX-Tailscale-Handshake: %s\r\n\r\n",
			host, b64);
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
	rc = ts2021_streams_start(t);
	if (rc < 0)
		return rc;
	t->state = TS2021_OPEN;
	t->ops->on_ready(t->owner);
	return 0;
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
			t->early_kept = t->ops->on_early && t->early_left &&
					t->early_left <= TS2021_EARLY_MAX;
			if (t->early_left > EARLY_MAX)
				return -ERR_TOO_BIG;
		} else {
			rc = ts2021_streams_feed(t, buf_data(&t->early), EARLY_HEADER_LEN);
			if (rc < 0)
				return rc;
		}
		buf_fini(&t->early);
	}
	early = MIN_OF(t->early_left, n);
	rc = early ? take_early(t, p, early) : 0;
	return rc == 0 && n - early ? ts2021_streams_feed(t, p + early, n - early) : rc;
}

static int feed_records(struct ts2021 *t)
{
	uint8_t plain[NOISE_PLAINTEXT_MAX];
	size_t len, used;
	int rc;

	for (;;) {
		rc = noise_open(
			&t->keys.receive, buf_data(&t->in), buf_len(&t->in), plain, &len, &used);
		if (rc != 0)
			return rc == NOISE_MORE ? 0 : rc;
		buf_consume(&t->in, used);
		if (flood_record(&t->flood, len, t->now) < 0)
			return ts2021_streams_fail(t, TS2021_BY_FRAMES);
		rc = feed_plain(t, plain, len);
		if (rc < 0)
			return rc;
		if (t->state == TS2021_FAILED)
			return t->error;
	}
}

int ts2021_feed(struct ts2021 *t, const uint8_t *p, size_t len, mono_ns now)
{
	t->now = now;
	while (len && t->state != TS2021_FAILED) {
		size_t n = MIN_OF(len, IN_MAX - buf_len(&t->in));
		int rc = n ? buf_append(&t->in, p, n) : -ERR_TOO_BIG;

		if (rc == 0 && t->state == TS2021_UPGRADING)
			rc = finish_upgrade(t);
		if (rc == 0 && t->state == TS2021_OPEN)
			rc = feed_records(t);
		if (rc < 0)
			return ts2021_fail(t, rc);
		p += n;
		len -= n;
	}
	if (t->state == TS2021_FAILED)
		return t->error;
	if (!buf_len(&t->in))
		buf_fini(&t->in); /* an idle connection holds no buffer */
	if (t->h2 && nghttp2_session_want_write(t->h2))
		t->ops->on_output(t->owner);
	return 0;
}

struct view ts2021_output(struct ts2021 *t)
{
	if (t->state == TS2021_OPEN)
		ts2021_streams_pull(t);
	return buf_view(&t->out);
}

void ts2021_written(struct ts2021 *t, size_t n)
{
	buf_consume(&t->out, n);
	t->written += n;
	if (buf_len(&t->out))
		return;
	t->emptied = true;
	buf_fini(&t->out);
}

bool ts2021_wants_input(const struct ts2021 *t)
{
	return t->client || t->state != TS2021_OPEN ||
	       nghttp2_session_get_outbound_queue_size(t->h2) <= TS2021_QUEUE_PAUSE;
}

int ts2021_check(struct ts2021 *t, mono_ns now)
{
	bool emptied = t->emptied;
	int rc, conn;

	t->now = now;
	t->emptied = false;
	if (t->state == TS2021_FAILED)
		return t->error;
	conn = ts2021_stall_check(&t->stall, buf_len(&t->out) > 0, emptied, t->written, now);
	rc = conn < 0 ? conn : ts2021_streams_check(t, now);
	if (conn < 0)
		ts2021_tell_limit(t, TS2021_BY_STALL);
	return rc < 0 ? ts2021_fail(t, rc) : conn || rc;
}

int ts2021_ping(struct ts2021 *t)
{
	if (t->state != TS2021_OPEN)
		return -ERR_BAD_STATE;
	if (nghttp2_submit_ping(t->h2, NGHTTP2_FLAG_NONE, NULL) != 0)
		return -ENOMEM;
	t->ops->on_output(t->owner);
	return 0;
}

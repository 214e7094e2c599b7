/* The engine against a hub made of core/ts2021's server side, in one process: for the tests of this folder. */
#ifndef WARREN_CORE_CTLCLIENT_RIG_TEST_H
#define WARREN_CORE_CTLCLIENT_RIG_TEST_H

#include "core/ctlclient/ctlclient.h"
#include "core/reason/reason.h"
#include "core/ctlclient/mapstream.h"
#include "testlib/check.h"

struct rig {
	struct ctlclient *c;
	struct rng_seeded rng, hub_rng;
	struct secret_machine hub_secret;
	struct machine_pub hub_pub;
	struct ts2021 *hub;
	struct now now;
	bool dialled[CTL_CONNS];
	unsigned dials, keys_made, registers, maps, lites, got_maps;
	const char *register_answer[4]; /* in turn; the last again */
	struct ts_stream *held;         /* the follow-up, unanswered */
	struct ts_stream *poll;
	const char *tells; /* as its URL */
	bool poll_sent;
	const char *says[4]; /* on a stream, instead of the map that all others get */
	unsigned first_maps;
	int map_status, register_status, lite_status;
	int retry_after; /* with a status that is not 200; negative: none */
	char last_register[4096], text[200], trouble[REASON_MAX];
	unsigned logouts;
	const char *refuses; /* text in a request that the hub does not like; NULL */
	struct tc_hostinfo host;
	char refused[CTLCLIENT_REASON_MAX], last_lite[4096];
	unsigned n_refused, n_logins_refused;
	enum ctlclient_state state;
};

static size_t map_message(uint8_t *out, size_t max)
{
	size_t a = ZSTD_compress(out + 4, max - 4,
		"{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"a.\"},", 45, 1);
	size_t b = ZSTD_compress(out + 4 + a, max - 4 - a, "\"Domain\":\"example.com\"}", 23, 1);

	store_le32(out, (uint32_t)(a + b));
	return 4 + a + b;
}

static void refuse(struct rig *w, struct ts_stream *s, int status)
{
	if (w->retry_after < 0)
		CHECK_INT(ts_stream_respond(s, status, NULL, VIEW_LIT("no\n")), ==, 0);
	else
		CHECK_INT(ts_stream_respond_later(
				  s, status, (unsigned)w->retry_after, VIEW_LIT("too many\n")),
			==, 0);
}

static void hub_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	struct rig *w = owner;
	char text[4096];

	snprintf(text, sizeof(text), "%.*s", (int)body.len, (const char *)body.p);
	if (w->refuses && strstr(text, w->refuses)) {
		if (!strcmp(path, "/machine/register"))
			CHECK_INT(ts_stream_respond(
					  s, 200, NULL, VIEW_LIT("{\"Error\":\"not this one\"}")),
				==, 0);
		else
			CHECK_INT(
				ts_stream_respond(s, 400, NULL, VIEW_LIT("not this\tone\nmore\n")),
				==, 0);
		w->registers += !strcmp(path, "/machine/register");
	} else if (!strcmp(path, "/machine/register")) {
		const char *answer = w->register_answer[MIN_OF(w->registers, 3)];

		memcpy(w->last_register, text, sizeof(text));
		w->logouts += strstr(text, "\"Expiry\":\"1970-01-01T00:02:03Z\"") != NULL;
		w->registers++;
		if (!answer) {
			w->held = s;
			return;
		}
		if (w->register_status != 200)
			refuse(w, s, w->register_status);
		else
			CHECK_INT(ts_stream_respond(s, 200, NULL, view_of(answer, strlen(answer))),
				==, 0);
	} else if (strstr(text, "\"Stream\":true")) {
		w->maps++;
		if (!w->map_status)
			return;
		if (w->map_status != 200) {
			refuse(w, s, w->map_status);
			return;
		}
		w->poll = s;
		w->poll_sent = false;
		CHECK_INT(ts_stream_begin(s, 200, NULL), ==, 0);
	} else {
		w->lites++;
		memcpy(w->last_lite, text, sizeof(text));
		if (w->lite_status != 200)
			refuse(w, s, w->lite_status);
		else
			CHECK_INT(ts_stream_respond(s, 200, NULL, VIEW_LIT("")), ==, 0);
	}
	(void)method;
}

static void hub_end(void *owner, struct ts_stream *s, int rc)
{
	struct rig *w = owner;

	if (w->poll == s)
		w->poll = NULL;
	if (w->held == s)
		w->held = NULL;
	(void)rc;
}

static void hub_fill(void *owner, struct ts_stream *s, struct buf *out)
{
	struct rig *w = owner;
	uint8_t m[512];

	if (s != w->poll || w->poll_sent)
		return;
	w->poll_sent = true;
	for (size_t i = 0; i < ARRAY_LEN(w->says) && w->says[i]; i++) {
		size_t n = ZSTD_compress(m + 4, sizeof(m) - 4, w->says[i], strlen(w->says[i]), 1);

		store_le32(m, (uint32_t)n);
		CHECK_INT(buf_append(out, m, 4 + n), ==, 0);
	}
	if (w->says[0])
		return;
	CHECK_INT(buf_append(out, m, map_message(m, sizeof(m))), ==, 0);
}

static void hub_output(void *owner)
{
	(void)owner;
}

static const struct ts2021_ops hub_ops = { .on_request = hub_request,
	.on_end = hub_end,
	.fill = hub_fill,
	.on_output = hub_output,
	.on_ready = hub_output };

static void dial(void *owner, enum ctlclient_conn id, const char *host, uint16_t port,
	enum ctlclient_tls tls)
{
	struct rig *w = owner;

	CHECK_STR(host, "hub.example");
	CHECK_INT(port, ==, id == CTL_CONN_TLS ? 443 : 80);
	CHECK_INT(tls, ==, id == CTL_CONN_TLS ? CTL_TLS_ANY_CERT : CTL_TLS_NONE);
	w->dialled[id] = true;
	w->dials++;
}

static void hangup(void *owner, enum ctlclient_conn id)
{
	struct rig *w = owner;

	w->dialled[id] = false;
	if (id != CTL_CONN_KEY && !w->dialled[CTL_CONN_PLAIN])
		w->hub = ts2021_free(w->hub);
}

static void describe(void *owner, struct tc_map_request *m)
{
	struct rig *w = owner;

	m->hostinfo = &w->host;
}

static void new_node_key(void *owner, struct node_pub *ret)
{
	struct rig *w = owner;

	memset(ret->b, (int)++w->keys_made, KEY_LEN);
}

static void on_hub_key(void *owner, const struct machine_pub *key)
{
	CHECK_INT(memcmp(key, &((struct rig *)owner)->hub_pub, sizeof(*key)), ==, 0);
}

static void on_registered(
	void *owner, const struct node_pub *key, const struct tc_register_response *r)
{
	CHECK_INT(key->b[0], ==,
		((struct rig *)owner)->keys_made ? ((struct rig *)owner)->keys_made : 9);
	(void)r;
}

static void on_map(void *owner, const struct tc_map_response *m)
{
	struct rig *w = owner;

	if (m->keep_alive)
		return;
	w->got_maps++;
	w->first_maps += ctlclient_map_is_first(w->c);
	if (w->says[0])
		return;
	CHECK_TRUE(m->node && m->node->id == 1);
	CHECK_STR(m->domain, "example.com");
}

static void on_state(void *owner, enum ctlclient_state s, const char *text)
{
	struct rig *w = owner;

	w->state = s;
	snprintf(w->text, sizeof(w->text), "%s", text ? text : "");
}

static void on_error(void *owner, const char *why)
{
	struct rig *w = owner;

	snprintf(w->trouble, sizeof(w->trouble), "%s", why);
}

static void on_refused(void *owner, const char *why)
{
	struct rig *w = owner;

	snprintf(w->refused, sizeof(w->refused), "%s", why ? why : "");
	w->n_refused++;
}

static void on_login_refused(void *owner, const char *why)
{
	struct rig *w = owner;

	snprintf(w->refused, sizeof(w->refused), "%s", why);
	w->n_logins_refused++;
}

static const struct ctlclient_ops ops = { .dial = dial,
	.hangup = hangup,
	.describe = describe,
	.new_node_key = new_node_key,
	.on_hub_key = on_hub_key,
	.on_registered = on_registered,
	.on_map = on_map,
	.on_state = on_state,
	.on_error = on_error,
	.on_refused = on_refused,
	.on_login_refused = on_login_refused };

static inline void answer_key(struct rig *w)
{
	char key[KEY_TEXT_MAX], text[512];
	size_t body = strlen(key_format(KEY_MACHINE, w->hub_pub.b, key)) + 16;

	CHECK_TRUE(ctlclient_output(w->c, CTL_CONN_KEY).len > 20);
	snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n{\"publicKey\":\"%s\"}", body, key);
	ctlclient_feed(w->c, CTL_CONN_KEY, view_of(text, strlen(text)), w->now);
}

/* Moves bytes until both sides are silent. */
static inline void pump(struct rig *w)
{
	for (bool moved = true; moved;) {
		struct view v;

		moved = false;
		ctlclient_connected(w->c, CTL_CONN_KEY, w->now);
		if (w->dialled[CTL_CONN_KEY])
			answer_key(w);
		ctlclient_connected(w->c, CTL_CONN_PLAIN, w->now);
		v = ctlclient_output(w->c, CTL_CONN_PLAIN);
		if (v.len && !w->hub) {
			struct ts2021_server how = { .self = &w->hub_secret,
				.hub_url = w->tells,
				.rng = &w->hub_rng.rng,
				.now = w->now.mono };
			struct http1_head h;
			size_t used;

			CHECK_INT(http1_parse(v.p, v.len, false, &h, &used), ==, 0);
			CHECK_INT(ts2021_accept(&w->hub, &h, &how, &hub_ops, w), ==, 0);
			ctlclient_written(w->c, CTL_CONN_PLAIN, used);
			moved = true;
		} else if (v.len) {
			CHECK_INT(ts2021_feed(w->hub, v.p, v.len, w->now.mono), ==, 0);
			ctlclient_written(w->c, CTL_CONN_PLAIN, v.len);
			moved = true;
		}
		v = w->hub ? ts2021_output(w->hub) : view_of("", 0);
		if (v.len) {
			uint8_t copy[65536];
			size_t n = MIN_OF(v.len, sizeof(copy));

			memcpy(copy, v.p, n);
			ts2021_written(w->hub, n);
			ctlclient_feed(w->c, CTL_CONN_PLAIN, view_of(copy, n), w->now);
			moved = true;
		}
	}
}

static const char joined[] = "{\"MachineAuthorized\":true}";

static inline void rig_open(struct rig *w, bool known, const char *auth_key)
{
	struct ctlclient_config cfg = {
		.url = "http://hub.example", .auth_key = auth_key, .registered = known
	};

	*w = (struct rig){ .map_status = 200,
		.register_status = 200,
		.lite_status = 200,
		.retry_after = -1,
		.now = { .mono = SEC(1), .wall = 1 } };
	for (size_t i = 0; i < ARRAY_LEN(w->register_answer); i++)
		w->register_answer[i] = joined;
	rng_seeded_init(&w->rng, 1);
	rng_seeded_init(&w->hub_rng, 2);
	key_generate(&w->hub_rng.rng, w->hub_secret.b);
	CHECK_INT(key_public(w->hub_secret.b, w->hub_pub.b), ==, 0);
	key_generate(&w->rng.rng, cfg.machine.b);
	w->host = (struct tc_hostinfo){ .hostname = "box", .os = "linux" };
	if (known) {
		cfg.hub = w->hub_pub;
		memset(cfg.node.b, 9, KEY_LEN);
	}
	CHECK_INT(ctlclient_new(&w->c, &cfg, &w->rng.rng, &ops, w), ==, 0);
}

static inline void rig_close(struct rig *w)
{
	w->c = ctlclient_free(w->c);
	w->hub = ts2021_free(w->hub);
}

/* To the next session, or the next try if there is no hub: the time that it took. */
static inline mono_ns next_session(struct rig *w, bool hub_there)
{
	mono_ns t0 = w->now.mono;
	unsigned dials = w->dials;

	while (w->dials == dials) {
		w->now.mono = ctlclient_deadline(w->c);
		ctlclient_tick(w->c, w->now);
	}
	if (hub_there)
		pump(w);
	else
		ctlclient_closed(w->c, CTL_CONN_PLAIN, -ERR_CLOSED, w->now);
	if (w->dialled[CTL_CONN_TLS])
		ctlclient_closed(w->c, CTL_CONN_TLS, -ERR_CLOSED, w->now);
	return w->now.mono - t0;
}

static inline void end_poll(struct rig *w)
{
	ts_stream_finish(w->poll);
	pump(w);
}

#endif

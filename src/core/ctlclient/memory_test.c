/* A node that is short of memory while it talks to its hub loses the session at most, and gets its map by the next one. */
#include "core/ctlclient/internal.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>
#include <zstd.h>

struct rig {
	struct ctlclient *c;
	struct rng_seeded rng, hub_rng;
	struct secret_machine hub_secret;
	struct machine_pub hub_pub;
	struct ts2021 *hub; /* NULL: no session */
	struct ts_stream *poll;
	struct now now;
	bool dialled[CTL_CONNS], poll_sent;
	uint8_t n_keys;
	unsigned n_maps, n_registered, n_by_key;
	enum ctlclient_state state;
};

static void hub_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	static const char joined[] = "{\"MachineAuthorized\":true}";
	struct rig *w = owner;
	int rc;

	if (!strcmp(path, "/machine/register")) {
		w->n_by_key += memmem(body.p, body.len, "hskey-auth-1", 12) != NULL;
		rc = ts_stream_respond(s, 200, NULL, view_of(joined, sizeof(joined) - 1));
	} else if (memmem(body.p, body.len, "\"Stream\":true", 13)) {
		w->poll = s;
		w->poll_sent = false;
		rc = ts_stream_begin(s, 200, NULL);
	} else {
		rc = ts_stream_respond(s, 200, NULL, VIEW_LIT(""));
	}
	if (rc < 0)
		ts_stream_reset(s);
}

static void hub_end(void *owner, struct ts_stream *s, int rc)
{
	struct rig *w = owner;

	if (w->poll == s)
		w->poll = NULL;
}

static void hub_fill(void *owner, struct ts_stream *s, struct buf *out)
{
	static const char map[] = "{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"a.\"}}";
	struct rig *w = owner;
	uint8_t m[512];
	size_t n;

	if (s != w->poll || w->poll_sent)
		return;
	n = ZSTD_compress(m + 4, sizeof(m) - 4, map, sizeof(map) - 1, 1);
	store_le32(m, (uint32_t)n);
	w->poll_sent = buf_append(out, m, 4 + n) == 0;
	if (!w->poll_sent)
		ts_stream_finish(s);
}

static void nothing(void *owner) {}

static const struct ts2021_ops hub_ops = { .on_request = hub_request,
	.on_end = hub_end,
	.fill = hub_fill,
	.on_output = nothing,
	.on_ready = nothing };

static void dial(void *owner, enum ctlclient_conn id, const char *host, uint16_t port,
	enum ctlclient_tls tls)
{
	((struct rig *)owner)->dialled[id] = true;
}

static void hangup(void *owner, enum ctlclient_conn id)
{
	struct rig *w = owner;

	w->dialled[id] = false;
	if (id == CTL_CONN_PLAIN)
		w->hub = ts2021_free(w->hub);
}

static void describe(void *owner, struct tc_map_request *m)
{
	static struct tc_hostinfo host = { .hostname = "box", .os = "linux" };

	m->hostinfo = &host;
}

static void new_node_key(void *owner, struct node_pub *ret)
{
	memset(ret->b, ++((struct rig *)owner)->n_keys, KEY_LEN);
}

static void on_hub_key(void *owner, const struct machine_pub *key) {}

static void on_registered(
	void *owner, const struct node_pub *key, const struct tc_register_response *r)
{
	((struct rig *)owner)->n_registered++;
}

static void on_map(void *owner, const struct tc_map_response *m)
{
	((struct rig *)owner)->n_maps++;
}

static void on_state(void *owner, enum ctlclient_state s, const char *text)
{
	((struct rig *)owner)->state = s;
}

static void on_error(void *owner, const char *why) {}

static const struct ctlclient_ops ops = { .dial = dial,
	.hangup = hangup,
	.describe = describe,
	.new_node_key = new_node_key,
	.on_hub_key = on_hub_key,
	.on_registered = on_registered,
	.on_map = on_map,
	.on_state = on_state,
	.on_error = on_error };

static void answer_key(struct rig *w)
{
	char key[KEY_TEXT_MAX], text[512];
	size_t body = strlen(key_format(KEY_MACHINE, w->hub_pub.b, key)) + 16;

	snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n{\"publicKey\":\"%s\"}", body, key);
	ctlclient_feed(w->c, CTL_CONN_KEY, view_of(text, strlen(text)), w->now);
}

static void lose(struct rig *w)
{
	w->hub = ts2021_free(w->hub);
	ctlclient_closed(w->c, CTL_CONN_PLAIN, -ERR_CLOSED, w->now);
}

static int accept_node(struct rig *w, struct view v)
{
	struct ts2021_server how = {
		.self = &w->hub_secret, .rng = &w->hub_rng.rng, .now = w->now.mono
	};
	struct http1_head h;
	size_t used;
	int rc;

	CHECK_INT(http1_parse(v.p, v.len, false, &h, &used), ==, 0);
	rc = ts2021_accept(&w->hub, &h, &how, &hub_ops, w);
	ctlclient_written(w->c, CTL_CONN_PLAIN, used);
	return rc;
}

/* False: neither side has anything to say. */
static bool exchange(struct rig *w)
{
	static uint8_t copy[65536];
	bool moved = false;
	struct view v;
	int rc = 0;

	if (w->dialled[CTL_CONN_KEY]) {
		ctlclient_connected(w->c, CTL_CONN_KEY, w->now);
		answer_key(w);
	}
	if (w->dialled[CTL_CONN_TLS]) /* this hub has none */
		ctlclient_closed(w->c, CTL_CONN_TLS, -ERR_CLOSED, w->now);
	if (!w->dialled[CTL_CONN_PLAIN])
		return false;
	ctlclient_connected(w->c, CTL_CONN_PLAIN, w->now);
	v = ctlclient_output(w->c, CTL_CONN_PLAIN);
	if (v.len) {
		moved = true;
		if (!w->hub) {
			rc = accept_node(w, v);
		} else {
			rc = ts2021_feed(w->hub, v.p, v.len, w->now.mono);
			ctlclient_written(w->c, CTL_CONN_PLAIN, v.len);
		}
	}
	v = rc == 0 && w->hub ? ts2021_output(w->hub) : view_of("", 0);
	if (v.len) {
		size_t n = MIN_OF(v.len, sizeof(copy));

		moved = true;
		memcpy(copy, v.p, n);
		ts2021_written(w->hub, n);
		ctlclient_feed(w->c, CTL_CONN_PLAIN, view_of(copy, n), w->now);
	}
	if (rc < 0)
		lose(w);
	return moved;
}

static void run(struct rig *w, mono_ns d)
{
	for (mono_ns end = w->now.mono + d; w->now.mono < end; w->now.mono += MSEC(250)) {
		w->now.wall += 250;
		ctlclient_tick(w->c, w->now);
		if (w->hub && ts2021_check(w->hub, w->now.mono) < 0)
			lose(w);
		while (exchange(w))
			;
	}
}

static int rig_open(struct rig *w)
{
	struct ctlclient_config cfg = { .url = "http://hub.example", .auth_key = "hskey-auth-1" };

	*w = (struct rig){ .now = { .mono = SEC(1), .wall = 1800000000000 } };
	rng_seeded_init(&w->rng, 1);
	rng_seeded_init(&w->hub_rng, 2);
	key_generate(&w->hub_rng.rng, w->hub_secret.b);
	CHECK_INT(key_public(w->hub_secret.b, w->hub_pub.b), ==, 0);
	key_generate(&w->rng.rng, cfg.machine.b);
	return ctlclient_new(&w->c, &cfg, &w->rng.rng, &ops, w);
}

static void live_through(struct rig *w)
{
	ctlclient_start(w->c, w->now);
	run(w, SEC(2));
	ctlclient_update(w->c, w->now);
	run(w, SEC(1));
	ctlclient_login(w->c, "hskey-auth-1", w->now);
	run(w, SEC(2));
	lose(w);
	run(w, SEC(2));
}

static void short_of_memory_the_map_comes_with_a_later_session(void **state)
{
	static struct rig w;
	bool more = true;

	for (size_t n = 1; more; n++) {
		int rc;

		CHECK_ROW("allocation %zu", n);
		memory_refuse(n);
		rc = rig_open(&w);
		if (rc == 0)
			live_through(&w);
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM));
		if (rc == 0) {
			CHECK_INT(w.n_by_key, >, 0);
			/* What fails while output is made shows when nothing comes any more. */
			run(&w, CTLCLIENT_SILENCE + SEC(10));
			CHECK_INT(w.state, ==, CTL_RUNNING);
			CHECK_TRUE(ctlclient_hears_maps(w.c));
			CHECK_TRUE(w.n_maps && w.n_registered);
			ctlclient_free(w.c);
		}
		w.hub = ts2021_free(w.hub);
		CHECK_TRUE(more || n > 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_the_map_comes_with_a_later_session),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Connections: the hub's key, the race of plaintext and TLS. */
#include "base/text/text.h"
#include "core/ctlclient/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TLS_DELAY MSEC(500)
#define DIAL_BUDGET SEC(10)
#define KEY_ANSWER_MAX 65536

enum {
	HOPS_MAX = 3,
	SENT_ON = HTTP1_MORE + 1
}; /* SENT_ON: take_key's, the key is to be asked for elsewhere */

static void hangup(struct ctlclient *c, enum ctlclient_conn id)
{
	struct conn *n = &c->conn[id];

	if (!n->open)
		return;
	n->open = n->up = false;
	n->t = ts2021_free(n->t);
	buf_fini(&n->in);
	buf_fini(&n->out);
	c->ops->hangup(c->owner, id);
}

static void drop_all(struct ctlclient *c)
{
	c->lost = true; /* silences the ends that freeing brings */
	for (int i = 0; i < CTL_CONNS; i++)
		hangup(c, (enum ctlclient_conn)i);
	c->lost = false;
	c->won = CTL_CONNS;
	c->tls_at = c->dial_until = MONO_NEVER;
	ctlclient_calls_reset(c);
}

static void dial(struct ctlclient *c, enum ctlclient_conn id, uint16_t port, enum ctlclient_tls tls)
{
	c->conn[id].open = true;
	c->ops->dial(c->owner, id, c->at.host, port, tls);
}

static const struct place *asked_place(const struct ctlclient *c)
{
	return c->asked == ASKED_AT ? &c->at : &c->next;
}

static void ask_key(struct ctlclient *c, enum asked who)
{
	const struct place *p;

	c->asked = who;
	p = asked_place(c);
	c->conn[CTL_CONN_KEY].open = true;
	c->dial_until = mono_add(c->now.mono, DIAL_BUDGET);
	c->ops->dial(c->owner, CTL_CONN_KEY, p->host, p->https ? p->tls_port : p->plain_port,
		p->https ? CTL_TLS_VERIFIED : CTL_TLS_NONE);
}

static void dial_tls(struct ctlclient *c)
{
	c->tls_at = MONO_NEVER;
	if (c->at.tls_port && !c->conn[CTL_CONN_TLS].open && c->won == CTL_CONNS)
		dial(c, CTL_CONN_TLS, c->at.tls_port, CTL_TLS_ANY_CERT);
}

static void open_session(struct ctlclient *c)
{
	c->retry_at = MONO_NEVER;
	c->dial_until = mono_add(c->now.mono, DIAL_BUDGET);
	c->location[0] = 0;
	for (int i = 0; i < CTL_CONNS; i++)
		c->conn[i].rc = 0;
	c->hops = 0;
	c->refused = false;
	c->asked = ASKED_AT;
	c->told[0] = 0;
	if (key_is_zero(c->hub.b)) {
		ask_key(c, ASKED_AT);
		return;
	}
	c->tls_at = c->at.tls_port ? mono_add(c->now.mono, TLS_DELAY) : MONO_NEVER;
	dial(c, CTL_CONN_PLAIN, c->at.plain_port, CTL_TLS_NONE);
}

/* The hub said where it wants to be found. Is it there, for us too? If not we stay. */
static void look_where_told(struct ctlclient *c)
{
	bool good = place_parse(&c->next, c->told) == 0 && strcmp(c->next.url, c->at.url) != 0 &&
		    !(c->at.https && !c->next.https);

	c->told[0] = 0;
	if (good && !c->conn[CTL_CONN_KEY].open)
		ask_key(c, ASKED_TOLD);
}

/* The end of every call: what callbacks decided is done here, outside of the protocol engines' own frames. */
static void run_deferred(struct ctlclient *c)
{
	if (c->lost && c->retry_at == MONO_NEVER)
		ctlclient_fail(c, REASON_HUB_MAP, 0, 0);
	if (c->lost)
		drop_all(c);
	if (c->state == CTL_STOPPED || c->state == CTL_LOGGED_OUT)
		return;
	if (c->won != CTL_CONNS)
		ctlclient_calls_send(c);
	if (c->won != CTL_CONNS && !c->lost && c->told[0])
		look_where_told(c);
	if (c->lost) {
		ctlclient_fail(c, REASON_HUB_MAP, 0, 0);
		drop_all(c);
	}
	if (c->won == CTL_CONNS && c->retry_at == MONO_NEVER && c->dial_until == MONO_NEVER) {
		ctlclient_fail(c, REASON_HUB_MAP, 0, 0);
		c->lost = false;
	}
	if (c->now.mono >= c->retry_at)
		open_session(c);
}

static void on_ready(void *owner)
{
	((struct ctlclient *)owner)->noise_done =
		true; /* ctlclient_feed knows on which connection */
}

static void on_output(void *owner)
{
	(void)owner; /* the owner looks after each call */
}

struct early {
	const char *hub_url;
};
static const struct json_field early_fields[] = {
	JSON_F(struct early, hub_url, "hubURL", json_str, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(early_type, struct early, early_fields);

static void on_early(void *owner, struct view json)
{
	struct ctlclient *c = owner;
	struct early e = { 0 };

	if (json_decode(&early_type, json.p, json.len, &e, &c->arena, NULL) == 0 && e.hub_url &&
		strlen(e.hub_url) < sizeof(c->told))
		snprintf(c->told, sizeof(c->told), "%s", e.hub_url);
	arena_reset(&c->arena);
}

static const struct ts2021_ops session_ops = {
	.on_response = ctlclient_on_response,
	.on_data = ctlclient_on_data,
	.on_end = ctlclient_on_end,
	.on_output = on_output,
	.on_ready = on_ready,
	.on_early = on_early,
};

/* What answers in another language, by its first bytes: a TLS alert or handshake record, or no HTTP at all. */
static int not_http(struct view in)
{
	bool tls = in.len >= 2 && (in.p[0] == 0x15 || in.p[0] == 0x16) && in.p[1] == 3;

	if (tls)
		return -ERR_WANTS_TLS;
	return memcmp(in.p, "HTTP/", MIN_OF(in.len, (size_t)5)) != 0 ? -ERR_NOT_HTTP : 0;
}

/* A hub is where it was, by its key; or is one for the first time. */
static int accept_key(struct ctlclient *c, const struct machine_pub *key)
{
	bool same = key_is_zero(c->known.b) || !memcmp(&c->known, key, sizeof(*key));

	if (!same && (c->strict || c->asked != ASKED_AT)) {
		if (c->strict && c->asked != ASKED_TOLD)
			c->ops->on_other_hub(c->owner);
		return -ERR_OTHER_HUB;
	}
	if (!same && !c->at.https &&
		!key_is_zero(
			c->node.b)) { /* nothing vouches for it, and we have something to lose */
		if (c->ops->on_other_key)
			c->ops->on_other_key(c->owner);
		return -ERR_OTHER_KEY;
	}
	c->strict = false;
	c->hub = c->known = *key;
	if (c->asked != ASKED_AT) {
		c->at = c->next;
		if (c->ops->on_moved)
			c->ops->on_moved(c->owner, c->at.url);
	}
	c->ops->on_hub_key(c->owner, &c->hub);
	return 0;
}

/* For good, to where only the hub that we know can show its key. */
static bool is_sent_on(struct ctlclient *c, int status)
{
	struct place next;

	if ((status != 301 && status != 308) || key_is_zero(c->known.b) || c->hops == HOPS_MAX ||
		place_redirected(asked_place(c), c->location, &next) < 0)
		return false;
	c->hops++;
	c->next = next;
	return true;
}

static int take_key(struct ctlclient *c, struct conn *n)
{
	struct http1_head h;
	struct tc_server_keys keys;
	size_t used;
	int rc = not_http(buf_view(&n->in));

	if (rc == 0)
		rc = http1_parse(buf_data(&n->in), buf_len(&n->in), true, &h, &used);
	if (rc != 0)
		return rc < 0 && rc != -ERR_WANTS_TLS ? -ERR_NOT_HTTP : rc;
	if (h.status != 200) {
		struct view to = http1_find(&h, "Location");

		snprintf(c->location, sizeof(c->location), "%.*s",
			to.len < sizeof(c->location) ? (int)to.len : 0, (const char *)to.p);
		return is_sent_on(c, h.status) ? SENT_ON : err_http(h.status);
	}
	if (h.chunked || !h.has_content_length || h.content_length > KEY_ANSWER_MAX / 2)
		return -ERR_NOT_HUB;
	if (buf_len(&n->in) - used < h.content_length)
		return HTTP1_MORE;
	rc = json_decode(&tc_server_keys_type, buf_data(&n->in) + used, (size_t)h.content_length,
		&keys, &c->arena, NULL);
	arena_reset(&c->arena);
	if (rc < 0 || key_is_zero(keys.public_key.b))
		return -ERR_NOT_HUB;
	return accept_key(c, &keys.public_key);
}

void ctlclient_connected(struct ctlclient *c, enum ctlclient_conn id, struct now now)
{
	struct conn *n = &c->conn[id];
	int rc;

	c->now = now;
	if (!n->open || n->up)
		return;
	n->up = true;
	if (id == CTL_CONN_KEY) {
		buf_init(&n->in, KEY_ANSWER_MAX);
		buf_init(&n->out, 1024);
		rc = buf_printf(&n->out,
			"GET /key?v=%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
			CTLCLIENT_VERSION, asked_place(c)->authority);
	} else {
		rc = ts2021_connect(&n->t, c->at.authority, &c->machine, &c->hub, CTLCLIENT_VERSION,
			c->rng, &session_ops, c);
	}
	if (rc < 0)
		ctlclient_fail(c, REASON_HUB_SESSION, rc, 0);
	run_deferred(c);
}

/* Of the two that raced, the one that the address speaks of is told of. */
static int race_rc(const struct ctlclient *c, int otherwise)
{
	int rc = c->conn[c->at.https ? CTL_CONN_TLS : CTL_CONN_PLAIN].rc;

	return rc ? rc : otherwise;
}

/* Where the hub wants to be found it is not, for us. The session goes on. */
static void told_in_vain(struct ctlclient *c)
{
	hangup(c, CTL_CONN_KEY);
	c->dial_until = MONO_NEVER;
	c->asked = ASKED_AT;
}

/* A connection is gone: the session with it, or one of the two that raced. */
static void leg_lost(struct ctlclient *c, enum ctlclient_conn id, int rc)
{
	enum ctlclient_conn other = id == CTL_CONN_PLAIN ? CTL_CONN_TLS : CTL_CONN_PLAIN;
	bool session = c->won == id;

	if (id == CTL_CONN_KEY && c->asked == ASKED_TOLD) {
		told_in_vain(c);
		return;
	}
	c->conn[id].rc = rc;
	if (session)
		c->lost = true; /* one failure, not one for each stream */
	c->refused |= id != CTL_CONN_KEY && !session && c->conn[id].up;
	hangup(c, id);
	if (!session && id == CTL_CONN_PLAIN && c->won == CTL_CONNS)
		dial_tls(c);
	if (c->refused && c->won == CTL_CONNS && !c->conn[other].open)
		c->hub = (struct machine_pub){ 0 }; /* it may have another key by now: ask */
	if (session || id == CTL_CONN_KEY)
		ctlclient_fail(c, session ? REASON_HUB_MAP : REASON_HUB_KEY, rc, 0);
	else if (c->won == CTL_CONNS && !c->conn[other].open)
		ctlclient_fail(c, REASON_HUB_SESSION, race_rc(c, rc), 0);
}

static void feed_session(struct ctlclient *c, enum ctlclient_conn id, struct view data)
{
	int rc;

	c->noise_done = false;
	rc = ts2021_feed(c->conn[id].t, data.p, data.len, c->now.mono);
	if (rc < 0) {
		leg_lost(c, id, rc);
	} else if (c->won == CTL_CONNS && c->noise_done) {
		c->won = id;
		c->session_at = c->now.mono;
		c->tls_at = c->dial_until = MONO_NEVER;
		hangup(c, id == CTL_CONN_TLS ? CTL_CONN_PLAIN : CTL_CONN_TLS);
	} else if (c->ask_at != MONO_NEVER) {
		ctlclient_note_alive(c);
	}
}

static void key_answered(struct ctlclient *c, int rc)
{
	enum asked who = c->asked;

	if (rc < 0 && who != ASKED_TOLD) {
		ctlclient_fail(c, REASON_HUB_KEY, rc, 0);
	} else if (rc == SENT_ON) {
		hangup(c, CTL_CONN_KEY);
		ask_key(c, who == ASKED_TOLD ? ASKED_TOLD : ASKED_SENT_ON);
	} else if (who == ASKED_TOLD) {
		told_in_vain(
			c); /* or not in vain: the session stays where it is, the next one is there */
	} else {
		hangup(c, CTL_CONN_KEY);
		c->dial_until = MONO_NEVER;
		open_session(c);
	}
}

/* A hub that hangs does not answer a login either, and its system acknowledges what we send. */
static void ask_hub(struct ctlclient *c)
{
	c->ask_at = mono_add(c->now.mono, CTLCLIENT_SILENCE / 2);
	if (c->won != CTL_CONNS && ts2021_ping(c->conn[c->won].t) < 0)
		ctlclient_fail(c, REASON_HUB_REGISTER, -ENOMEM, 0);
}

void ctlclient_feed(struct ctlclient *c, enum ctlclient_conn id, struct view data, struct now now)
{
	struct conn *n = &c->conn[id];

	c->now = now;
	if (!n->up)
		return;
	if (id == CTL_CONN_KEY) {
		int rc = buf_append(&n->in, data.p, data.len);

		if (rc == 0)
			rc = take_key(c, n);
		if (rc != HTTP1_MORE)
			key_answered(c, rc);
	} else {
		feed_session(c, id, data);
	}
	run_deferred(c);
}

void ctlclient_closed(struct ctlclient *c, enum ctlclient_conn id, int rc, struct now now)
{
	c->now = now;
	if (!c->conn[id].open)
		return;
	leg_lost(c, id, rc ? rc : -ERR_CLOSED);
	run_deferred(c);
}

struct view ctlclient_output(struct ctlclient *c, enum ctlclient_conn id)
{
	struct conn *n = &c->conn[id];

	if (!n->up)
		return view_of("", 0);
	return n->t ? ts2021_output(n->t) : buf_view(&n->out);
}

void ctlclient_written(struct ctlclient *c, enum ctlclient_conn id, size_t len)
{
	struct conn *n = &c->conn[id];

	if (n->t)
		ts2021_written(n->t, len);
	else if (n->up)
		buf_consume(&n->out, len);
}

mono_ns ctlclient_deadline(const struct ctlclient *c)
{
	mono_ns t =
		mono_min(mono_min(c->retry_at, c->tls_at), mono_min(c->dial_until, c->silent_at));

	t = mono_min(t, c->ask_at);
	return c->lite_at ? mono_min(t, c->lite_at) : t;
}

/* Not even a connection, or a connection and not a word. */
static void no_answer(struct ctlclient *c)
{
	bool key = c->conn[CTL_CONN_KEY].open;
	bool up = c->conn[key ? CTL_CONN_KEY : c->at.https ? CTL_CONN_TLS : CTL_CONN_PLAIN].up;

	if (key && c->asked == ASKED_TOLD) {
		told_in_vain(c);
		return;
	}
	ctlclient_fail(c, key ? REASON_HUB_KEY : REASON_HUB_SESSION,
		up ? -ERR_SILENT : race_rc(c, -ETIMEDOUT), 0);
}

void ctlclient_tick(struct ctlclient *c, struct now now)
{
	c->now = now;
	if (now.mono >= c->tls_at)
		dial_tls(c);
	if (now.mono >= c->dial_until)
		no_answer(c);
	else if (now.mono >= c->silent_at)
		ctlclient_fail(c, c->call[CALL_MAP].s ? REASON_HUB_MAP : REASON_HUB_REGISTER,
			-ERR_SILENT, 0);
	else if (now.mono >= c->ask_at)
		ask_hub(c);
	run_deferred(c);
}

void ctlclient_start(struct ctlclient *c, struct now now)
{
	c->now = now;
	if (c->state != CTL_STOPPED && c->state != CTL_LOGGED_OUT)
		return;
	ctlclient_set_state(c, CTL_CONNECTING, NULL);
	c->retry_at = c->lost_at = now.mono;
	run_deferred(c);
}

void ctlclient_stop(struct ctlclient *c)
{
	drop_all(c);
	c->retry_at = MONO_NEVER;
	ctlclient_set_state(c, CTL_STOPPED, NULL);
}

void ctlclient_reconnect(struct ctlclient *c, struct now now)
{
	c->now = now;
	if (c->state == CTL_STOPPED || c->state == CTL_LOGGED_OUT)
		return;
	drop_all(c);
	c->failures = 0;
	c->retry_at = c->lost_at = now.mono;
	run_deferred(c);
}

/* What was asked before no longer counts. */
static void drop_register(struct ctlclient *c)
{
	struct ts_stream *old = c->call[CALL_REGISTER].s;

	if (!old)
		return;
	c->call[CALL_REGISTER].s = NULL;
	ts_stream_set_owner(old, NULL);
	ts_stream_reset(old);
}

void ctlclient_login(struct ctlclient *c, const char *auth_key, struct now now)
{
	c->now = now;
	ctlclient_auth_key_set(c, auth_key);
	free(c->followup);
	c->followup = NULL;
	c->known = (struct machine_pub){ 0 }; /* whoever logs in means the hub that is there now */
	c->login_wanted = true;
	c->logout = false;
	c->ops->new_node_key(c->owner, &c->trial);
	drop_register(c);
	if (c->state == CTL_LOGGED_OUT || c->state == CTL_STOPPED)
		ctlclient_start(c, now);
	else if (c->won == CTL_CONNS && c->dial_until == MONO_NEVER)
		c->retry_at = now.mono; /* somebody is waiting: no backoff */
	run_deferred(c);
}

bool ctlclient_joins_by_key(const struct ctlclient *c)
{
	return c->auth_key && !c->followup && (key_is_zero(c->node.b) || !key_is_zero(c->trial.b));
}

void ctlclient_logout(struct ctlclient *c, struct now now)
{
	c->now = now;
	if (c->state == CTL_LOGGED_OUT || key_is_zero(c->node.b))
		return;
	c->logout = true;
	if (c->followup) /* the hub holds it until a person has decided */
		drop_register(c);
	run_deferred(c);
}

void ctlclient_update(struct ctlclient *c, struct now now)
{
	c->now = now;
	c->dirty = true;
	run_deferred(c);
}

int ctlclient_request(struct ctlclient *c, const char *method, const char *path, struct view body)
{
	struct ts_stream *s;

	if (c->won == CTL_CONNS || c->lost)
		return -ERR_BAD_STATE;
	return ts2021_request(c->conn[c->won].t, method, path, body, NULL, &s);
}

int ctlclient_new(struct ctlclient **ret, const struct ctlclient_config *cfg, struct rng *rng,
	const struct ctlclient_ops *ops, void *owner)
{
	struct ctlclient *c = calloc(1, sizeof(*c));
	uint8_t handle[16];
	int rc;

	if (!c)
		return -ENOMEM;
	*c = (struct ctlclient){ .ops = ops,
		.owner = owner,
		.rng = rng,
		.machine = cfg->machine,
		.hub = cfg->hub,
		.known = key_is_zero(cfg->hub.b) ? cfg->known : cfg->hub,
		.strict = cfg->strict,
		.won = CTL_CONNS,
		.retry_at = MONO_NEVER,
		.tls_at = MONO_NEVER,
		.dial_until = MONO_NEVER,
		.silent_at = MONO_NEVER,
		.ask_at = MONO_NEVER,
		.node = cfg->node,
		.old_node = cfg->old_node,
		.registered = cfg->registered,
		.ephemeral = cfg->ephemeral };
	arena_init(&c->arena, CTLCLIENT_MAP_MAX);
	rng_fill(rng, handle, sizeof(handle));
	hex_encode(handle, sizeof(handle), c->handle);
	for (int i = 0; i < CALLS; i++) {
		c->call[i] = (struct call){ .c = c, .kind = (enum call_kind)i };
		buf_init(&c->call[i].body, CTLCLIENT_REPLY_MAX);
	}
	rc = place_parse(&c->at, cfg->url);
	if (rc == 0)
		rc = mapstream_init(&c->maps, CTLCLIENT_FRAME_MAX, CTLCLIENT_MAP_MAX);
	if (rc == 0 && cfg->auth_key && !(c->auth_key = strdup(cfg->auth_key)))
		rc = -ENOMEM;
	if (rc < 0) {
		ctlclient_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

struct ctlclient *ctlclient_free(struct ctlclient *c)
{
	if (!c)
		return NULL;
	drop_all(c);
	mapstream_fini(&c->maps);
	arena_fini(&c->arena);
	ctlclient_auth_key_set(c, NULL);
	free(c->followup);
	key_wipe(c->machine.b, sizeof(c->machine.b));
	free(c);
	return NULL;
}

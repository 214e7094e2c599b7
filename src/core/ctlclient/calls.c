/* The requests of a session and what their answers mean. */
#include "core/ctlclient/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define LOGOUT_EXPIRY \
	123000 /* 1970-01-01T00:02:03Z: the past that Go clients send, and hubs know it */

/*
 * How long the hub wants us to wait; 0: the answer does not say "busy". A 503 does only with the header: proxies send it, too.
 * We wait exactly so long, and no back-off of our own is added or counted.
 */
static mono_ns busy_wait(struct ctlclient *c, const struct call *call)
{
	struct view v = view_of(call->retry_after, strlen(call->retry_after));
	unix_ms ms;

	if (call->status != 429 && (call->status != 503 || !v.len))
		return 0;
	if (http1_retry_after(v, c->now.wall, &ms) < 0 || ms <= 0 ||
		ms > CTLCLIENT_RETRY_BELIEVED / MSEC(1))
		return SEC(5) + (mono_ns)rng_below(c->rng, (uint64_t)SEC(5));
	return mono_min(MSEC(ms), CTLCLIENT_RETRY_MAX);
}

static const struct node_pub *registering(const struct ctlclient *c)
{
	return key_is_zero(c->trial.b) ? &c->node : &c->trial;
}

static int submit(struct ctlclient *c, enum call_kind kind, const char *path,
	const struct json_type *type, const void *doc)
{
	struct call *call = &c->call[kind];
	struct buf body;
	int rc;

	call->less = c->less;
	call->logout = c->logout;
	buf_init(&body, CTLCLIENT_REPLY_MAX);
	rc = json_encode(type, doc, &body);
	if (rc == 0) {
		call->status = 0;
		call->retry_after[0] = 0;
		buf_clear(&call->body);
		rc = ts2021_request(
			c->conn[c->won].t, "POST", path, buf_view(&body), call, &call->s);
	}
	buf_fini(&body);
	return rc;
}

static int send_register(struct ctlclient *c)
{
	struct tc_map_request self = { 0 };
	struct settings_copy copy;
	struct tc_auth auth = { .auth_key = c->auth_key };
	bool fresh = !key_is_zero(c->trial.b) && !key_is_zero(c->node.b);
	struct tc_register_request r = {
		.version = CTLCLIENT_VERSION,
		.node_key = *registering(c),
		.old_node_key =
			fresh ? c->node : c->old_node, /* whose successor the fresh one is */
		.auth = c->auth_key && !c->followup && !c->logout ? &auth : NULL,
		.expiry = c->logout ? LOGOUT_EXPIRY : 0,
		.followup = c->followup,
		.ephemeral = c->ephemeral,
	};

	c->ops->describe(c->owner, &self);
	settings_leave_out(c, &self, &copy);
	r.hostinfo = self.hostinfo;
	return submit(c, CALL_REGISTER, "/machine/register", &tc_register_request_type, &r);
}

static int send_map(struct ctlclient *c, enum call_kind kind)
{
	struct tc_map_request m = { 0 };
	struct settings_copy copy;

	c->ops->describe(c->owner, &m);
	settings_leave_out(c, &m, &copy);
	m.version = CTLCLIENT_VERSION;
	m.compress = "zstd";
	m.keep_alive = true;
	m.node_key = c->node;
	m.connection_handle = c->handle;
	m.stream = kind == CALL_MAP;
	m.omit_peers = kind == CALL_LITE;
	return submit(c, kind, "/machine/map", &tc_map_request_type, &m);
}

bool ctlclient_map_is_first(const struct ctlclient *c)
{
	return c->first_map;
}

static int send_call(struct ctlclient *c, enum call_kind kind)
{
	int rc;

	do
		rc = kind == CALL_REGISTER ? send_register(c) : send_map(c, kind);
	while ((rc == -ERR_TOO_BIG || rc == -ERR_TOO_MANY) &&
		settings_try_less(c, &c->call[kind], view_of(err_text(rc), strlen(err_text(rc)))));
	return rc;
}

/* Is it the request that the hub does not like? */
static bool is_refusal(int status)
{
	return status == 400 || status == 413 || status == 422;
}

bool ctlclient_hears_maps(const struct ctlclient *c)
{
	return c->maps_began && c->call[CALL_MAP].s;
}

bool ctlclient_may_poll(const struct ctlclient *c)
{
	return c->registered && !c->logout && !key_is_zero(c->node.b);
}

void ctlclient_calls_send(struct ctlclient *c)
{
	int rc = 0;

	if (c->won == CTL_CONNS || c->lost)
		return;
	if (!c->call[CALL_REGISTER].s && (!c->checked || c->login_wanted || c->logout)) {
		if (key_is_zero(registering(c)->b))
			c->ops->new_node_key(c->owner, &c->trial);
		rc = send_call(c, CALL_REGISTER);
		if (c->silent_at == MONO_NEVER)
			ctlclient_note_alive(c);
	}
	if (rc == 0 && ctlclient_may_poll(c) && !c->call[CALL_MAP].s) {
		rc = send_call(c, CALL_MAP);
		c->maps_began = false;
		c->silent_at = mono_add(c->now.mono, CTLCLIENT_SILENCE);
		c->ask_at = MONO_NEVER; /* from here on the stream itself has to be alive */
		/* What the poll's request says is advisory: some hubs take state from lite updates only. */
		c->dirty = true;
	}
	if (rc == 0 && ctlclient_may_poll(c) && c->dirty && !c->call[CALL_LITE].s &&
		c->now.mono >= c->lite_at) {
		c->dirty = false;
		c->lite_at = 0;
		rc = send_call(c, CALL_LITE);
	}
	if (rc < 0)
		c->lost = true;
}

void ctlclient_calls_reset(struct ctlclient *c)
{
	for (int i = 0; i < CALLS; i++) {
		c->call[i].s = NULL;
		buf_fini(&c->call[i].body);
	}
	mapstream_reset(&c->maps);
	c->silent_at = c->ask_at = MONO_NEVER;
	c->lite_at = 0; /* a new session tells who we are once */
}

void ctlclient_on_response(void *owner, struct ts_stream *s, int status)
{
	struct call *call = ts_stream_owner(s);

	(void)owner;
	if (call && call->s == s) {
		call->status = status;
		snprintf(call->retry_after, sizeof(call->retry_after), "%s",
			ts_stream_retry_after(s));
		if (status == 200 && call->kind != CALL_REGISTER)
			settings_taken(call->c, true);
	}
}

static int take_maps(struct ctlclient *c, struct view data)
{
	struct view json;
	int rc = mapstream_feed(&c->maps, data);

	if (rc < 0)
		return rc;
	c->silent_at = mono_add(c->now.mono, CTLCLIENT_SILENCE);
	while ((rc = mapstream_next(&c->maps, &json)) > 0) {
		struct tc_map_response m;

		rc = json_decode(&tc_map_response_type, json.p, json.len, &m, &c->arena, NULL);
		if (rc < 0)
			return rc;
		if (!m.keep_alive && !c->maps_began && !m.node)
			return -ERR_PEER; /* a delta to nothing */
		c->first_map = !m.keep_alive && !c->maps_began;
		c->maps_began |= c->first_map;
		if (!m.keep_alive && c->state != CTL_NEEDS_LOGIN)
			ctlclient_set_state(c, CTL_RUNNING, NULL);
		c->ops->on_map(c->owner, &m);
		arena_reset(&c->arena);
	}
	return rc;
}

void ctlclient_on_data(void *owner, struct ts_stream *s, struct view data)
{
	struct ctlclient *c = owner;
	struct call *call = ts_stream_owner(s);
	int rc = 0;

	if (!call || call->s != s || c->lost)
		return;
	if (call->kind == CALL_MAP && call->status == 200)
		rc = take_maps(c, data);
	else if (call->kind != CALL_LITE || call->status != 200)
		rc = buf_append(&call->body, data.p, data.len);
	if (rc < 0)
		c->lost = true;
}

static void registered(struct ctlclient *c, const struct tc_register_response *r)
{
	bool changed = !key_is_zero(c->trial.b);

	free(c->followup);
	c->followup = NULL;
	if (changed) {
		c->old_node = c->node;
		c->node = c->trial;
		c->trial = (struct node_pub){ 0 };
		if (c->call[CALL_MAP].s) { /* the old key's poll ends here */
			struct ts_stream *old = c->call[CALL_MAP].s;

			c->call[CALL_MAP].s = NULL;
			ts_stream_set_owner(old, NULL);
			ts_stream_reset(old);
			mapstream_reset(&c->maps);
		}
	}
	/* It admits once: an expired key is not to be renewed behind the owner's back. */
	ctlclient_auth_key_set(c, NULL);
	c->registered = c->checked = true;
	settings_taken(c, false);
	c->login_wanted = c->fresh_key = false;
	c->ops->on_registered(c->owner, &c->node, r);
	if (c->state != CTL_RUNNING || changed)
		ctlclient_set_state(c, CTL_CONNECTING, NULL);
}

/* A person has to do something: 24 to 36 s, so that those who were refused together do not come together again. */
static mono_ns refused_wait(struct ctlclient *c)
{
	return SEC(24) + (mono_ns)rng_below(c->rng, (uint64_t)SEC(12));
}

/* The hub wants another key than the one offered. */
static void renew_key(struct ctlclient *c)
{
	if (c->fresh_key) {
		ctlclient_set_state(c, CTL_NEEDS_LOGIN, "the hub calls a fresh key expired");
		ctlclient_fail(c, REASON_HUB_REGISTER, 0, refused_wait(c));
		return;
	}
	c->fresh_key = true;
	c->registered = false;
	c->checked = false;
	c->old_node = *registering(c);
	c->ops->new_node_key(c->owner, &c->trial);
	free(c->followup);
	c->followup = NULL;
}

/* The key that there is serves on: nothing ends but the login. */
static void refuse_login(struct ctlclient *c, const char *why)
{
	free(c->followup);
	c->followup = NULL;
	c->trial = (struct node_pub){ 0 };
	c->login_wanted = false;
	ctlclient_auth_key_set(c, NULL);
	if (c->state == CTL_NEEDS_LOGIN)
		ctlclient_set_state(c, c->call[CALL_MAP].s ? CTL_RUNNING : CTL_CONNECTING, NULL);
	c->ops->on_login_refused(c->owner, why);
}

static void take_error(struct ctlclient *c, const struct call *call, const char *why)
{
	bool serves = c->registered && !c->fresh_key && !key_is_zero(c->trial.b) &&
		      !key_is_zero(c->node.b);

	if (settings_try_less(c, call, view_of(why, strlen(why))))
		return; /* c->checked is false: it is sent again */
	if (serves && c->ops->on_login_refused) {
		refuse_login(c, why);
		return;
	}
	ctlclient_set_state(c, CTL_NEEDS_LOGIN, why);
	ctlclient_fail(c, REASON_HUB_REGISTER, 0, refused_wait(c));
}

/*
 * While a login was under way, the hub may know us by the fresh key, or by the one before: each is logged out. The answer to the login
 * is none to the logout. True: there is more to ask.
 */
static bool logout_goes_on(struct ctlclient *c, const struct call *call)
{
	if (call->logout && key_is_zero(c->trial.b))
		return false;
	if (call->logout)
		c->trial = (struct node_pub){
			0
		}; /* whatever it said: another hub may not know such a key */
	return true;
}

static void take_register(struct ctlclient *c, struct call *call, int rc)
{
	struct tc_register_response r;
	mono_ns wait = busy_wait(c, call);

	if (rc == 0 && wait) {
		ctlclient_fail(c, REASON_HUB_REGISTER, err_http(429), wait);
		return;
	}
	if (rc == 0 && c->logout && logout_goes_on(c, call))
		return;
	if (rc == 0 && is_refusal(call->status) &&
		settings_try_less(c, call, buf_view(&call->body)))
		return;
	if (rc == 0 && call->status != 200)
		rc = err_http(call->status);
	if (rc == 0 && json_decode(&tc_register_response_type, buf_data(&call->body),
			       buf_len(&call->body), &r, &c->arena, NULL) < 0)
		rc = -ERR_NOT_HUB;
	if (rc < 0) {
		ctlclient_fail(c, REASON_HUB_REGISTER, rc, 0);
	} else if (c->logout) {
		c->logout = c->registered = c->checked = false;
		ctlclient_set_state(c, CTL_LOGGED_OUT, NULL);
		c->lost = true;
	} else if (r.error && *r.error) {
		take_error(c, call, r.error);
	} else if (r.node_key_expired || r.node_key_signature.len) {
		renew_key(c);
	} else if (r.auth_url && *r.auth_url) {
		bool same = c->followup && !strcmp(c->followup, r.auth_url);

		free(c->followup);
		c->followup = strdup(r.auth_url);
		c->checked = false;
		ctlclient_set_state(c, CTL_NEEDS_LOGIN, r.auth_url);
		if (same || !c->followup)
			ctlclient_fail(c, REASON_HUB_REGISTER, 0,
				0); /* a hub that does not hold the follow-up: do not spin */
	} else {
		registered(c, &r);
	}
	arena_reset(&c->arena);
}

static void end_map(struct ctlclient *c, struct call *call, int rc)
{
	mono_ns wait = busy_wait(c, call);

	mapstream_reset(&c->maps);
	if (c->logout)
		return; /* the hub ends it before it answers */
	if (wait) {
		ctlclient_fail(c, REASON_HUB_MAP, err_http(429), wait);
		return;
	}
	if (rc == 0 && is_refusal(call->status) &&
		settings_try_less(c, call, buf_view(&call->body)))
		return;
	/* A refused poll may mean that the hub forgot us: ask it again who we are. */
	if (call->status && call->status != 200)
		c->checked = false;
	/* A first registration under way decides; its answer starts the poll again. */
	if (!c->call[CALL_REGISTER].s || call->status == 200)
		ctlclient_fail(c, REASON_HUB_MAP,
			call->status && call->status != 200 ? err_http(call->status) : rc, 0);
	else
		c->registered = false;
}

/* The next one says all again. A busy hub gets it later; the stream goes on meanwhile. */
static void end_lite(struct ctlclient *c, struct call *call)
{
	mono_ns wait = busy_wait(c, call);

	if (is_refusal(call->status) && settings_try_less(c, call, buf_view(&call->body)))
		c->dirty = true;
	if (!wait)
		return;
	c->dirty = true;
	c->lite_at = mono_add(c->now.mono, wait);
}

void ctlclient_on_end(void *owner, struct ts_stream *s, int rc)
{
	struct ctlclient *c = owner;
	struct call *call = ts_stream_owner(s);

	if (!call || call->s != s)
		return;
	call->s = NULL;
	if (c->lost)
		return;
	switch (call->kind) {
	case CALL_REGISTER:
		take_register(c, call, rc);
		break;
	case CALL_MAP:
		end_map(c, call, rc);
		break;
	case CALL_LITE:
		end_lite(c, call);
		break;
	case CALLS:
		break;
	}
}

/* Who we are to the hub: the control client, its logins, and the end of one. */
#include "core/node/internal.h"

#include "base/text/plain.h"
#include "proto/names/url.h"

#define LOGIN_FOLLOWS_START SEC(10) /* a login that comes later is one of its own */

/* ---- What the control client asks for ---- */

static const struct tc_derp_node *relay_named(const struct node *a, const char *host)
{
	const struct tc_derp_map *map = netmap_derp_map(a->nm);

	for (size_t i = 0; map && i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;

		for (size_t k = 0; k < r->nodes.n; k++) {
			const struct tc_derp_node *n = JSON_AT(r->nodes, struct tc_derp_node, k);

			if (n->hostname && !strcmp(n->hostname, host))
				return n;
		}
	}
	return NULL;
}

static void tell_control(struct node *a)
{
	node_event_add(a, (struct node_event){ .kind = NODE_CONTROL,
				  .polling = node_is_polling(a),
				  .text = a->control_error });
}

static void tell_login_failed(struct node *a)
{
	node_event_add(a, (struct node_event){ .kind = NODE_LOGIN_FAILED, .text = a->login_error });
}

static void dial(void *owner, enum ctlclient_conn id, const char *host, uint16_t port,
	enum ctlclient_tls tls)
{
	static const enum node_tls as[] = { [CTL_TLS_NONE] = NODE_TLS_NONE,
		[CTL_TLS_VERIFIED] = NODE_TLS_VERIFIED,
		[CTL_TLS_ANY_CERT] = NODE_TLS_ANY_CERT };
	struct node *a = owner;
	struct node_dial d = { .host = host, .port = port, .tls = as[tls], .name = host };
	const struct tc_derp_node *relay = relay_named(a, host);

	/* A hub with its relay on board: its addresses are in the relay map, whatever the resolver does today. */
	if (relay) {
		d.hint[0] = node_address_hint(relay->ipv4);
		d.hint[1] = node_address_hint(relay->ipv6);
	}
	a->ops->dial(a->owner, NODE_STREAM_CONTROL + (unsigned)id, &d);
}

static void hangup(void *owner, enum ctlclient_conn id)
{
	struct node *a = owner;

	a->ops->hangup(a->owner, NODE_STREAM_CONTROL + (unsigned)id);
}

static void new_node_key(void *owner, struct node_pub *ret)
{
	struct node *a = owner;

	key_generate(a->rng, a->trial.b);
	if (key_public(a->trial.b, ret->b) < 0)
		*ret = (struct node_pub){ 0 }; /* the hub refuses it */
}

static void on_hub_key(void *owner, const struct machine_pub *key)
{
	struct node *a = owner;

	if (a->moving_from[0])
		event(a, NODE_MOVED);
	a->moving_from[0] = 0; /* here it is */
	a->other_key = false;
	if (!memcmp(&a->id.hub, key, sizeof(*key)))
		return;
	if (!key_is_zero(a->id.hub.b))
		event(a, NODE_HUB_KEY);
	a->id.hub = *key;
	event(a, NODE_KEYS);
}

static void store_control_url(struct node *a, const char *url)
{
	struct ipn_prefs p = *prefs_of(a);

	p.control_url = url;
	if (node_prefs_store(a, &p) > 0)
		event(a, NODE_PREFS);
	snprintf(a->ctl_url, sizeof(a->ctl_url), "%s", node_control_url(a));
}

static void on_moved(void *owner, const char *url)
{
	struct node *a = owner;

	store_control_url(a, url);
	event(a, NODE_MOVED);
}

static void on_other_hub(void *owner)
{
	struct node *a = owner;

	a->other_hub = a->moving_from[0] != 0;
}

static void on_other_key(void *owner)
{
	((struct node *)owner)->other_key = true;
}

/* The trial key is ours now. */
static bool take_trial(struct node *a, const struct node_pub *key)
{
	struct node_pub pub;

	if (key_is_zero(a->trial.b) || key_public(a->trial.b, pub.b) < 0 ||
		memcmp(&pub, key, sizeof(pub)) != 0)
		return false;
	if (has_node_key(a))
		a->id.old_node = a->id.node;
	a->id.node = a->trial;
	key_wipe(&a->trial, sizeof(a->trial));
	node_engine_down(a); /* the sessions of the old key end */
	return true;
}

static void on_registered(
	void *owner, const struct node_pub *key, const struct tc_register_response *r)
{
	struct node *a = owner;
	bool fresh = take_trial(a, key);
	struct ipn_prefs p = *prefs_of(a);
	struct ipn_persist persist = p.persist ? *p.persist : (struct ipn_persist){ 0 };

	a->blocked = a->left = false;
	a->login_url[0] = a->login_error[0] = 0;
	if (a->auth_key &&
		(fresh || a->started_expired)) { /* it has let us in, and may do so only once */
		a->joined_by_key = a->now.mono;
		node_auth_key_set(a, NULL);
	}
	if (!fresh && !p.logged_out)
		return;
	node_auth_key_set(a, NULL);
	persist.user = (struct tc_user){ .id = r->user.id,
		.login_name = r->login.login_name,
		.display_name = r->user.display_name,
		.picture = r->user.picture };
	p.persist = &persist;
	p.want_running = true;
	p.logged_out = false;
	if (node_prefs_store(a, &p) > 0)
		event(a, NODE_PREFS);
	event(a, NODE_KEYS);
	event(a, NODE_LOGIN_FINISHED);
}

static void on_map(void *owner, const struct tc_map_response *m)
{
	struct node *a = owner;

	if (node_map_apply(a, m) < 0) {
		a->counters.bad_netmaps++;
		a->ctl_restart = true;
	}
	if (m->ping_request.len)
		node_probe_take(a, m->ping_request);
}

/* A page of the hub's, or of whom it trusts. Plain HTTP only where the hub itself is spoken to so. */
static bool may_show(const struct node *a, const char *url)
{
	if (!url_is_sound(url) || strlen(url) >= sizeof(a->login_url))
		return false;
	return !strncmp(url, "https://", 8) ||
	       (!strncmp(url, "http://", 7) && !strncmp(a->ctl_url, "http://", 7));
}

static void needs_login(struct node *a, const char *text)
{
	a->login_url[0] = a->login_error[0] = 0;
	if (text && (!strncmp(text, "https://", 8) || !strncmp(text, "http://", 7))) {
		if (may_show(a, text)) {
			snprintf(a->login_url, sizeof(a->login_url), "%s", text);
			node_event_add(a, (struct node_event){
						  .kind = NODE_LOGIN_URL, .text = a->login_url });
			return;
		}
		snprintf(a->login_error, sizeof(a->login_error),
			"the hub names a page to log in at that cannot be one");
		tell_login_failed(a);
	} else {
		snprintf(a->login_error, sizeof(a->login_error), "%s",
			text ? text : "the hub wants a login");
		text_make_plain(a->login_error, strlen(a->login_error));
		tell_login_failed(a);
	}
}

static void on_state(void *owner, enum ctlclient_state s, const char *text)
{
	struct node *a = owner;

	if (a->ctl_state == CTL_RUNNING || a->ctl_state == CTL_STOPPED)
		a->poll_lost_at = a->now.mono;
	a->ctl_state = s;
	a->control_error[0] = 0;
	switch (s) {
	case CTL_NEEDS_LOGIN:
		needs_login(a, text);
		break;
	case CTL_RUNNING:
		a->other_key = false;
		a->login_url[0] = a->login_error[0] = 0;
		break;
	case CTL_LOGGED_OUT:
		a->forget = true;
		break;
	case CTL_CONNECTING:
	case CTL_STOPPED:
		break;
	}
	tell_control(a);
}

static void on_trouble(void *owner, const char *why)
{
	struct node *a = owner;

	snprintf(a->control_error, sizeof(a->control_error), "%s", why);
	tell_control(a);
}

static void on_refused(void *owner, const char *why)
{
	struct node *a = owner;

	snprintf(a->refused, sizeof(a->refused), "%s", why ? why : "");
	a->refused_since = a->now.mono;
	node_event_add(a, (struct node_event){ .kind = NODE_REFUSED, .text = a->refused });
}

static void on_login_refused(void *owner, const char *why)
{
	struct node *a = owner;

	key_wipe(&a->trial, sizeof(a->trial));
	node_auth_key_set(a, NULL);
	a->login_url[0] = 0;
	snprintf(a->login_error, sizeof(a->login_error), "%s", why);
	tell_login_failed(a);
	a->login_error[0] = 0; /* nobody is logged out */
}

static const struct ctlclient_ops control_ops = {
	.dial = dial,
	.hangup = hangup,
	.describe = node_describe,
	.new_node_key = new_node_key,
	.on_hub_key = on_hub_key,
	.on_moved = on_moved,
	.on_other_hub = on_other_hub,
	.on_other_key = on_other_key,
	.on_registered = on_registered,
	.on_map = on_map,
	.on_state = on_state,
	.on_trouble = on_trouble,
	.on_refused = on_refused,
	.on_login_refused = on_login_refused,
};

/* ---- Beginning and ending ---- */

void node_auth_key_set(struct node *a, const char *key)
{
	if (a->auth_key) {
		key_wipe(a->auth_key, strlen(a->auth_key));
		free(a->auth_key);
	}
	a->auth_key = key && *key ? strdup(key) : NULL;
}

const char *node_control_url(const struct node *a)
{
	const char *url = prefs_of(a)->control_url;

	return url && *url ? url : a->default_control_url;
}

static void control_end(struct node *a)
{
	a->ctl = ctlclient_free(a->ctl);
	a->ctl_state = CTL_STOPPED;
	a->refused[0] = 0;
}

/* With the key of an earlier hub's making, nothing of that hub's is worth anything. */
static void leave_hub(struct node *a)
{
	a->id.hub = (struct machine_pub){ 0 };
	a->moving_from[0] = 0;
	a->other_key = false;
	a->left = true;
	node_map_drop(a);
}

/* There is another hub where ours was said to be: we stay where we were, logged in. */
static void stay(struct node *a)
{
	char url[sizeof(a->ctl_url)];

	a->other_hub = false;
	snprintf(a->login_error, sizeof(a->login_error),
		"%.256s is another hub than the one that this device is logged in at, %.256s; "
		"--force-reauth leaves that one",
		a->ctl_url, a->moving_from);
	snprintf(url, sizeof(url), "%s", a->moving_from);
	a->moving_from[0] = 0;
	store_control_url(a, url);
	tell_login_failed(a);
	node_control_begin(a);
}

/*
 * Another URL than before. Who is logged in, and does not ask for a login, means the same hub at another place: it has to show the
 * key that we know. Otherwise it is another hub.
 */
static void change_url(struct node *a, const char *url)
{
	if (!strcmp(a->ctl_url, url))
		return;
	if (!a->ctl_url[0]) {
		/* the first */
	} else if (has_node_key(a) && !key_is_zero(a->id.hub.b) && !a->auth_key) {
		if (!a->moving_from[0])
			snprintf(a->moving_from, sizeof(a->moving_from), "%s", a->ctl_url);
		if (!strcmp(a->moving_from, url))
			a->moving_from[0] = 0; /* back again */
	} else {
		leave_hub(a);
	}
	snprintf(a->ctl_url, sizeof(a->ctl_url), "%s", url);
}

void node_control_begin(struct node *a)
{
	const char *url = node_control_url(a);
	struct ctlclient_config cfg = { .url = url,
		.auth_key = a->auth_key,
		.machine = a->id.machine,
		.ephemeral = a->ephemeral };
	int rc = 0;

	control_end(a);
	change_url(a, url);
	cfg.registered = !a->left && has_node_key(a);
	cfg.strict = a->moving_from[0] != 0;
	*(cfg.strict ? &cfg.known : &cfg.hub) = a->id.hub;
	if (has_node_key(a) && !a->left)
		rc = key_public(a->id.node.b, cfg.node.b);
	if (rc == 0 && !key_is_zero(a->id.old_node.b) && !a->left)
		rc = key_public(a->id.old_node.b, cfg.old_node.b);
	if (rc == 0)
		rc = ctlclient_new(&a->ctl, &cfg, a->rng, &control_ops, a);
	key_wipe(&cfg.machine, sizeof(cfg.machine));
	if (rc < 0) {
		snprintf(a->login_error, sizeof(a->login_error), "control server %.256s: %s", url,
			err_text(rc));
		tell_login_failed(a);
		return;
	}
	ctlclient_start(a->ctl, a->now);
}

void node_start(struct node *a, const char *auth_key, struct now now)
{
	const struct ipn_prefs *p = prefs_of(a);

	a->now = now;
	a->started = true;
	node_auth_key_set(a, auth_key);
	a->blocked = false;
	a->joined_by_key = 0;
	a->started_expired = self_of(a) && node_key_expired(a, self_of(a));
	a->login_url[0] = a->login_error[0] = 0;
	a->forget_at = MONO_NEVER;
	control_end(a);
	a->state = IPN_NO_STATE; /* whoever waits for a state hears of it again */
	a->wanted_since = p->want_running ? now.mono : MONO_NEVER;
	if (p->want_running && !p->logged_out && (has_node_key(a) || a->auth_key))
		node_control_begin(a);
	node_settle(a);
}

/*
 * A start with an auth key may have to log in with it at once: nobody is in yet, the key of the device has expired, or it was
 * another hub's. The login that the command asks for behind the start is that one, whether it is under way or done; a second
 * one would need a second auth key.
 */
static bool logs_in_already(struct node *a)
{
	bool done = a->joined_by_key && a->now.mono - a->joined_by_key < LOGIN_FOLLOWS_START;

	a->joined_by_key = 0;
	return done || (a->ctl_state == CTL_CONNECTING && a->auth_key &&
			       (a->started_expired || ctlclient_joins_by_key(a->ctl)));
}

void node_login(struct node *a, struct now now)
{
	a->now = now;
	if (a->moving_from[0]) { /* a login at another hub, then */
		control_end(a);
		leave_hub(a);
	}
	if (!a->ctl) {
		node_control_begin(a);
		if (a->ctl && has_node_key(a))
			ctlclient_login(a->ctl, a->auth_key, now);
	} else if (a->ctl_state == CTL_NEEDS_LOGIN && a->login_url[0]) {
		node_event_add(a,
			(struct node_event){ .kind = NODE_LOGIN_URL,
				.text = a->login_url }); /* the one that waits serves whoever asks */
	} else if (logs_in_already(a)) {
		a->login_error[0] = 0;
	} else if (has_node_key(a) || a->ctl_state != CTL_CONNECTING) {
		a->login_error[0] = 0;
		ctlclient_login(a->ctl, a->auth_key, now);
	}
	node_settle(a);
}

void node_logout(struct node *a, struct now now)
{
	struct ipn_prefs p = *prefs_of(a);

	a->now = now;
	if (!has_node_key(a))
		return;
	p.want_running = false;
	p.logged_out = true;
	a->wanted_since = MONO_NEVER;
	if (node_prefs_store(a, &p) > 0)
		event(a, NODE_PREFS);
	if (!a->ctl)
		node_control_begin(a);
	a->forget_at = mono_add(now.mono, NODE_LOGOUT_WAIT);
	if (a->ctl) {
		ctlclient_start(a->ctl, now);
		ctlclient_logout(a->ctl, now);
	}
	node_settle(a);
}

void node_forget(struct node *a)
{
	struct ipn_prefs p;

	a->forget = false;
	a->forget_at = MONO_NEVER;
	control_end(a);
	node_engine_down(a);
	node_map_drop(a);
	key_wipe(&a->id.node, sizeof(a->id.node));
	key_wipe(&a->id.old_node, sizeof(a->id.old_node));
	key_wipe(&a->trial, sizeof(a->trial));
	a->id.hub = (struct machine_pub){ 0 };
	a->ctl_url[0] = a->moving_from[0] = a->login_url[0] = a->login_error[0] = 0;
	a->left = a->other_key = false;
	node_auth_key_set(a, NULL);
	ipn_prefs_init(&p);
	if (node_prefs_store(a, &p) > 0)
		event(a, NODE_PREFS);
	event(a, NODE_KEYS);
	event(a, NODE_SELF);
}

void node_control_pause(struct node *a)
{
	bool want = prefs_of(a)->want_running;

	a->wanted_since = want ? a->now.mono : MONO_NEVER;
	if (!want && a->ctl && a->forget_at == MONO_NEVER)
		ctlclient_stop(a->ctl);
	else if (want && a->ctl)
		ctlclient_start(a->ctl, a->now);
	else if (want && has_node_key(a))
		node_control_begin(a);
}

void node_control_settle(struct node *a)
{
	if (a->other_hub)
		stay(a);
	if (!a->ctl)
		return;
	if (a->ctl_restart) {
		a->ctl_restart = false;
		ctlclient_stop(a->ctl);
		ctlclient_start(a->ctl, a->now);
	}
	if (a->ctl_dirty) {
		a->ctl_dirty = false;
		ctlclient_update(a->ctl, a->now);
	}
	for (unsigned i = 0; i < CTL_CONNS; i++)
		if (ctlclient_output(a->ctl, (enum ctlclient_conn)i).len)
			a->ops->stream_wake(a->owner, NODE_STREAM_CONTROL + i);
}

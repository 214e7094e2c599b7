/* What the control client asks for, and what it tells: kept, and dealt with at the end of the call. */
#include "core/node/login/internal.h"
#include "core/node/answers/answers.h"
#include "core/node/map/map.h"

#include "base/text/plain.h"
#include "proto/names/url.h"

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

void node_tell_login_failed(struct node *a)
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

void node_control_url_store(struct node *a, const char *url)
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

	node_control_url_store(a, url);
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
		node_tell_login_failed(a);
	} else {
		snprintf(a->login_error, sizeof(a->login_error), "%s",
			text ? text : "the hub wants a login");
		text_make_plain(a->login_error, strlen(a->login_error));
		node_tell_login_failed(a);
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

static void on_error(void *owner, const char *why)
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
	node_tell_login_failed(a);
	a->login_error[0] = 0; /* nobody is logged out */
}

const struct ctlclient_ops node_control_ops = {
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
	.on_error = on_error,
	.on_refused = on_refused,
	.on_login_refused = on_login_refused,
};

void node_auth_key_set(struct node *a, const char *key)
{
	if (a->auth_key) {
		key_wipe(a->auth_key, strlen(a->auth_key));
		free(a->auth_key);
	}
	a->auth_key = key && *key ? strdup(key) : NULL;
}

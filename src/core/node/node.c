/* Birth and death of a node, its streams, and what every call ends with. */
#include "core/node/internal.h"

#include "base/text/text.h"

/* ---- What magicsock asks for ---- */

static void udp_send(void *owner, struct ipport to, const struct wg_packet *d, size_t n)
{
	struct node *a = owner;

	a->ops->udp_send(a->owner, to, d, n);
}

static unsigned relay_stream(int region)
{
	return NODE_STREAM_RELAY + (unsigned)region;
}

struct ipaddr node_address_hint(const char *text)
{
	struct ipaddr ip = { 0 };

	return text && ipaddr_parse(text, strlen(text), &ip) == 0 ? ip : (struct ipaddr){ 0 };
}

struct node_dial node_dial_of(const struct tc_derp_node *n)
{
	static const char pin[] = "sha256-raw:";
	const char *cert = n->cert_name && *n->cert_name ? n->cert_name : NULL;
	struct node_dial d = {
		.host = n->hostname,
		.hint = { node_address_hint(n->ipv4), node_address_hint(n->ipv6) },
		.port = n->derp_port > 0 && n->derp_port <= 65535 ? (uint16_t)n->derp_port : 443,
		.tls = n->insecure_for_tests ? NODE_TLS_ANY_CERT : NODE_TLS_VERIFIED,
		.name = n->hostname,
	};

	if (cert && !strncmp(cert, pin, sizeof(pin) - 1)) {
		const char *hex = cert + sizeof(pin) - 1;

		d.tls = NODE_TLS_PINNED;
		/* A pin that cannot be read matches no certificate. */
		if (strlen(hex) != 64 || hex_decode(hex, 64, d.pin) < 0)
			memset(d.pin, 0, sizeof(d.pin));
	} else if (cert) {
		d.name = cert;
	}
	return d;
}

static void relay_dial(void *owner, int region, const struct tc_derp_node *n)
{
	struct node *a = owner;
	struct node_dial d = node_dial_of(n);

	a->ops->dial(a->owner, relay_stream(region), &d);
}

static void relay_hangup(void *owner, int region)
{
	struct node *a = owner;

	a->ops->hangup(a->owner, relay_stream(region));
}

static void relay_wake(void *owner, int region)
{
	struct node *a = owner;

	a->ops->stream_wake(a->owner, relay_stream(region));
}

static void resolve(void *owner, const char *host)
{
	struct node *a = owner;

	a->ops->resolve(a->owner, host);
}

static void measure(void *owner, int region, const struct tc_derp_node *node)
{
	struct node *a = owner;
	struct node_dial d = node_dial_of(node);

	a->ops->measure(a->owner, region, &d);
}

static void self_changed(void *owner, unsigned what)
{
	struct node *a = owner;

	(void)what;
	a->ctl_dirty = true;
}

static void peer_event(void *owner, int64_t peer, enum magicsock_peer_event ev)
{
	struct node *a = owner;

	(void)peer;
	if (ev == MAGICSOCK_SESSION)
		a->session_seen = true;
}

/* ---- Birth and death ---- */

static int engines_new(struct node *a)
{
	struct magicsock_cfg cfg = { .disco = a->id.disco,
		.mtu = a->mtu,
		.rng = a->rng,
		.ops = &a->magicsock_ops,
		.owner = a };
	int rc;

	a->magicsock_ops = (struct magicsock_ops){
		.udp_send = udp_send,
		.relay_dial = relay_dial,
		.relay_hangup = relay_hangup,
		.relay_wake = relay_wake,
		.resolve = a->ops->resolve ? resolve : NULL,
		.measure = a->ops->measure ? measure : NULL,
		.self_changed = self_changed,
		.peer_event = peer_event,
	};
	rc = magicsock_new(&a->magicsock, &cfg, a->now);
	key_wipe(&cfg.disco, sizeof(cfg.disco));
	if (rc == 0)
		rc = filter_new(&a->filter, a->rng);
	if (rc == 0)
		rc = node_map_new(a);
	return rc;
}

static int take_config(struct node *a, const struct node_cfg *cfg)
{
	struct ipn_prefs p = *cfg->prefs;
	int rc = node_prefs_store(a, &p);

	if (rc >= 0)
		rc = owned_doc_set(&a->host, &tc_hostinfo_type, cfg->host);
	if (rc >= 0)
		rc = engines_new(a);
	if (rc < 0)
		return rc;
	/* What was the truth when we were last here. If it is another device's by now, the hub will say so. */
	if (cfg->netmap.len && has_node_key(a))
		node_map_load(a, cfg->netmap);
	return 0;
}

int node_new(struct node **ret, const struct node_cfg *cfg, struct now now)
{
	struct node *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	*a = (struct node){ .ops = cfg->ops,
		.owner = cfg->owner,
		.rng = cfg->rng,
		.now = now,
		.ephemeral = cfg->ephemeral,
		.default_control_url = cfg->default_control_url,
		.mtu = cfg->mtu ? cfg->mtu : NODE_MTU,
		.id = cfg->identity,
		.ctl_state = CTL_STOPPED,
		.forget_at = MONO_NEVER,
		.wanted_since = MONO_NEVER,
		.expiry_at = MONO_NEVER,
		.state = IPN_NO_STATE };
	list_init(&a->pings);
	arena_init(&a->describe_mem, NODE_DESCRIBE_MAX);
	arena_init(&a->scratch, NODE_SCRATCH_MAX);
	buf_init(&a->head_out, NODE_TEXT_MAX);
	rc = take_config(a, cfg);
	if (rc == 0 && !key_is_zero(a->id.node.b))
		snprintf(a->ctl_url, sizeof(a->ctl_url), "%s", node_control_url(a));
	if (rc < 0) {
		node_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

struct node *node_free(struct node *a)
{
	if (!a)
		return NULL;
	node_rejects_enable(a, false);
	a->ctl = ctlclient_free(a->ctl);
	node_probes_drop(a);
	node_engine_down(a);
	node_map_drop(a); /* pings of the peers that are removed are answered */
	a->magicsock = magicsock_free(a->magicsock);
	node_pings_drop(a);
	filter_free(a->filter);
	netmap_free(a->nm);
	map_fini(&a->peers);
	owned_doc_free(a->prefs);
	owned_doc_free(a->host);
	free(a->net_mem);
	free(a->nets);
	node_auth_key_set(a, NULL);
	free(a->last_probe_url);
	buf_fini(&a->head_out);
	arena_fini(&a->describe_mem);
	arena_fini(&a->scratch);
	node_events_free(a);
	key_wipe(a, sizeof(*a));
	free(a);
	return NULL;
}

/* ---- The end of every call ---- */

static void note_relay(struct node *a)
{
	int home = magicsock_home(a->magicsock);
	bool ready = home && relays_is_ready(magicsock_relays(a->magicsock), home);

	if (a->relay_ready && !ready)
		a->relay_lost_at = a->now.mono;
	a->relay_ready = ready;
}

void node_settle(struct node *a)
{
	if (a->forget)
		node_forget(a);
	node_map_watch_clock(a);
	node_map_settle(a);
	node_evaluate(a);
	note_relay(a);
	node_map_settle(a); /* what the new state asks for */
	node_probe_settle(a);
	node_rejects_flush(a);
	node_control_settle(a);
	magicsock_set_hub_up(a->magicsock, node_is_polling(a));
	if (a->netcheck_asked && !endpoints_is_checking(magicsock_endpoints(a->magicsock))) {
		a->netcheck_asked = false;
		event(a, NODE_NETCHECK_DONE);
	}
}

void node_settle_packets(struct node *a)
{
	/* Packets change little else: the rest is looked at when it may matter. */
	if (a->ctl_dirty || a->state == IPN_STARTING || a->netcheck_asked || !list_empty(&a->pings))
		node_settle(a);
	else
		node_rejects_flush(a);
}

void node_tick(struct node *a, struct now now)
{
	a->now = now;
	magicsock_tick(a->magicsock, now);
	if (a->ctl)
		ctlclient_tick(a->ctl, now);
	if (now.mono >= a->forget_at)
		a->forget = true;
	if (now.mono >= a->expiry_at)
		node_map_expire(a);
	node_settle(a);
}

mono_ns node_deadline(const struct node *a)
{
	mono_ns at =
		mono_min(magicsock_deadline(a->magicsock), mono_min(a->forget_at, a->expiry_at));

	return a->ctl ? mono_min(at, ctlclient_deadline(a->ctl)) : at;
}

/* ---- What the machine tells ---- */

void node_set_local(struct node *a, const struct ipprefix *addrs, size_t n, uint16_t port4,
	uint16_t port6, bool link_changed, struct now now)
{
	struct ipprefix keep[ENDPOINTS_LOCAL_MAX];
	size_t n_keep = 0;
	bool link = false;

	a->now = now;
	for (size_t i = 0; i < n && n_keep < ENDPOINTS_LOCAL_MAX; i++)
		if (!node_has_address(self_of(a), ipprefix_single(addrs[i].ip)))
			keep[n_keep++] = addrs[i];
	for (size_t i = 0; i < n_keep; i++)
		link |= !ipaddr_is_loopback(keep[i].ip) && !ipaddr_is_link_local(keep[i].ip);
	if (link != a->has_link)
		a->link_since = now.mono;
	a->has_link = link;
	magicsock_set_local(a->magicsock, keep, n_keep, port4, port6, link_changed, now);
	if (link_changed && a->ctl)
		ctlclient_reconnect(a->ctl, now);
	node_settle(a);
}

void node_set_networks(struct node *a, const struct ipprefix *nets, size_t n, struct now now)
{
	struct ipprefix *copy = nets ? calloc(n + 1, sizeof(*copy)) : NULL;

	a->now = now;
	if (copy && n)
		memcpy(copy, nets, n * sizeof(*copy));
	free(a->nets);
	a->nets = copy;
	a->n_nets = copy ? n : 0;
	a->nets_known = copy != NULL; /* without memory for them nothing is served either */
	a->filter_dirty = true;
	node_settle(a);
}

static void take_packets(struct node *a)
{
	struct magicsock_packets in;

	while (magicsock_next_packets(a->magicsock, &in))
		node_packets_in(a, in.peer, in.pkt, in.n);
}

void node_udp_in(struct node *a, struct magicsock_datagram *dg, size_t n, struct now now)
{
	a->now = now;
	magicsock_udp_in(a->magicsock, dg, n, now);
	take_packets(a);
	node_settle_packets(a);
}

void node_udp_failed(struct node *a, struct ipport to, struct now now)
{
	a->now = now;
	magicsock_udp_failed(a->magicsock, to, now);
	node_settle_packets(a);
}

void node_resolved(
	struct node *a, const char *host, const struct ipaddr *addrs, size_t n, struct now now)
{
	a->now = now;
	magicsock_resolved(a->magicsock, host, addrs, n, now);
	node_settle(a);
}

void node_measured(struct node *a, int region, mono_ns latency, struct now now)
{
	a->now = now;
	magicsock_measured(a->magicsock, region, latency, now);
	node_settle(a);
}

void node_set_trouble(struct node *a, unsigned bits, struct now now)
{
	a->now = now;
	if (bits != a->trouble)
		a->trouble_since = now.mono;
	a->trouble = bits;
}

void node_break_relays(struct node *a, struct now now)
{
	a->now = now;
	magicsock_relays_restart(a->magicsock, now);
	node_settle(a);
}

void node_netcheck(struct node *a, struct now now)
{
	a->now = now;
	a->netcheck_asked = true;
	magicsock_netcheck_start(a->magicsock, now);
	node_settle(a);
}

/* ---- Streams ---- */

static void tell_relay(struct node *a, int region)
{
	struct node_event e = { .kind = NODE_RELAY, .region = region };

	arena_reset(&a->scratch);
	e.text = node_relay_error(a, region, &a->scratch);
	node_event_add(a, e);
}

static bool is_control(unsigned stream)
{
	return stream < CTL_CONNS;
}

static int region_of(unsigned stream)
{
	return (int)(stream - NODE_STREAM_RELAY);
}

void node_stream_connected(
	struct node *a, unsigned stream, const struct node_pub *fast_key, struct now now)
{
	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_connected(a->ctl, (enum ctlclient_conn)stream, now);
	} else if (stream == NODE_STREAM_PROBE) {
		node_probe_connected(a);
	} else if (magicsock_relay_connected(a->magicsock, region_of(stream), fast_key, now) < 0) {
		a->ops->hangup(a->owner, stream);
		magicsock_relay_closed(a->magicsock, region_of(stream), 0, now);
	}
	node_settle(a);
}

int node_stream_feed(struct node *a, unsigned stream, uint8_t *p, size_t len, struct now now)
{
	int rc = 0;

	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_feed(a->ctl, (enum ctlclient_conn)stream, view_of(p, len), now);
	} else if (stream == NODE_STREAM_PROBE) {
		rc = -ERR_CLOSED; /* answered: that is all that was wanted */
	} else {
		rc = magicsock_relay_feed(a->magicsock, region_of(stream), p, len, now);
		take_packets(a);
		node_settle_packets(a);
		return rc;
	}
	node_settle(a);
	return rc;
}

void node_stream_closed(struct node *a, unsigned stream, int rc, struct now now)
{
	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_closed(a->ctl, (enum ctlclient_conn)stream, rc, now);
	} else if (stream == NODE_STREAM_PROBE) {
		node_probe_closed(a);
	} else {
		magicsock_relay_closed(a->magicsock, region_of(stream), rc, now);
		tell_relay(a, region_of(stream));
	}
	node_settle(a);
}

struct view node_stream_output(struct node *a, unsigned stream)
{
	if (is_control(stream))
		return a->ctl ? ctlclient_output(a->ctl, (enum ctlclient_conn)stream)
			      : view_of("", 0);
	if (stream == NODE_STREAM_PROBE)
		return a->head_up ? buf_view(&a->head_out) : view_of("", 0);
	return magicsock_relay_output(a->magicsock, region_of(stream));
}

void node_stream_written(struct node *a, unsigned stream, size_t n)
{
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_written(a->ctl, (enum ctlclient_conn)stream, n);
	} else if (stream == NODE_STREAM_PROBE) {
		buf_consume(&a->head_out, n);
	} else {
		magicsock_relay_written(a->magicsock, region_of(stream), n);
	}
}

/* ---- What is ---- */

enum ipn_state node_state(const struct node *a)
{
	return a->state;
}

const struct ipn_prefs *node_prefs(const struct node *a)
{
	return prefs_of(a);
}

const struct node_identity *node_identity(const struct node *a)
{
	return &a->id;
}

const char *node_login_url(const struct node *a)
{
	return a->login_url;
}

const char *node_login_error(const struct node *a)
{
	return a->login_error;
}

bool node_is_polling(const struct node *a)
{
	/* A login that waits for a person does not end what the key before it has. */
	return a->ctl && (a->ctl_state == CTL_RUNNING ||
				 (a->ctl_state == CTL_NEEDS_LOGIN && ctlclient_hears_maps(a->ctl)));
}

const char *node_relay_error(const struct node *a, int region, struct arena *mem)
{
	const struct tc_derp_node *n;
	int rc = relays_failure(magicsock_relays(a->magicsock), region, &n);
	struct node_dial d;
	struct reason r;
	char text[REASON_MAX];

	if (!rc)
		return NULL;
	d = node_dial_of(n);
	r = (struct reason){ .step = REASON_RELAY,
		.rc = rc,
		.host = d.host ? d.host : "",
		.port = d.port,
		.tls = d.tls != NODE_TLS_NONE,
		.wall = a->now.wall };
	return arena_strdup(mem, reason_format(&r, text));
}

const struct netmap *node_netmap(const struct node *a)
{
	return self_of(a) ? a->nm : NULL;
}

bool node_netmap_is_cached(const struct node *a)
{
	return self_of(a) && a->cached;
}

const struct magicsock *node_magicsock(const struct node *a)
{
	return a->magicsock;
}

const struct filter *node_filter(const struct node *a)
{
	return a->filter;
}

const struct node_counters *node_counters(const struct node *a)
{
	return &a->counters;
}

const struct node_net_config *node_net_config(const struct node *a)
{
	return &a->net;
}

/* Birth and death of an agent, its streams, and what every call ends with. */
#include "core/agent/internal.h"

#include "base/text/text.h"

/* ---- What the mesh asks for ---- */

static void udp_send(void *owner, struct ipport to, const struct wg_packet *d, size_t n)
{
	struct agent *a = owner;

	a->ops->udp_send(a->owner, to, d, n);
}

static unsigned relay_stream(int region)
{
	return AGENT_STREAM_RELAY + (unsigned)region;
}

struct ipaddr agent_address_hint(const char *text)
{
	struct ipaddr ip = { 0 };

	return text && ipaddr_parse(text, strlen(text), &ip) == 0 ? ip : (struct ipaddr){ 0 };
}

struct agent_dial agent_dial_of(const struct tc_derp_node *n)
{
	static const char pin[] = "sha256-raw:";
	const char *cert = n->cert_name && *n->cert_name ? n->cert_name : NULL;
	struct agent_dial d = {
		.host = n->hostname,
		.hint = { agent_address_hint(n->ipv4), agent_address_hint(n->ipv6) },
		.port = n->derp_port > 0 && n->derp_port <= 65535 ? (uint16_t)n->derp_port : 443,
		.tls = n->insecure_for_tests ? AGENT_TLS_ANY_CERT : AGENT_TLS_VERIFIED,
		.name = n->hostname,
	};

	if (cert && !strncmp(cert, pin, sizeof(pin) - 1)) {
		const char *hex = cert + sizeof(pin) - 1;

		d.tls = AGENT_TLS_PINNED;
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
	struct agent *a = owner;
	struct agent_dial d = agent_dial_of(n);

	a->ops->dial(a->owner, relay_stream(region), &d);
}

static void relay_hangup(void *owner, int region)
{
	struct agent *a = owner;

	a->ops->hangup(a->owner, relay_stream(region));
	mesh_relay_closed(a->mesh, region, 0, a->now);
}

static void relay_wake(void *owner, int region)
{
	struct agent *a = owner;

	a->ops->stream_wake(a->owner, relay_stream(region));
}

static void resolve(void *owner, const char *host)
{
	struct agent *a = owner;

	a->ops->resolve(a->owner, host);
}

static void measure(void *owner, int region, const struct tc_derp_node *node)
{
	struct agent *a = owner;
	struct agent_dial d = agent_dial_of(node);

	a->ops->measure(a->owner, region, &d);
}

static void self_changed(void *owner, unsigned what)
{
	struct agent *a = owner;

	(void)what;
	a->ctl_dirty = true;
	event(a, AGENT_SELF_ENDPOINTS, 0);
}

static void peer_event(void *owner, int64_t peer, enum mesh_peer_event ev)
{
	struct agent *a = owner;

	if (ev == MESH_SESSION)
		a->session_seen = true;
	event(a, AGENT_ENGINE, peer);
}

/* ---- Birth and death ---- */

static int engines_new(struct agent *a)
{
	struct mesh_cfg cfg = { .disco = a->id.disco, .mtu = a->mtu, .rng = a->rng, .ops = &a->mesh_ops, .owner = a };
	int rc;

	a->mesh_ops = (struct mesh_ops){
		.udp_send = udp_send,
		.packets_in = agent_packets_in,
		.relay_dial = relay_dial,
		.relay_hangup = relay_hangup,
		.relay_wake = relay_wake,
		.resolve = a->ops->resolve ? resolve : NULL,
		.measure = a->ops->measure ? measure : NULL,
		.self_changed = self_changed,
		.peer_event = peer_event,
	};
	rc = mesh_new(&a->mesh, &cfg, a->now);
	key_wipe(&cfg.disco, sizeof(cfg.disco));
	if (rc == 0)
		rc = filter_new(&a->filter, a->rng);
	if (rc == 0)
		rc = agent_map_new(a);
	return rc;
}

static int take_config(struct agent *a, const struct agent_cfg *cfg)
{
	struct ipn_prefs p = *cfg->prefs;
	int rc = agent_prefs_store(a, &p);

	if (rc >= 0)
		rc = held_set(&a->host, &tc_hostinfo_type, cfg->host);
	if (rc >= 0)
		rc = engines_new(a);
	if (rc < 0)
		return rc;
	/* What was the truth when we were last here. If it is another device's by now, the hub will say so. */
	if (cfg->netmap.len && has_node_key(a))
		agent_map_load(a, cfg->netmap);
	return 0;
}

int agent_new(struct agent **ret, const struct agent_cfg *cfg, struct now now)
{
	struct agent *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	*a = (struct agent){ .ops = cfg->ops, .owner = cfg->owner, .rng = cfg->rng, .now = now, .ephemeral = cfg->ephemeral,
		.default_control_url = cfg->default_control_url, .mtu = cfg->mtu ? cfg->mtu : AGENT_MTU, .id = cfg->identity,
		.ctl_state = CTL_STOPPED, .forget_at = MONO_NEVER, .wanted_since = MONO_NEVER, .expiry_at = MONO_NEVER,
		.state = IPN_NO_STATE };
	list_init(&a->pings);
	arena_init(&a->describe_mem, AGENT_DESCRIBE_MAX);
	arena_init(&a->scratch, AGENT_SCRATCH_MAX);
	buf_init(&a->head_out, AGENT_TEXT_MAX);
	rc = take_config(a, cfg);
	if (rc == 0 && !key_is_zero(a->id.node.b))
		snprintf(a->ctl_url, sizeof(a->ctl_url), "%s", agent_control_url(a));
	if (rc < 0) {
		agent_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

struct agent *agent_free(struct agent *a)
{
	if (!a)
		return NULL;
	agent_rejects_enable(a, false);
	a->ctl = ctlclient_free(a->ctl);
	agent_probes_drop(a);
	agent_engine_down(a);
	agent_map_drop(a); /* pings of the peers that are removed are answered */
	a->mesh = mesh_free(a->mesh);
	agent_pings_drop(a);
	filter_free(a->filter);
	netmap_free(a->nm);
	map_fini(&a->peers);
	held_free(a->prefs);
	held_free(a->host);
	free(a->net_mem);
	free(a->nets);
	agent_auth_key_set(a, NULL);
	free(a->last_probe_url);
	buf_fini(&a->head_out);
	arena_fini(&a->describe_mem);
	arena_fini(&a->scratch);
	key_wipe(a, sizeof(*a));
	free(a);
	return NULL;
}

/* ---- The end of every call ---- */

static void note_relay(struct agent *a)
{
	int home = mesh_home(a->mesh);
	bool ready = home && mesh_relay_is_ready(a->mesh, home);

	if (a->relay_ready && !ready)
		a->relay_lost_at = a->now.mono;
	a->relay_ready = ready;
}

void agent_settle(struct agent *a)
{
	if (a->forget)
		agent_forget(a);
	agent_map_watch_clock(a);
	agent_map_settle(a);
	agent_evaluate(a);
	note_relay(a);
	agent_map_settle(a); /* what the new state asks for */
	agent_probe_settle(a);
	agent_rejects_flush(a);
	agent_control_settle(a);
	mesh_set_hub_up(a->mesh, agent_is_polling(a));
	if (a->netcheck_asked && !mesh_netcheck_running(a->mesh)) {
		a->netcheck_asked = false;
		event(a, AGENT_NETCHECK_DONE, 0);
	}
}

void agent_settle_packets(struct agent *a)
{
	/* Packets change little else: the rest is looked at when it may matter. */
	if (a->ctl_dirty || a->state == IPN_STARTING || a->netcheck_asked || !list_empty(&a->pings))
		agent_settle(a);
	else
		agent_rejects_flush(a);
}

void agent_tick(struct agent *a, struct now now)
{
	a->now = now;
	mesh_tick(a->mesh, now);
	if (a->ctl)
		ctlclient_tick(a->ctl, now);
	if (now.mono >= a->forget_at)
		a->forget = true;
	if (now.mono >= a->expiry_at)
		agent_map_expire(a);
	agent_settle(a);
}

mono_ns agent_deadline(const struct agent *a)
{
	mono_ns at = mono_min(mesh_deadline(a->mesh), mono_min(a->forget_at, a->expiry_at));

	return a->ctl ? mono_min(at, ctlclient_deadline(a->ctl)) : at;
}

/* ---- What the machine tells ---- */

void agent_set_local(struct agent *a, const struct ipprefix *addrs, size_t n, uint16_t port4, uint16_t port6, bool link_changed,
	struct now now)
{
	struct ipprefix keep[MESH_LOCAL_ADDRS_MAX];
	size_t n_keep = 0;
	bool link = false;

	a->now = now;
	for (size_t i = 0; i < n && n_keep < MESH_LOCAL_ADDRS_MAX; i++)
		if (!agent_has_address(self_of(a), ipprefix_single(addrs[i].ip)))
			keep[n_keep++] = addrs[i];
	for (size_t i = 0; i < n_keep; i++)
		link |= !ipaddr_is_loopback(keep[i].ip) && !ipaddr_is_link_local(keep[i].ip);
	if (link != a->has_link)
		a->link_since = now.mono;
	a->has_link = link;
	mesh_set_local(a->mesh, keep, n_keep, port4, port6, link_changed, now);
	if (link_changed && a->ctl)
		ctlclient_reconnect(a->ctl, now);
	agent_settle(a);
}

void agent_set_networks(struct agent *a, const struct ipprefix *nets, size_t n, struct now now)
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
	agent_settle(a);
}

void agent_udp_in(struct agent *a, struct mesh_datagram *dg, size_t n, struct now now)
{
	a->now = now;
	mesh_udp_in(a->mesh, dg, n, now);
	agent_settle_packets(a);
}

void agent_udp_failed(struct agent *a, struct ipport to, struct now now)
{
	a->now = now;
	mesh_udp_failed(a->mesh, to, now);
	agent_settle_packets(a);
}

void agent_resolved(struct agent *a, const char *host, const struct ipaddr *addrs, size_t n, struct now now)
{
	a->now = now;
	mesh_resolved(a->mesh, host, addrs, n, now);
	agent_settle(a);
}

void agent_measured(struct agent *a, int region, mono_ns latency, struct now now)
{
	a->now = now;
	mesh_measured(a->mesh, region, latency, now);
	agent_settle(a);
}

void agent_set_trouble(struct agent *a, unsigned bits, struct now now)
{
	a->now = now;
	if (bits != a->trouble)
		a->trouble_since = now.mono;
	a->trouble = bits;
}

void agent_break_relays(struct agent *a, struct now now)
{
	a->now = now;
	mesh_relays_restart(a->mesh, now);
	agent_settle(a);
}

void agent_netcheck(struct agent *a, struct now now)
{
	a->now = now;
	a->netcheck_asked = true;
	mesh_netcheck_start(a->mesh, now);
	agent_settle(a);
}

/* ---- Streams ---- */

static bool is_control(unsigned stream)
{
	return stream < CTL_CONNS;
}

static int region_of(unsigned stream)
{
	return (int)(stream - AGENT_STREAM_RELAY);
}

void agent_stream_connected(struct agent *a, unsigned stream, const struct node_pub *fast_key, struct now now)
{
	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_connected(a->ctl, (enum ctlclient_conn)stream, now);
	} else if (stream == AGENT_STREAM_PROBE) {
		agent_probe_connected(a);
	} else if (mesh_relay_connected(a->mesh, region_of(stream), fast_key, now) < 0) {
		relay_hangup(a, region_of(stream));
	}
	agent_settle(a);
}

int agent_stream_feed(struct agent *a, unsigned stream, uint8_t *p, size_t len, struct now now)
{
	int rc = 0;

	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_feed(a->ctl, (enum ctlclient_conn)stream, view_of(p, len), now);
	} else if (stream == AGENT_STREAM_PROBE) {
		rc = -ERR_CLOSED; /* answered: that is all that was wanted */
	} else {
		rc = mesh_relay_feed(a->mesh, region_of(stream), p, len, now);
		agent_settle_packets(a);
		return rc;
	}
	agent_settle(a);
	return rc;
}

void agent_stream_closed(struct agent *a, unsigned stream, int rc, struct now now)
{
	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_closed(a->ctl, (enum ctlclient_conn)stream, rc, now);
	} else if (stream == AGENT_STREAM_PROBE) {
		agent_probe_closed(a);
	} else {
		mesh_relay_closed(a->mesh, region_of(stream), rc, now);
		event(a, AGENT_RELAY, region_of(stream));
	}
	agent_settle(a);
}

struct view agent_stream_output(struct agent *a, unsigned stream)
{
	if (is_control(stream))
		return a->ctl ? ctlclient_output(a->ctl, (enum ctlclient_conn)stream) : view_of("", 0);
	if (stream == AGENT_STREAM_PROBE)
		return a->head_up ? buf_view(&a->head_out) : view_of("", 0);
	return mesh_relay_output(a->mesh, region_of(stream));
}

void agent_stream_written(struct agent *a, unsigned stream, size_t n)
{
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_written(a->ctl, (enum ctlclient_conn)stream, n);
	} else if (stream == AGENT_STREAM_PROBE) {
		buf_consume(&a->head_out, n);
	} else {
		mesh_relay_written(a->mesh, region_of(stream), n);
	}
}

/* ---- What is ---- */

enum ipn_state agent_state(const struct agent *a)
{
	return a->state;
}

const struct ipn_prefs *agent_prefs(const struct agent *a)
{
	return prefs_of(a);
}

const struct agent_identity *agent_identity(const struct agent *a)
{
	return &a->id;
}

const char *agent_login_url(const struct agent *a)
{
	return a->login_url;
}

const char *agent_login_error(const struct agent *a)
{
	return a->login_error;
}

bool agent_is_polling(const struct agent *a)
{
	/* A login that waits for a person does not end what the key before it has. */
	return a->ctl && (a->ctl_state == CTL_RUNNING || (a->ctl_state == CTL_NEEDS_LOGIN && ctlclient_hears_maps(a->ctl)));
}

const char *agent_control_error(const struct agent *a)
{
	return a->control_error;
}

const char *agent_refused(const struct agent *a)
{
	return a->refused;
}

const char *agent_relay_error(const struct agent *a, int region, struct arena *mem)
{
	const struct tc_derp_node *n;
	int rc = mesh_relay_failure(a->mesh, region, &n);
	struct agent_dial d;
	struct reason r;
	char text[REASON_MAX];

	if (!rc)
		return NULL;
	d = agent_dial_of(n);
	r = (struct reason){ .step = REASON_RELAY, .rc = rc, .host = d.host ? d.host : "", .port = d.port,
		.tls = d.tls != AGENT_TLS_NONE, .wall = a->now.wall };
	return arena_strdup(mem, reason_format(&r, text));
}

const struct netmap *agent_netmap(const struct agent *a)
{
	return self_of(a) ? a->nm : NULL;
}

bool agent_netmap_is_cached(const struct agent *a)
{
	return self_of(a) && a->cached;
}

const struct mesh *agent_mesh(const struct agent *a)
{
	return a->mesh;
}

const struct filter *agent_filter(const struct agent *a)
{
	return a->filter;
}

const struct agent_counters *agent_counters(const struct agent *a)
{
	return &a->counters;
}

const struct agent_net_config *agent_net_config(const struct agent *a)
{
	return &a->net;
}

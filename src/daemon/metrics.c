/* Counters as text (Prometheus): what users watch, and all there are; and the listener of --debug. */
#include "daemon/metrics.h"
#include "daemon/peerapi/peerapi.h"
#include "http/server/server.h"
#include "os/addr/addr.h"
#include "os/log/log.h"
#include "os/route/route.h"
#include "os/tun/tun.h"
#include "os/udp/udp.h"

#include <errno.h>

enum { METRICS_MAX = 1 << 20, DEBUG_CONNS_MAX = 16 };

struct metric {
	const char *name, *type, *help;
};

static int head(struct buf *out, const struct metric *m)
{
	return buf_printf(out, "# TYPE %s %s\n# HELP %s %s\n", m->name, m->type, m->name, m->help);
}

static int gauge(struct buf *out, const struct metric *m, int64_t v)
{
	int rc = head(out, m);

	return rc == 0 ? buf_printf(out, "%s %lld\n", m->name, (long long)v) : rc;
}

/* Routes in the map that are ours beyond our addresses: what the hub approved. */
static int64_t approved_routes(const struct metrics *s)
{
	const struct netmap *nm = node_netmap(s->d->engine.node);
	const struct tc_node *self = nm ? netmap_self(nm) : NULL;
	int64_t count = 0;

	for (size_t i = 0; self && i < self->allowed_ips.n; i++)
		if (JSON_AT(self->allowed_ips, struct ipprefix, i)->bits !=
			ipaddr_bits(JSON_AT(self->allowed_ips, struct ipprefix, i)->ip))
			count++;
	return count;
}

static int64_t n_warnings(const struct metrics *s)
{
	struct ipn_health h = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	if (node_health(s->d->engine.node, engine_now(&s->d->engine), &a, &h) < 0)
		h.warnings.n = 0;
	arena_fini(&a);
	return (int64_t)h.warnings.n;
}

/* Direct paths by family; the mesh counts packets through relays, and not their bytes. */
static int by_path(
	struct buf *out, const struct metric *m, const uint64_t direct[2], const uint64_t *relay)
{
	int rc = head(out, m);

	if (rc == 0)
		rc = buf_printf(out,
			"%s{path=\"direct_ipv4\"} %llu\n%s{path=\"direct_ipv6\"} %llu\n", m->name,
			(unsigned long long)direct[0], m->name, (unsigned long long)direct[1]);
	if (rc == 0 && relay)
		rc = buf_printf(
			out, "%s{path=\"derp\"} %llu\n", m->name, (unsigned long long)*relay);
	return rc;
}

static int by_reason(struct buf *out, const struct metric *m, const uint64_t n[FILTER_N_VERDICTS])
{
	const struct {
		const char *reason;
		uint64_t count;
	} v[] = {
		{ "acl", n[FILTER_DROP_RULES] + n[FILTER_DROP_NO_RULES] + n[FILTER_DROP_SHIELDS] +
				 n[FILTER_DROP_JAILED] + n[FILTER_DROP_REVOKED] +
				 n[FILTER_DROP_NOT_LOCAL] },
		{ "link_local_unicast", n[FILTER_DROP_LINK_LOCAL] },
		{ "multicast", n[FILTER_DROP_MULTICAST] },
		{ "too_short", n[FILTER_DROP_SHORT] },
		{ "unknown_protocol", n[FILTER_DROP_UNREADABLE] },
	};
	int rc = head(out, m);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(v); i++)
		rc = buf_printf(out, "%s{reason=\"%s\"} %llu\n", m->name, v[i].reason,
			(unsigned long long)v[i].count);
	return rc;
}

int metrics_user(void *ctx, struct buf *out)
{
	static const struct metric advertised = { "tailscaled_advertised_routes", "gauge",
		"Number of advertised network routes (e.g. by a subnet router)" };
	static const struct metric approved = { "tailscaled_approved_routes", "gauge",
		"Number of approved network routes (e.g. by a subnet router)" };
	static const struct metric warnings = { "tailscaled_health_messages", "gauge",
		"Number of health messages broken down by type." };
	static const struct metric home = { "tailscaled_home_derp_region_id", "gauge",
		"DERP region ID of this node's home relay server" };
	static const struct metric in_bytes = { "tailscaled_inbound_bytes_total", "counter",
		"Counts the number of bytes received from other peers" };
	static const struct metric in_drop = { "tailscaled_inbound_dropped_packets_total",
		"counter",
		"Counts the number of dropped packets received by the node from other peers" };
	static const struct metric in = { "tailscaled_inbound_packets_total", "counter",
		"Counts the number of packets received from other peers" };
	static const struct metric out_bytes = { "tailscaled_outbound_bytes_total", "counter",
		"Counts the number of bytes sent to other peers" };
	static const struct metric out_drop = { "tailscaled_outbound_dropped_packets_total",
		"counter", "Counts the number of packets dropped while being sent to other peers" };
	static const struct metric out_packets = { "tailscaled_outbound_packets_total", "counter",
		"Counts the number of packets sent to other peers" };
	struct metrics *s = ctx;
	const struct magicsock_counters *m = magicsock_counters(node_magicsock(s->d->engine.node));
	const struct filter_counters *f = filter_counters(node_filter(s->d->engine.node));
	const struct net_counters *c = net_counters(s->d->net);
	int rc =
		gauge(out, &advertised, (int64_t)node_prefs(s->d->engine.node)->advertise_routes.n);

	if (rc == 0)
		rc = gauge(out, &approved, approved_routes(s));
	if (rc == 0)
		rc = head(out, &warnings);
	if (rc == 0)
		rc = buf_printf(out, "%s{type=\"warning\"} %lld\n", warnings.name,
			(long long)n_warnings(s));
	if (rc == 0)
		rc = gauge(out, &home, magicsock_home(node_magicsock(s->d->engine.node)));
	if (rc == 0)
		rc = by_path(out, &in_bytes, c->in_bytes, NULL);
	if (rc == 0)
		rc = by_reason(out, &in_drop, f->in);
	if (rc == 0)
		rc = by_path(out, &in, c->in, &m->relay_in);
	if (rc == 0)
		rc = by_path(out, &out_bytes, c->out_bytes, NULL);
	if (rc == 0)
		rc = by_reason(out, &out_drop, f->out);
	return rc == 0 ? by_path(out, &out_packets, c->out, &m->relay_out) : rc;
}

/* ---- Everything ---- */

struct counter {
	const char *name;
	size_t offset;
};

static int counters(struct buf *out, const void *of, const struct counter *v, size_t count)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = buf_printf(out, "warrend_%s %llu\n", v[i].name,
			(unsigned long long)*(
				const uint64_t *)(const void *)((const char *)of + v[i].offset));
	return rc;
}

#define C(type, member, name) \
	{ \
		name "_" #member, offsetof(struct type, member) \
	}
static const struct counter node_list[] = {
#define A(m) C(node_counters, m, "agent")
	A(tun_in),
	A(tun_out),
	A(bytes_in),
	A(bytes_out),
	A(ports_in),
	A(ports_out),
	A(ports_dropped),
	A(ports_forged),
	A(tsmp_from_host),
	A(filter_out_dropped),
	A(filter_in_dropped),
	A(filter_in_not_here),
	A(rejects_dropped),
	A(bad_netmaps),
	A(bad_peers),
	A(probes),
	A(probes_refused),
	A(events_dropped),
	A(map_self_refused),
	A(map_peers_refused),
	A(map_routes_refused),
	A(map_relays_refused),
	A(map_dns_refused),
	A(map_messages_refused),
#undef A
};
static const struct counter magicsock_list[] = {
#define M(m) C(magicsock_counters, m, "mesh")
	M(udp_in),
	M(stun_in),
	M(disco_in),
	M(wg_in),
	M(relay_in),
	M(relay_out),
	M(relay_no_peer),
	M(stun_unknown),
	M(disco_unknown),
	M(disco_bad),
	M(disco_ignored),
	M(no_route),
	M(no_path),
	M(no_session_pokes),
	M(pings_out),
	M(pongs_out),
	M(calls_out),
	M(pings_in),
	M(pongs_in),
	M(calls_in),
	M(ping_limited),
	M(probe_limited),
	M(stun_limited),
	M(unproven_held),
	M(path_direct),
	M(path_lost),
	M(relay_idle_closed),
	M(relay_dropped),
	M(unknown_peers_dropped),
#undef M
};
static const struct counter derp_list[] = {
#define D(m) C(derpclient_counters, m, "derp")
	D(dials),
	D(logins),
	D(packets_in),
	D(packets_out),
	D(drop_queue_head),
	D(drop_rate),
	D(drop_down),
	D(bad_frames),
	D(infos_refused),
	D(skipped),
#undef D
};
static const struct counter wg_list[] = {
#define W(m) C(wg_counters, m, "wg")
	W(bad_message),
	W(bad_mac),
	W(no_peer),
	W(bad_handshake),
	W(flood),
	W(rate_limited),
	W(cookie_sent),
	W(cookie_received),
	W(no_session),
	W(replay),
	W(bad_tag),
	W(bad_source),
	W(bad_inner),
	W(staged_dropped),
	W(sent_datagrams),
	W(received_datagrams),
	W(out_dropped),
#undef W
};
static const struct counter filter_list[] = {
#define F(m) C(filter_counters, m, "filter")
	F(flows_evicted),
	F(admitted_evicted),
#undef F
};
static const struct counter udp_list[] = {
#define U(m) C(udp_counters, m, "udp")
	U(in),
	U(out),
	U(in_calls),
	U(out_calls),
	U(in_overflow),
	U(out_full),
	U(out_failed),
#undef U
};
static const struct counter tun_list[] = {
#define T(m) C(tun_counters, m, "tun")
	T(in_frames),
	T(in_packets),
	T(out_packets),
	T(out_frames),
	T(in_bad),
	T(out_failed),
#undef T
};
static const struct counter route_list[] = {
#define R(m) C(route_counters, m, "route")
	R(applied),
	R(added),
	R(removed),
	R(repaired),
#undef R
};
static const struct counter lapi_list[] = {
#define L(m) C(lapi_counters, m, "lapi")
	L(requests),
	L(refused),
	L(bad_requests),
	L(connections_refused),
	L(watchers_refused),
	L(bytes_refused),
	L(work_refused),
	L(operator_late),
#undef L
};
static const struct counter watch_list[] = {
#define V(m) C(watch_counters, m, "lapi")
	V(watchers_behind),
#undef V
};
static const struct counter dialer_list[] = {
#define N(m) C(dialer_counters, m, "node")
	N(lookups),
	N(lookups_refused),
#undef N
};
static const struct counter dns_list[] = {
#define D(m) C(dns_counters, m, "dns")
	D(asked),
	D(answered),
	D(local),
	D(cached),
	D(stale),
	D(forwarded),
	D(joined),
	D(sent),
	D(sent_tcp),
	D(sent_doh),
	D(replies),
	D(late),
	D(failures),
	D(timeouts),
	D(bad_replies),
	D(servfail_made),
	D(no_upstream),
	D(truncated),
	D(formerr),
	D(notimp),
	D(badvers),
	D(refused_peers),
	D(not_questions),
	D(refused_busy),
	D(refused_group),
	D(loops),
	D(cache_evicted),
	D(records_ignored),
	D(lookups),
	D(no_memory),
#undef D
};
static const struct counter dnsd_list[] = {
#define I(m) C(dnsd_io_counters, m, "dns")
	I(udp_sockets),
	I(udp_late),
	I(stream_late),
	I(udp_full),
	I(stream_full),
	I(streams),
	I(tcp_clients),
	I(tcp_strangers),
	I(tcp_full),
	I(clients_full),
#undef I
};
static const struct counter quad100_list[] = {
#define Q(m) C(quad100_counters, m, "quad100")
	Q(udp_questions),
	Q(udp_answers),
	Q(tcp_segments),
	Q(echoes),
	Q(refused),
	Q(unreadable),
	Q(ignored),
	Q(unrefused),
	Q(no_room),
#undef Q
};
static const struct counter peerapi_list[] = {
#define P(m) C(peerapi_counters, m, "peerapi")
	P(requests),
	P(strangers),
	P(refused),
	P(connections_refused),
#undef P
};
#undef C

int metrics_all(void *ctx, struct buf *out)
{
	struct metrics *s = ctx;
	const struct derpclient_counters derp =
		relays_client_counters(magicsock_relays(node_magicsock(s->d->engine.node)));
	const struct {
		const void *of;
		const struct counter *v;
		size_t count;
	} all[] = {
		{ node_counters(s->d->engine.node), node_list, ARRAY_LEN(node_list) },
		{ magicsock_counters(node_magicsock(s->d->engine.node)), magicsock_list,
			ARRAY_LEN(magicsock_list) },
		{ &derp, derp_list, ARRAY_LEN(derp_list) },
		{ magicsock_wg_counters(node_magicsock(s->d->engine.node)), wg_list,
			ARRAY_LEN(wg_list) },
		{ filter_counters(node_filter(s->d->engine.node)), filter_list,
			ARRAY_LEN(filter_list) },
		{ udp_counters(net_udp(s->d->net)), udp_list, ARRAY_LEN(udp_list) },
		{ tun_counters(net_tun(s->d->net)), tun_list, ARRAY_LEN(tun_list) },
		{ route_counters(net_route(s->d->net)), route_list, ARRAY_LEN(route_list) },
		{ lapi_counters(s->lapi), lapi_list, ARRAY_LEN(lapi_list) },
		{ watch_counters(s->watch), watch_list, ARRAY_LEN(watch_list) },
		{ dialer_counters(s->d->dialer), dialer_list, ARRAY_LEN(dialer_list) },
		{ dns_counters(dnsd_engine(s->d->dns)), dns_list, ARRAY_LEN(dns_list) },
		{ dnsd_io_counters(s->d->dns), dnsd_list, ARRAY_LEN(dnsd_list) },
		{ dnsd_quad100_counters(s->d->dns), quad100_list, ARRAY_LEN(quad100_list) },
		{ peerapi_counters(s->peerapi), peerapi_list, ARRAY_LEN(peerapi_list) },
	};
	int rc = metrics_user(ctx, out);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(all); i++)
		rc = counters(out, all[i].of, all[i].v, all[i].count);
	return rc == 0 ? buf_printf(out, "warrend_node_saves_failed %llu\n",
				 (unsigned long long)keeper_saves_failed(s->d->keeper))
		       : rc;
}

/* ---- --debug ---- */

static int answer_metrics(struct http_request *q, int (*print)(void *ctx, struct buf *out))
{
	struct buf out;
	int rc;

	buf_init(&out, METRICS_MAX);
	rc = print(q->ctx, &out);
	if (rc == 0)
		rc = http_reply_send(q->reply, 200, "text/plain; version=0.0.4; charset=utf-8", "",
			buf_view(&out));
	buf_fini(&out);
	return rc;
}

static int on_all_metrics(struct http_request *q)
{
	return answer_metrics(q, metrics_all);
}

static int on_user_metrics(struct http_request *q)
{
	return answer_metrics(q, metrics_user);
}

static int on_root(struct http_request *q)
{
	return http_reply_send(q->reply, 200, "text/plain; charset=utf-8", "",
		VIEW_LIT("warrend: /debug/metrics /metrics\n"));
}

static const struct http_route debug_routes[] = {
	{ "GET", "/", 0, .fn = on_root },
	{ "GET", "/debug/metrics", 0, .fn = on_all_metrics },
	{ "GET", "/metrics", 0, .fn = on_user_metrics },
};
static const struct router debug_table = { ROUTER_TABLE(debug_routes) };
static const struct router *const debug_tables[] = { &debug_table };

static int start(void *self)
{
	struct metrics *s = self;
	struct httpd_cfg cfg = { .loop = s->d->engine.loop,
		.conns_max = DEBUG_CONNS_MAX,
		.answer_max = METRICS_MAX,
		.tables = debug_tables,
		.n_tables = ARRAY_LEN(debug_tables),
		.ctx = s };
	struct ipport at, bound;
	char text[IPPORT_TEXT_MAX];
	int rc;

	if (!*s->listen)
		return 0;
	rc = addr_listen_parse(s->listen, &at);
	/* ":8080" is this machine only, unlike Go's: counters are nobody else's business unless somebody says so. */
	if (rc == 0 && !at.ip.family)
		at.ip = ipaddr_v4(127, 0, 0, 1);
	if (rc == 0)
		rc = httpd_new(&s->httpd, &cfg);
	if (rc == 0)
		rc = httpd_listen(s->httpd, at, NULL, &bound);
	if (rc < 0)
		log_error("debug", "cannot listen", "addr=%s err=%s", s->listen, err_text(rc));
	else
		log_info("debug", "counters are shown", "url=http://%s/debug/metrics",
			ipport_format(bound, text));
	return rc;
}

static void stop(void *self)
{
	struct metrics *s = self;

	s->httpd = httpd_free(s->httpd);
}

const struct service metrics_listener = { .name = "metrics", .start = start, .stop = stop };

#include "tests/localapi/fake.h"

#include "daemon/services/debug.h"
#include "daemon/services/login.h"
#include "daemon/services/machine.h"
#include "daemon/services/map.h"
#include "daemon/services/peers.h"
#include "daemon/services/prefs.h"
#include "daemon/services/probe.h"
#include "daemon/services/profiles.h"
#include "daemon/services/scrape.h"
#include "daemon/services/serve.h"
#include "daemon/services/status.h"
#include "daemon/services/watch.h"

#include "base/text/text.h"
#include "localapi/server/request.h"
#include "proto/dnsmsg/dnsmsg.h"

#include <errno.h>

enum { WAITING_MAX = 64 };

/* What a hub would send: this device ("me"), a direct peer ("near") and one behind the relay ("far"). */
static const char map_text[] =
	"{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"me.tail.test.\",\"User\":1,\"Key\":\"nodekey:"
	"1111111111111111111111111111111111111111111111111111111111111111\",\"Machine\":\"mkey:"
	"1111111111111111111111111111111111111111111111111111111111111111\",\"Addresses\":[\"100.64.0.1/32\","
	"\"fd7a:115c:a1e0::1/128\"],\"AllowedIPs\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\"],\"Endpoints\":"
	"[\"192.0.2.1:41641\"],\"HomeDERP\":1,\"Hostinfo\":{\"OS\":\"linux\",\"Hostname\":\"me\"},\"Created\":"
	"\"2026-01-01T00:00:00Z\",\"MachineAuthorized\":true,\"CapMap\":{\"https://tailscale.com/cap/is-admin\":[]}},"
	"\"DERPMap\":{\"Regions\":{\"1\":{\"RegionID\":1,\"RegionCode\":\"lab\",\"RegionName\":\"Lab\",\"Nodes\":[{\"Name\":"
	"\"1a\",\"RegionID\":1,\"HostName\":\"relay.test\",\"IPv4\":\"192.0.2.10\",\"STUNPort\":3478,\"DERPPort\":443}]}}},"
	"\"Peers\":[{\"ID\":2,\"StableID\":\"n2\",\"Name\":\"near.tail.test.\",\"User\":1,\"Key\":\"nodekey:"
	"2222222222222222222222222222222222222222222222222222222222222222\",\"Machine\":\"mkey:"
	"2222222222222222222222222222222222222222222222222222222222222222\",\"Addresses\":[\"100.64.0.2/32\","
	"\"fd7a:115c:a1e0::2/128\"],\"AllowedIPs\":[\"100.64.0.2/32\",\"fd7a:115c:a1e0::2/128\"],\"HomeDERP\":1,"
	"\"Hostinfo\":{\"OS\":\"linux\",\"Hostname\":\"nearby\"},\"Created\":\"2026-01-01T00:00:00Z\",\"Online\":true,"
	"\"MachineAuthorized\":true},{\"ID\":3,\"StableID\":\"n3\",\"Name\":\"far.tail.test.\",\"User\":2,\"Key\":\"nodekey:"
	"3333333333333333333333333333333333333333333333333333333333333333\",\"Machine\":\"mkey:"
	"3333333333333333333333333333333333333333333333333333333333333333\",\"Addresses\":[\"100.64.0.3/32\","
	"\"fd7a:115c:a1e0::3/128\"],\"AllowedIPs\":[\"0.0.0.0/0\",\"100.64.0.3/32\",\"::/0\",\"fd7a:115c:a1e0::3/128\"],"
	"\"Tags\":[\"tag:server\"],\"PrimaryRoutes\":[\"192.168.7.0/24\"],\"HomeDERP\":1,\"Hostinfo\":{\"OS\":\"linux\","
	"\"Hostname\":\"far\"},\"Created\":\"2026-01-01T00:00:00Z\",\"LastSeen\":\"2026-01-02T00:00:00Z\",\"Online\":false,"
	"\"KeyExpiry\":\"2026-06-01T00:00:00Z\",\"MachineAuthorized\":true}],\"DNSConfig\":{\"Domains\":[\"tail.test\"],"
	"\"Proxied\":true,\"ExtraRecords\":[{\"Name\":\"app.tail.test\",\"Type\":\"A\",\"Value\":\"100.64.0.2\"}]},"
	"\"Domain\":\"hub.test\",\"PacketFilter\":[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,"
	"\"Last\":65535}}]}],\"UserProfiles\":[{\"ID\":1,\"LoginName\":\"anna@example.com\",\"DisplayName\":\"Anna\"},"
	"{\"ID\":2,\"LoginName\":\"tagged-devices\",\"DisplayName\":\"Tagged Devices\"}]}";

struct fake {
	enum ipn_state state;
	struct netmap *nm;
	struct rng_seeded rng;
	struct arena memory; /* of the preferences, which are few and small */
	struct ipn_prefs prefs;
	struct ipn_persist persist;
	const struct lapi *lapi;
	struct facts facts;
	struct watch *watch;
	struct services *services;
	struct prefs_service prefs_service;
	struct login_service login;
	struct profiles_service profiles;
	struct peers_service peers;
	struct probe_service probe;
	struct machine machine;
	struct scrape_service scrape;
	struct debug_service debug;
	struct probe_call *waiting[WAITING_MAX];
	size_t n_waiting, n_cancelled;
	bool logged_in, profile_gone, login_asked, logging_out;
};

static void nothing(void *ctx, enum netmap_change what, int64_t id) {}

static int add_services(struct fake *f, struct loop *l);

int fake_new(struct fake **ret, struct loop *l)
{
	static const struct netmap_ops ops = { .on_change = nothing };
	struct fake *f = calloc(1, sizeof(*f));
	struct now now = { .mono = SEC(1), .wall = 1780000000000 };
	int rc;

	if (!f)
		return -ENOMEM;
	rng_seeded_init(&f->rng, 1);
	arena_init(&f->memory, 16 << 20);
	ipn_prefs_init(&f->prefs);
	f->prefs.logged_out = false;
	f->prefs.want_running = true;
	f->prefs.control_url = "https://hub.test";
	f->prefs.persist = &f->persist;
	f->persist = (struct ipn_persist){
		.user = { .id = 1, .login_name = "anna@example.com", .display_name = "Anna" },
		.node_id = "n1"
	};
	memset(f->persist.node_key.b, 0x5e, KEY_LEN); /* must never be seen */
	f->state = IPN_RUNNING;
	f->logged_in = true;
	rc = netmap_new(&f->nm, &ops, f, &f->rng.rng);
	if (rc == 0)
		rc = netmap_load(f->nm, map_text, sizeof(map_text) - 1, NULL, NULL, now);
	if (rc == 0)
		rc = add_services(f, l);
	if (rc < 0) {
		fake_free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

struct fake *fake_free(struct fake *f)
{
	if (!f)
		return NULL;
	if (f->nm)
		netmap_free(f->nm);
	services_free(f->services);
	watch_free(f->watch);
	arena_fini(&f->memory);
	free(f);
	return NULL;
}

size_t fake_n_waiting(const struct fake *f)
{
	return f->n_waiting;
}

size_t fake_n_cancelled(const struct fake *f)
{
	return f->n_cancelled;
}

/* ---- state ---- */

static void move_to(struct fake *f, enum ipn_state s)
{
	int64_t state = s;

	if (f->state == s)
		return;
	f->state = s;
	watch_notify(f->watch, &(struct ipn_notify){ .state = &state });
}

static enum ipn_state fake_state(void *b)
{
	return ((struct fake *)b)->state;
}

static const struct netmap *fake_netmap(void *b)
{
	struct fake *f = b;

	return f->logged_in ? f->nm : NULL;
}

static struct machine_pub fake_machine_key(void *b)
{
	return (struct machine_pub){ { 1 } };
}

static int fill_peer(const struct tc_node *n, struct arena *a, struct ipn_peer_status *ret)
{
	*ret = (struct ipn_peer_status){ .id = n->stable_id,
		.node_id = n->id,
		.public_key = n->key,
		.dns_name = n->name,
		.host_name = n->hostinfo->hostname,
		.os = n->hostinfo->os,
		.user_id = n->user,
		.allowed_ips = n->allowed_ips,
		.tags = n->tags,
		.primary_routes = n->primary_routes,
		.relay = "lab",
		.created = n->created,
		.last_seen = n->online == JSON_YES ? 0 : n->last_seen,
		.online = n->online == JSON_YES,
		.key_expiry = n->key_expiry,
		.expired = n->key_expiry != 0,
		.exit_node_option = n->id == 3,
		.in_network_map = true,
		.in_magicsock = true,
		.cap_map = n->cap_map };
	for (size_t i = 0; i < n->addresses.n; i++) {
		struct ipaddr *ip = json_list_add(&ret->tailscale_ips, a, sizeof(*ip));
		if (!ip)
			return -ENOMEM;
		*ip = JSON_AT(n->addresses, struct ipprefix, i)->ip;
	}
	if (n->id == 2) {
		ret->cur_addr = "198.51.100.2:41641";
		ret->active = true;
		ret->rx_bytes = 1000;
		ret->tx_bytes = 2000;
	}
	return 0;
}

static int add_user(struct fake *f, int64_t id, struct arena *a, struct ipn_status *ret)
{
	char *key = arena_printf(a, "%lld", (long long)id);
	const struct tc_user *u = netmap_user(f->nm, id);

	if (!key || json_map_find(&ret->user, key))
		return key ? 0 : -ENOMEM;
	return json_map_add(&ret->user, a, key, (void *)u);
}

static int add_peers(struct fake *f, struct arena *a, struct ipn_status *ret)
{
	const struct tc_node *peers[8];
	int rc = 0;

	CHECK(netmap_n_peers(f->nm) <= ARRAY_LEN(peers));
	netmap_peers(f->nm, peers);
	for (size_t i = 0; i < netmap_n_peers(f->nm) && rc == 0; i++) {
		struct ipn_peer_status *p = arena_new(a, struct ipn_peer_status);
		char *key = arena_alloc(a, KEY_TEXT_MAX);

		rc = p && key ? fill_peer(peers[i], a, p) : -ENOMEM;
		if (rc == 0)
			rc = json_map_add(
				&ret->peer, a, key_format(KEY_NODE, peers[i]->key.b, key), p);
		if (rc == 0)
			rc = add_user(f, peers[i]->user, a, ret);
	}
	return rc;
}

static int fake_status(void *b, bool peers, struct arena *a, struct ipn_status *ret)
{
	struct fake *f = b;
	struct ipn_tailnet_status *t = arena_new(a, struct ipn_tailnet_status);
	int rc = 0;

	ret->tun = true;
	ret->backend_state = ipn_state_name(f->state);
	ret->health.present = true;
	ret->self = arena_new(a, struct ipn_peer_status);
	if (!t || !ret->self)
		return -ENOMEM;
	if (f->state == IPN_NEEDS_LOGIN && f->login_asked)
		ret->auth_url = "https://hub.test/login/abc";
	if (!f->logged_in)
		return 0;
	rc = fill_peer(netmap_self(f->nm), a, ret->self);
	ret->self->online = f->state == IPN_RUNNING;
	ret->self->addrs.present = true;
	ret->have_node_key = true;
	ret->tailscale_ips = ret->self->tailscale_ips;
	ret->magic_dns_suffix = "tail.test";
	*t = (struct ipn_tailnet_status){
		.name = "hub.test", .magic_dns_suffix = "tail.test", .magic_dns_enabled = true
	};
	ret->current_tailnet = t;
	ret->extra_records = netmap_dns(f->nm)->extra_records;
	if (rc == 0)
		rc = add_user(f, 1, a, ret);
	if (rc == 0 && peers)
		rc = add_peers(f, a, ret);
	return rc;
}

static int fake_rejects(void *b, struct arena *a, struct ipn_rejects *ret)
{
	*ret = (struct ipn_rejects){ .outgoing.present = true, .incoming.present = true };
	return 0;
}

static int fake_health(void *b, struct arena *a, struct ipn_health *ret)
{
	static struct ipn_health_action action = { "https://hub.test/help", "Help" };
	struct ipn_health_warning *w = arena_new(a, struct ipn_health_warning);

	if (!w)
		return -ENOMEM;
	*w = (struct ipn_health_warning){ .code = "warming-up",
		.severity = "low",
		.title = "Starting",
		.text = "Please wait.",
		.primary_action = &action };
	return json_map_add(&ret->warnings, a, w->code, w);
}

static int fake_engine(void *b, struct arena *a, struct ipn_engine_status *ret)
{
	*ret = (struct ipn_engine_status){ .rx_bytes = 1000,
		.tx_bytes = 2000,
		.num_live = 1,
		.live_derps = 1,
		.live_peers.present = true };
	return 0;
}

/* ---- preferences and logins ---- */

static const struct ipn_prefs *fake_prefs(void *b)
{
	return &((struct fake *)b)->prefs;
}

static int fake_check_prefs(void *b, const struct ipn_prefs *p, struct err_at *at)
{
	return ipn_prefs_check(p, &((struct fake *)b)->prefs, at);
}

static int take_prefs(struct fake *f, const struct ipn_prefs *p)
{
	struct ipn_prefs without = *p;
	int rc;

	without.persist = NULL;
	rc = json_clone(&ipn_prefs_type, &without, &f->prefs, &f->memory);
	f->prefs.persist = f->logged_in ? &f->persist : NULL;
	if (rc == 0)
		watch_notify(f->watch, &(struct ipn_notify){ .prefs = &f->prefs });
	return rc;
}

static void logged_out(struct fake *f)
{
	f->logged_in = f->login_asked = f->logging_out = false;
	ipn_prefs_init(&f->prefs);
	move_to(f, IPN_NEEDS_LOGIN);
}

static int fake_edit_prefs(void *b, const struct ipn_masked_prefs *edit, struct err_at *at)
{
	struct fake *f = b;
	struct ipn_prefs p = f->prefs;
	int rc;

	ipn_prefs_merge(&p, edit);
	rc = fake_check_prefs(b, &p, at);
	if (rc == 0 && !ipn_prefs_same(&p, &f->prefs))
		rc = take_prefs(f, &p);
	if (f->logging_out)
		logged_out(f);
	else if (rc == 0 && f->logged_in)
		move_to(f, f->prefs.want_running ? IPN_RUNNING : IPN_STOPPED);
	return rc;
}

static int fake_start(void *b, const struct ipn_options *o, struct err_at *at)
{
	struct fake *f = b;
	int rc = o->update_prefs ? fake_check_prefs(b, o->update_prefs, at) : 0;

	if (rc == 0 && o->update_prefs)
		rc = take_prefs(f, o->update_prefs);
	if (rc == 0 && o->auth_key && *o->auth_key)
		f->logged_in = true;
	f->prefs.persist = f->logged_in ? &f->persist : NULL;
	if (rc == 0)
		move_to(f, f->logged_in ? IPN_STARTING : IPN_NEEDS_LOGIN);
	if (rc == 0 && f->logged_in)
		move_to(f, IPN_RUNNING);
	return rc;
}

static int fake_login(void *b, struct err_at *at)
{
	struct fake *f = b;

	f->login_asked = !f->logged_in;
	if (!f->logged_in)
		watch_notify(f->watch,
			&(struct ipn_notify){ .browse_to_url = "https://hub.test/login/abc" });
	return 0;
}

static int fake_logout(void *b, struct err_at *at)
{
	struct fake *f = b;

	f->logging_out = f->prefs.hostname && strcmp(f->prefs.hostname, "slow") == 0;
	if (f->logging_out)
		move_to(f, IPN_STOPPED);
	else
		logged_out(f);
	return 0;
}

static int fake_expiry(void *b, unix_ms expiry, struct err_at *at)
{
	err_at_set(at, 0, 0, "the hub does not know how");
	return -ERR_UNSUPPORTED;
}

static const struct ipn_login_profile one_profile = { .id = "f4b1",
	.name = "anna@example.com",
	.key = "profile-f4b1",
	.network = { "tail.test", "hub.test", "" },
	.user = { .id = 1, .login_name = "anna@example.com", .display_name = "Anna" },
	.node_id = "n1",
	.control_url = "https://hub.test",
	.created = 1780000000000 };

static int fake_profiles(void *b, struct arena *a, struct json_list *ret)
{
	struct fake *f = b;
	struct ipn_login_profile *p = f->profile_gone ? NULL : json_list_add(ret, a, sizeof(*p));

	if (p)
		*p = one_profile;
	return 0;
}

static int fake_profile_current(void *b, struct arena *a, struct ipn_login_profile *ret)
{
	struct fake *f = b;

	if (f->logged_in && !f->profile_gone)
		*ret = one_profile;
	return 0;
}

static int fake_profile_new(void *b, struct err_at *at)
{
	return fake_logout(b, at);
}

static int fake_profile_switch(void *b, const char *id, struct err_at *at)
{
	struct fake *f = b;

	if (f->profile_gone || strcmp(id, one_profile.id) != 0) {
		err_at_set(at, 0, 0, "profile not found");
		return -ENOENT;
	}
	f->logged_in = true;
	f->prefs.persist = &f->persist;
	f->prefs.control_url = "https://hub.test";
	move_to(f, IPN_RUNNING);
	return 0;
}

static int fake_profile_delete(void *b, const char *id, struct err_at *at)
{
	struct fake *f = b;

	f->profile_gone = f->profile_gone || strcmp(id, one_profile.id) == 0;
	return 0;
}

/* ---- calls ---- */

static void fake_ping(
	void *b, struct ipaddr ip, enum ipn_ping_type type, size_t size, struct probe_call *call)
{
	struct fake *f = b;
	char text[IPADDR_TEXT_MAX], err[80];
	struct ipn_ping_result r = { .ip = ipaddr_format(ip, text), .node_ip = text };

	if (strcmp(text, "100.64.0.99") == 0 && f->n_waiting < WAITING_MAX) {
		f->waiting[f->n_waiting++] = call;
		return;
	}
	if (strcmp(text, "100.64.0.2") == 0) {
		r.node_name = "near";
		r.endpoint = type == IPN_PING_DISCO ? "198.51.100.2:41641" : "";
		r.latency_seconds = 0.000210042;
	} else if (strcmp(text, "100.64.0.3") == 0) {
		r.node_name = "far";
		r.latency_seconds = 0.0312;
		r.derp_region_id = type == IPN_PING_DISCO ? 1 : 0;
		r.derp_region_code = type == IPN_PING_DISCO ? "lab" : "";
	} else if (strcmp(text, "100.64.0.1") == 0) {
		snprintf(err, sizeof(err), "%s is local Tailscale IP", text);
		r.node_ip = "";
		r.err = err;
		r.is_local_ip = true;
	} else {
		r.node_ip = "";
		r.err = "no matching peer";
	}
	probe_ping_done(call, &r);
}

static void fake_netcheck(void *b, struct probe_call *call)
{
	static int64_t latency = 12300000;
	static struct json_pair pair = { "1", &latency };
	static const struct json_map map = { .v = &pair, .n = 1, .present = true };
	struct ipn_netcheck r = { .now = 1780000000000,
		.udp = true,
		.ipv4 = true,
		.ipv4_can_send = true,
		.os_has_ipv6 = true,
		.mapping_varies = JSON_NO,
		.preferred_derp = 1,
		.region_latency = map,
		.region_v4_latency = map,
		.region_v6_latency.present = true,
		.global_v4 = { .ip = { .family = 4, .b = { 203, 0, 113, 5 } }, .port = 41641 } };

	probe_netcheck_done(call, &r);
}

static void fake_cancel(void *b, struct probe_call *call)
{
	struct fake *f = b;

	for (size_t i = 0; i < f->n_waiting; i++) {
		if (f->waiting[i] != call)
			continue;
		f->waiting[i] = f->waiting[--f->n_waiting];
		f->n_cancelled++;
		return;
	}
}

static int fake_usermetrics(void *b, struct buf *out)
{
	return buf_append_str(out,
		"# TYPE tailscaled_approved_routes gauge\n# HELP tailscaled_approved_routes Number of "
		"approved network routes\ntailscaled_approved_routes 0\n");
}

static int fake_metrics(void *b, struct buf *out)
{
	struct fake *f = b;
	static const struct lapi_counters none;
	const struct lapi_counters *n = f->lapi ? lapi_counters(f->lapi) : &none;

	return buf_printf(out,
		"requests %llu\nrefused %llu\nbad_requests %llu\nconnections %zu\nwatchers %zu\n"
		"watchers_behind %llu\nconnections_refused %llu\nwaiting %zu\ncancelled %zu\n",
		(unsigned long long)n->requests, (unsigned long long)n->refused,
		(unsigned long long)n->bad_requests, n->n_connections, n->n_watchers,
		(unsigned long long)watch_counters(f->watch)->watchers_behind,
		(unsigned long long)n->connections_refused, f->n_waiting, f->n_cancelled);
}

static void fake_bugreport(void *b, const char *marker, const char *note) {}

static int fake_debug(
	void *b, const char *action, struct view value, struct buf *out, struct err_at *at)
{
	if (strcmp(action, "rebind") == 0 || strcmp(action, "restun") == 0)
		return 0;
	if (strcmp(action, "rotate-disco-key") == 0) {
		err_at_set(at, 0, 0, "not while running");
		return -ERR_BAD_STATE;
	}
	return -ERR_UNSUPPORTED;
}

/* ---- Bound to the services ---- */

static const struct facts_ops facts_ops = {
	.state = fake_state,
	.status = fake_status,
	.netmap = fake_netmap,
	.machine_key = fake_machine_key,
	.prefs = fake_prefs,
	.health = fake_health,
	.engine = fake_engine,
};
static const struct os_dns_config *fake_dns_base(void *b)
{
	static const char *const search[] = { "base.example" };
	static const struct os_dns_config base = { .server = { { 4, { 10, 53, 9, 1 } } },
		.n_servers = 1,
		.search = search,
		.n_search = 1 };

	return &base;
}

static bool fake_dns_manager(void *b, struct ipn_dns_manager *ret)
{
	*ret = (struct ipn_dns_manager){
		.manager = "none", .state = "idle", .why = "", .error = ""
	};
	return true;
}

static const char *fake_gro_interface(void *b)
{
	(void)b;
	return NULL;
}

static const struct machine_ops machine_ops = { .dns_base = fake_dns_base,
	.dns_manager = fake_dns_manager,
	.gro_interface = fake_gro_interface };
static const struct prefs_ops prefs_ops = { .edit = fake_edit_prefs, .check = fake_check_prefs };
static const struct login_ops login_ops = {
	.start = fake_start,
	.interactive = fake_login,
	.logout = fake_logout,
	.reset = fake_logout,
	.set_expiry_sooner = fake_expiry,
};
static const struct profiles_ops profiles_ops = {
	.all = fake_profiles,
	.current = fake_profile_current,
	.fresh = fake_profile_new,
	.use = fake_profile_switch,
	.remove = fake_profile_delete,
};
static const struct probe_ops probe_ops = {
	.ping = fake_ping,
	.netcheck = fake_netcheck,
	.cancel = fake_cancel,
};
static const struct debug_ops debug_ops = {
	.rejects = fake_rejects,
	.bugreport = fake_bugreport,
	.action = fake_debug,
};

/* ---- A resolver that knows h2.tail.test and app.tail.test ---- */

static int fake_dns_query(struct http_request *q)
{
	static const struct ipaddr known = { 4, { 100, 64, 0, 1 } };
	const char *name = lapi_param(q, "name"), *type = lapi_param(q, "type");
	bool is_known = !strncmp(name, "h2.", 3) || !strncmp(name, "app.", 4);
	struct ipn_dns_answer doc = { .resolvers = { .present = true } };
	struct dnsmsg_question ask = { .type = DNSMSG_A, .class = DNSMSG_IN };
	uint8_t msg[DNSMSG_UDP_MAX];
	struct wcur w = wcur_over(msg, sizeof(msg));

	if (*type && strcmp(type, "A") != 0 && strcmp(type, "AAAA") != 0)
		return lapi_send_text(q->reply, 400, "unknown DNS message type: %s",
			!strcmp(type, "bogus") ? "BOGUS" : type);
	if (dnsmsg_name_parse(name, strlen(name), &ask.name) < 0)
		return lapi_send_text(q->reply, 500, "\"\" is not a valid DNS label");
	dnsmsg_put_header(&w, 1, DNSMSG_QR | (is_known ? DNSMSG_NOERROR : DNSMSG_SERVFAIL));
	dnsmsg_put_question(&w, &ask);
	if (is_known && strcmp(type, "AAAA") != 0)
		dnsmsg_put_address(&w, NULL, known, 5);
	doc.bytes = view_of(msg, wcur_len(&w));
	return lapi_send_json(q->reply, 200, &ipn_dns_answer_type, &doc, JSON_LINE);
}

static int fake_only_get(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "only GET allowed");
}

static const struct http_route names_routes[] = {
	{ "GET", "/dns-query", LAPI_WRITE, .fn = fake_dns_query,
		.denied = "dns-query access denied" },
	{ NULL, "/dns-query", LAPI_WRITE, .fn = fake_only_get,
		.denied = "dns-query access denied" },
};
static const struct router names_table = LAPI_TABLE(names_routes);
static const struct service names_service = { .name = "names", .routes = &names_table };

static int add_services(struct fake *f, struct loop *l)
{
	int rc;

	f->facts = (struct facts){ &facts_ops, f, WARREN_VERSION };
	rc = watch_new(&f->watch, l, &f->facts);
	if (rc == 0)
		rc = services_new(&f->services, l);
	if (rc < 0)
		return rc;
	f->prefs_service = (struct prefs_service){ &prefs_ops, f, &f->facts };
	f->login = (struct login_service){
		.ops = &login_ops, .owner = f, .facts = &f->facts, .loop = l
	};
	login_init(&f->login);
	f->profiles = (struct profiles_service){ &profiles_ops, f };
	f->peers = (struct peers_service){ .facts = &f->facts };
	f->probe = (struct probe_service){ &probe_ops, f };
	f->machine = (struct machine){ &machine_ops, f };
	f->scrape = (struct scrape_service){ fake_usermetrics, fake_metrics, f };
	f->debug = (struct debug_service){ &debug_ops, f, &f->facts, f->watch, "/nowhere" };
	services_add(f->services, &status_service, &f->facts);
	services_add(f->services, &watch_service, f->watch);
	services_add(f->services, &prefs_service, &f->prefs_service);
	services_add(f->services, &login_service, &f->login);
	services_add(f->services, &profiles_service, &f->profiles);
	services_add(f->services, &peers_service, &f->peers);
	services_add(f->services, &map_service, &f->facts);
	services_add(f->services, &probe_service, &f->probe);
	services_add(f->services, &machine_service, &f->machine);
	services_add(f->services, &serve_service, NULL);
	services_add(f->services, &names_service, NULL);
	services_add(f->services, &scrape_service, &f->scrape);
	services_add(f->services, &debug_service, &f->debug);
	return 0;
}

static const char *operator_user(void *owner)
{
	return ((struct fake *)owner)->prefs.operator_user;
}

int fake_serve(struct fake *f, struct loop *l, const char *version, struct lapi **ret)
{
	struct lapi_cfg cfg = { .operator_user = operator_user, .owner = f, .version = version };
	int rc;

	cfg.tables = services_tables(f->services, &cfg.n_tables);
	rc = lapi_new(l, &cfg, ret);
	if (rc == 0)
		f->lapi = *ret;
	return rc;
}

void fake_turn_end(void *ctx)
{
	services_turn_end(((struct fake *)ctx)->services);
}

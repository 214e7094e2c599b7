#include "tests/conformance/harness.h"

#include <stdlib.h>
#include <string.h>

#define CHECK_URL \
	"https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER"

static json_t *our_filter(struct trial *t, int64_t id)
{
	json_error_t err;
	json_t *j = NULL;
	struct buf b;

	buf_init(&b, POLICY_FILTER_MAX);
	if (policy_filter(t->plan, id, &b) == 0)
		j = json_loadb((const char *)buf_data(&b), buf_len(&b), 0, &err);
	buf_fini(&b);
	return j;
}

static void compare_filter(struct trial *t, const char *node, json_t *want, json_t *ours)
{
	if (!ours) {
		differ(t, "%s: no filter", node);
		return;
	}
	compare_filters(t, node, want, ours);
}

/* ---- lists of texts, as sets ---- */

static bool has_text(const json_t *list, const char *s)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) if (strcmp(json_string_value(v), s) == 0) return true;
	return false;
}

static void compare_sets(
	struct trial *t, const char *node, const char *what, const json_t *want, const json_t *got)
{
	json_t *v;
	size_t i;

	json_array_foreach(want, i, v) if (!has_text(got, json_string_value(v)))
		differ(t, "%s: %s lacks %s", node, what, json_string_value(v));
	json_array_foreach(got, i, v) if (!has_text(want, json_string_value(v))) differ(
		t, "%s: %s has %s, which should not be there", node, what, json_string_value(v));
}

static json_t *prefixes(const struct ipprefix *v, size_t n)
{
	json_t *list = json_array();
	char text[IPPREFIX_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(ipprefix_format(v[i], text)));
	return list;
}

static void compare_allowed(
	struct trial *t, const char *what, json_t *node, const struct policy_allowed *a)
{
	const char *name = str_of(json_object_get(node, "Hostinfo"), "Hostname");
	json_t *own = prefixes(a->v, a->n_addresses), *all = prefixes(a->v, a->n),
	       *primary = prefixes(a->v + a->n_addresses, a->n_primary - a->n_addresses);
	char text[200];

	snprintf(text, sizeof(text), "%s %s", name, "Addresses");
	compare_sets(t, what, text, json_object_get(node, "Addresses"), own);
	snprintf(text, sizeof(text), "%s %s", name, "AllowedIPs");
	compare_sets(t, what, text, json_object_get(node, "AllowedIPs"), all);
	snprintf(text, sizeof(text), "%s %s", name, "PrimaryRoutes");
	compare_sets(t, what, text, json_object_get(node, "PrimaryRoutes"), primary);
	json_decref(own);
	json_decref(all);
	json_decref(primary);
}

/* ---- peers ---- */

struct found {
	struct trial *t;
	json_t *ids; /* decimal -> true */
};

static int note_peer(void *ctx, int64_t id)
{
	struct found *f = ctx;
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	return json_object_set_new(f->ids, text, json_true());
}

static void compare_peer(struct trial *t, const char *node, int64_t id, json_t *peer, json_t *ids)
{
	const char *hostname = str_of(json_object_get(peer, "Hostinfo"), "Hostname"),
		   *name = name_of_host(t, hostname);
	int64_t peer_id = name ? id_of(t, name) : 0;
	struct policy_allowed allowed;
	struct arena a;
	char text[24];

	if (!name)
		return; /* not of the topology: somebody else's node that was there */
	snprintf(text, sizeof(text), "%lld", (long long)peer_id);
	if (!json_object_get(ids, text) || !policy_visible(t->plan, id, peer_id) ||
		!policy_visible(t->plan, peer_id, id)) {
		differ(t, "%s does not see %s", node, name);
		return;
	}
	json_object_set_new(ids, text, json_false());
	if ((json_object_get(json_object_get(peer, "CapMap"), "suggest-exit-node") != NULL) !=
		policy_node_suggests_exit(t->plan, peer_id))
		differ(t, "%s: %s is suggested as an exit node, or not, otherwise", node, name);
	arena_init(&a, 1 << 16);
	if (policy_allowed(t->plan, id, peer_id, &a, &allowed) == 0)
		compare_allowed(t, node, peer, &allowed);
	else
		differ(t, "%s: no AllowedIPs of %s", node, name);
	arena_fini(&a);
}

static void compare_peers(struct trial *t, const char *node, int64_t id, json_t *netmap)
{
	struct found f = { .t = t, .ids = json_object() };
	json_t *peer, *left;
	const char *key;
	size_t i;

	if (policy_peers(t->plan, id, note_peer, &f) < 0)
		differ(t, "%s: no peers", node);
	json_array_foreach(json_object_get(netmap, "Peers"), i, peer)
		compare_peer(t, node, id, peer, f.ids);
	json_object_foreach(f.ids, key, left) if (json_is_true(left))
		differ(t, "%s sees node %s, which it should not", node, key);
	json_decref(f.ids);
}

/* ---- attributes ---- */

/* What the service gives to every node, or by role and settings; no policy says so. */
static bool is_baseline(const char *cap)
{
	static const char *const names[] = { "https://tailscale.com/cap/file-sharing",
		"https://tailscale.com/cap/ssh", "https://tailscale.com/cap/tailnet-lock",
		"https://tailscale.com/cap/is-admin", "https://tailscale.com/cap/is-owner",
		"https://tailscale.com/cap/warn-funnel-no-https", "probe-udp-lifetime",
		"ssh-behavior-v1", "ssh-env-vars", "store-appc-routes", "tailnet-display-name",
		"default-auto-update" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(cap, names[i]) == 0)
			return true;
	return false;
}

static json_t *our_caps(struct trial *t, int64_t id)
{
	struct policy_node_cap *caps = NULL;
	json_t *map = json_object();
	json_error_t err;
	struct arena a;
	size_t n = 0;

	arena_init(&a, 1 << 20);
	if (policy_node_caps(t->plan, id, &a, &caps, &n) < 0)
		differ(t, "no attributes");
	for (size_t i = 0; i < n; i++)
		json_object_set_new(map, caps[i].name,
			caps[i].values ? json_loads(caps[i].values, 0, &err) : json_null());
	arena_fini(&a);
	return map;
}

static void compare_caps(struct trial *t, const char *node, int64_t id, json_t *want)
{
	json_t *got = our_caps(t, id), *v;
	const char *name;

	json_object_foreach(want, name,
		v) if (!is_baseline(name) &&
		       (!json_object_get(got, name) || !json_equal(v, json_object_get(got, name))))
		differ(t, "%s lacks attribute %s", node, name);
	json_object_foreach(got, name, v) if (!json_object_get(want, name))
		differ(t, "%s has attribute %s, which it should not", node, name);
	json_decref(got);
}

static void compare_netmap(struct trial *t, const char *node, int64_t id, json_t *netmap)
{
	json_t *self = json_object_get(netmap, "SelfNode");
	struct policy_allowed allowed;
	struct arena a;

	arena_init(&a, 1 << 16);
	if (policy_self_allowed(t->plan, id, &a, &allowed) == 0)
		compare_allowed(t, node, self, &allowed);
	else
		differ(t, "%s: no AllowedIPs of itself", node);
	arena_fini(&a);
	compare_caps(t, node, id, json_object_get(self, "CapMap"));
	compare_peers(t, node, id, netmap);
}

/* ---- ssh ---- */

static json_t *our_ssh(struct trial *t, int64_t id)
{
	json_error_t err;
	json_t *j = NULL;
	struct buf b;
	int rc;

	buf_init(&b, 1 << 20);
	rc = policy_ssh(t->plan, id, CHECK_URL, &b);
	if (rc == 0)
		j = json_loadb((const char *)buf_data(&b), buf_len(&b), 0, &err);
	buf_fini(&b);
	return rc == 1 ? json_pack("{s:[]}", "rules") : j;
}

static json_t *principals_of(json_t *rule)
{
	json_t *list = json_array(), *p;
	size_t i;

	json_array_foreach(json_object_get(rule, "principals"), i, p)
		json_array_append(list, json_object_get(p, "nodeIP"));
	return list;
}

static const char *path_of(json_t *rule)
{
	const char *url = str_of(json_object_get(rule, "action"), "holdAndDelegate"),
		   *host = strstr(url, "://");

	host = host ? strchr(host + 3, '/') : NULL;
	return host ? host : url;
}

static void compare_ssh_rule(struct trial *t, const char *node, size_t i, json_t *want, json_t *got)
{
	json_t *a = principals_of(want), *b = principals_of(got);
	json_t *env = json_object_get(want, "acceptEnv"),
	       *our_env = json_object_get(got, "acceptEnv");

	compare_sets(t, node, "principals", a, b);
	json_decref(a);
	json_decref(b);
	if (!json_equal(json_object_get(want, "sshUsers"), json_object_get(got, "sshUsers")))
		differ(t, "%s: rule %zu: other sshUsers", node, i);
	if (strcmp(path_of(want), path_of(got)) != 0)
		differ(t, "%s: rule %zu: holdAndDelegate %s, want %s", node, i, path_of(got),
			path_of(want));
	if (!*path_of(want) &&
		!json_equal(json_object_get(want, "action"), json_object_get(got, "action")))
		differ(t, "%s: rule %zu: another action", node, i);
	if (json_array_size(env) != json_array_size(our_env) ||
		(json_array_size(env) && !json_equal(env, our_env)))
		differ(t, "%s: rule %zu: other acceptEnv", node, i);
}

static void compare_ssh(struct trial *t, const char *node, int64_t id, json_t *want)
{
	json_t *ours = our_ssh(t, id), *got = json_object_get(ours, "rules"), *rule;
	size_t i;

	if (json_array_size(want) != json_array_size(got))
		differ(t, "%s: %zu ssh rules, want %zu", node, json_array_size(got),
			json_array_size(want));
	else
		json_array_foreach(want, i, rule)
			compare_ssh_rule(t, node, i, rule, json_array_get(got, i));
	json_decref(ours);
}

/* ---- whois ---- */

static struct ipaddr address_of(const struct trial *t, const char *node, unsigned family)
{
	const char *s = str_of(node_by_name(t, node), family == 4 ? "ipv4" : "ipv6");
	struct ipaddr a = { 0 };

	return ipaddr_parse(s, strlen(s), &a) == 0 ? a : (struct ipaddr){ 0 };
}

static void compare_peer_caps(struct trial *t, const char *node, const char *ip, json_t *want)
{
	json_t *nodes = json_object_get(json_object_get(t->doc, "topology"), "nodes"), *n,
	       *map = json_object();
	struct policy_node_cap *caps = NULL;
	json_error_t err;
	struct arena a;
	const char *name;
	size_t n_caps = 0;

	arena_init(&a, 1 << 20);
	json_object_foreach(nodes, name, n)
	{
		if (strcmp(str_of(n, "ipv4"), ip) != 0 && strcmp(str_of(n, "ipv6"), ip) != 0)
			continue;
		if (policy_peer_caps(t->plan, id_of(t, name), id_of(t, node), &a, &caps, &n_caps) <
			0)
			differ(t, "%s: no capabilities of %s", node, name);
	}
	for (size_t i = 0; i < n_caps; i++)
		json_object_set_new(map, caps[i].name,
			caps[i].values ? json_loads(caps[i].values, 0, &err) : json_array());
	if (!json_equal(map, want))
		differ(t, "%s: other capabilities of %s when asked directly", node, ip);
	json_decref(map);
	arena_fini(&a);
}

/* null and [] are one: a capability without values. */
static json_t *values_as_lists(json_t *caps)
{
	json_t *map = json_object(), *v;
	const char *name;

	json_object_foreach(caps, name, v)
	{
		if (json_is_array(v))
			json_object_set(map, name, v);
		else
			json_object_set_new(map, name, json_array());
	}
	return map;
}

static void compare_whois(struct trial *t, const char *node, json_t *whois, json_t *filter)
{
	const char *ip;
	json_t *who;

	json_object_foreach(whois, ip, who)
	{
		struct ipaddr src;
		json_t *want, *got;

		if (!json_is_object(who) || ipaddr_parse(ip, strlen(ip), &src) < 0)
			continue;
		want = values_as_lists(json_object_get(who, "CapMap"));
		got = filter_caps(filter, src, address_of(t, node, src.family));
		if (!json_equal(want, got))
			differ(t, "%s: other capabilities of %s", node, ip);
		compare_peer_caps(t, node, ip, want);
		json_decref(want);
		json_decref(got);
	}
}

void compare_capture(struct trial *t, const char *node, json_t *capture)
{
	json_t *rules = json_object_get(capture, "packet_filter_rules"),
	       *netmap = json_object_get(capture, "netmap"),
	       *ssh = json_object_get(capture, "ssh_rules");
	int64_t id = id_of(t, node);
	json_t *ours;

	if (id == 0)
		return;
	ours = our_filter(t, id);
	if (rules && !json_is_null(rules))
		compare_filter(t, node, rules, ours);
	if (netmap)
		compare_netmap(t, node, id, netmap);
	if (!ssh)
		ssh = json_object_get(json_object_get(netmap, "SSHPolicy"), "rules");
	if (ssh)
		compare_ssh(t, node, id, ssh);
	compare_whois(t, node, json_object_get(capture, "whois"), ours);
	json_decref(ours);
}

/* What programs see of things of the daemon: preferences without secrets, nodes with their names, the network map. */
#include "base/text/text.h"
#include "daemon/services/shown.h"

#include <stdlib.h>

struct ipn_prefs shown_prefs(const struct ipn_prefs *p, struct ipn_persist *persist)
{
	struct ipn_prefs out = *p;

	if (p->persist) {
		*persist = (struct ipn_persist){ .user = p->persist->user,
			.node_id = p->persist->node_id };
		out.persist = persist;
	}
	return out;
}

/* "h2" from "h2.tail.test.", and "h2 (host)" when the device calls itself something else. */
static void name_node(struct tc_node *n, struct arena *a)
{
	const char *name = n->name ? n->name : "";
	const char *host = n->hostinfo && n->hostinfo->hostname ? n->hostinfo->hostname : "";

	n->computed_name = arena_strndup(a, name, strcspn(name, "."));
	n->computed_name_with_host = n->computed_name;
	if (n->computed_name && *host &&
		!text_ieq(host, strlen(host), n->computed_name, strlen(n->computed_name)))
		n->computed_name_with_host = arena_printf(a, "%s (%s)", n->computed_name, host);
}

struct tc_node shown_node(const struct tc_node *n, struct arena *a)
{
	struct tc_node out = *n;

	name_node(&out, a);
	return out;
}

static int add_user(const struct netmap *nm, int64_t id, struct json_map *to, struct arena *a)
{
	const struct tc_user *u = netmap_user(nm, id);
	char *key = u ? arena_printf(a, "%lld", (long long)id) : NULL;

	if (!u || (key && json_map_find(to, key)))
		return 0;
	return key ? json_map_add(to, a, key, (void *)u) : -ERR_TOO_BIG;
}

static int add_peers(const struct netmap *nm, struct arena *a, struct ipn_netmap *ret)
{
	size_t n = netmap_n_peers(nm);
	const struct tc_node **peers = arena_array(a, n, sizeof(*peers));
	struct tc_node *shown = arena_array(a, n, sizeof(*shown));
	int rc = peers && shown ? 0 : -ERR_TOO_BIG;

	if (rc == 0)
		netmap_peers(nm, peers);
	for (size_t i = 0; i < n && rc == 0; i++) {
		shown[i] = shown_node(peers[i], a);
		rc = add_user(nm, peers[i]->user, &ret->user_profiles, a);
	}
	ret->peers = json_list_of(shown, n);
	return rc;
}

int shown_filter_rules(const struct netmap *nm, struct arena *a, struct json_list *ret)
{
	for (size_t i = 0; i < netmap_n_filters(nm); i++) {
		const char *name;
		const struct json_list *l = netmap_filter(nm, i, &name);

		for (size_t k = 0; l && k < l->n; k++) {
			struct tc_filter_rule *rule = json_list_add(ret, a, sizeof(*rule));
			if (!rule)
				return -ERR_TOO_BIG;
			*rule = *JSON_AT(*l, struct tc_filter_rule, k);
		}
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_self(
	const struct facts *f, const struct netmap *nm, struct arena *a, struct ipn_netmap *ret)
{
	const struct tc_node *self = netmap_self(nm);
	struct tc_node *shown = self ? arena_new(a, struct tc_node) : NULL;

	if (!self)
		return 0;
	if (!shown)
		return -ERR_TOO_BIG;
	*shown = shown_node(self, a);
	ret->self_node = shown;
	ret->node_key = self->key;
	ret->machine_key = f->ops->machine_key(f->owner);
	ret->all_caps.present = true;
	for (size_t i = 0; i < self->cap_map.n; i++) {
		const char **cap = json_list_add(&ret->all_caps, a, sizeof(*cap));
		if (!cap)
			return -ERR_TOO_BIG;
		*cap = self->cap_map.v[i].key;
	}
	if (ret->all_caps.n)
		qsort(ret->all_caps.v, ret->all_caps.n, sizeof(char *), by_text);
	return add_user(nm, self->user, &ret->user_profiles, a);
}

int shown_netmap(
	const struct facts *f, const struct netmap *nm, struct arena *a, struct ipn_netmap *ret)
{
	const struct tc_dns_config *dns = netmap_dns(nm);
	int rc;

	*ret = (struct ipn_netmap){
		.derp_map = netmap_derp_map(nm),
		.ssh_policy = netmap_ssh_policy(nm),
		.domain = netmap_domain(nm),
		.user_profiles.present = true,
		.tka_head =
			"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* of no tailnet lock: 32 zeros */
	};
	if (dns)
		ret->dns = *dns;
	rc = add_self(f, nm, a, ret);
	if (rc == 0)
		rc = add_peers(nm, a, ret);
	if (rc == 0)
		rc = shown_filter_rules(nm, a, &ret->packet_filter_rules);
	json_map_sort(&ret->user_profiles);
	return rc;
}

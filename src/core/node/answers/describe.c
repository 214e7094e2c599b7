/* What this device says of itself to the hub. */
#include "core/node/answers/answers.h"

static const char *host_name(const struct node *a, const struct tc_hostinfo *host)
{
	const char *wish = prefs_of(a)->hostname;

	return wish && *wish ? wish : host->hostname;
}

static void describe_endpoints(struct node *a, struct tc_map_request *m)
{
	size_t n;
	const struct endpoint *eps = endpoints_list(magicsock_endpoints(a->magicsock), &n);
	struct ipport *at = arena_array(&a->describe_mem, n, sizeof(*at));
	int64_t *types = arena_array(&a->describe_mem, n, sizeof(*types));

	if (!at || !types)
		return;
	for (size_t i = 0; i < n; i++) {
		at[i] = eps[i].addr;
		types[i] = eps[i].type;
	}
	m->endpoints = json_list_of(at, n);
	m->endpoint_types = json_list_of(types, n);
}

/* Where our PeerAPI is, and that it answers questions for names. */
static void describe_peerapi(struct node *a, struct tc_hostinfo *h)
{
	static const char *const names[2] = { "peerapi4", "peerapi6" };
	struct json_list all = { .present = true };
	struct tc_service *s;

	for (size_t i = 0; i < h->services.n; i++)
		if ((s = json_list_add(&all, &a->describe_mem, sizeof(*s))))
			*s = *JSON_AT(h->services, struct tc_service, i);
	for (size_t i = 0; i < 2; i++)
		if (a->peerapi[i].port && (s = json_list_add(&all, &a->describe_mem, sizeof(*s))))
			*s = (struct tc_service){ .proto = names[i], .port = a->peerapi[i].port };
	/* The port is a version. */
	if ((a->peerapi[0].port || a->peerapi[1].port) &&
		(s = json_list_add(&all, &a->describe_mem, sizeof(*s))))
		*s = (struct tc_service){ .proto = "peerapi-dns-proxy", .port = 1 };
	if (all.n)
		h->services = all;
}

void node_describe(void *owner, struct tc_map_request *m)
{
	struct node *a = owner;
	const struct ipn_prefs *p = prefs_of(a);
	struct tc_hostinfo *h;
	struct tc_netinfo *net;

	arena_reset(&a->describe_mem);
	h = arena_new(&a->describe_mem, struct tc_hostinfo);
	net = arena_new(&a->describe_mem, struct tc_netinfo);
	if (!h || !net)
		return;
	*h = *(const struct tc_hostinfo *)a->host->doc;
	h->hostname = host_name(a, h);
	h->shields_up = p->shields_up;
	h->routable_ips = p->advertise_routes;
	h->request_tags = p->advertise_tags;
	h->exit_node_id = p->exit_node_id;
	if (endpoints_netinfo(magicsock_endpoints(a->magicsock), &a->describe_mem, net) == 0)
		h->netinfo = net;
	describe_peerapi(a, h);
	m->hostinfo = h;
	m->disco_key = *magicsock_disco_key(a->magicsock);
	describe_endpoints(a, m);
}

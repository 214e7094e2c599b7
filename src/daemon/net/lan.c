#include "daemon/net/lan.h"

#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <stdlib.h>

/* A network with others on it; not an address alone, nor what every interface has. */
static bool is_network(struct ipprefix a)
{
	return a.bits > 0 && a.bits < ipaddr_bits(a.ip) && !ipaddr_is_loopback(a.ip) &&
	       !ipaddr_is_link_local(a.ip);
}

static bool is_inside(struct ipprefix inner, struct ipprefix outer)
{
	return inner.bits >= outer.bits && ipprefix_contains(outer, inner.ip);
}

/* What leads to devices and services of the tailnet itself stays as it is. */
static bool is_subnet(struct ipprefix route)
{
	return route.bits >= NODE_SUBNET_BITS_MIN && !is_inside(route, tsaddr_cgnat) &&
	       !is_inside(route, tsaddr_ula);
}

bool lan_shadows(const struct ipprefix *route, const struct ipprefix *addrs, size_t n_addrs)
{
	for (size_t i = 0; is_subnet(*route) && i < n_addrs; i++)
		if (is_network(addrs[i]) && (is_inside(*route, addrs[i]) ||
						    is_inside(ipprefix_masked(addrs[i]), *route)))
			return true;
	return false;
}

bool lan_matters(const struct node_net_config *c)
{
	bool subnets = false;

	for (size_t i = 0; i < c->n_routes; i++)
		subnets |= is_subnet(c->routes[i]);
	return c->exit_lan || (c->keep_lan && subnets);
}

static bool swallowed(struct ipprefix route, const struct ipprefix *addrs, size_t n_addrs)
{
	for (size_t i = 0; is_subnet(route) && i < n_addrs; i++)
		if (is_network(addrs[i]) && is_inside(route, addrs[i]))
			return true;
	return false;
}

/* Does a subnet route lead there, too? */
static bool contested(struct ipprefix net, const struct node_net_config *c)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (is_subnet(c->routes[i]) && is_inside(net, c->routes[i]))
			return true;
	return false;
}

int lan_keep(struct lan *ret, const struct node_net_config *c, const struct ipprefix *addrs,
	size_t n_addrs)
{
	*ret = (struct lan){ .routes = calloc(c->n_routes + 1, sizeof(*ret->routes)),
		.local = calloc(n_addrs + 1, sizeof(*ret->local)) };
	if (!ret->routes || !ret->local) {
		lan_fini(ret);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->n_routes; i++)
		if (!c->keep_lan || !swallowed(c->routes[i], addrs, n_addrs))
			ret->routes[ret->n_routes++] = c->routes[i];
	for (size_t i = 0; i < n_addrs; i++) {
		struct ipprefix net = ipprefix_masked(addrs[i]);

		if ((c->exit_lan && !ipaddr_is_loopback(net.ip)) ||
			(c->keep_lan && is_network(net) && contested(net, c)))
			ret->local[ret->n_local++] = net;
	}
	return 0;
}

void lan_fini(struct lan *l)
{
	free(l->routes);
	free(l->local);
	*l = (struct lan){ 0 };
}

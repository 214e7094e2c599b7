/* Devices by name and address. */
#include "cli/common/common.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

static bool has_ip(const struct ipn_peer_status *p, struct ipaddr ip)
{
	for (size_t i = 0; i < p->tailscale_ips.n; i++)
		if (ipaddr_eq(*JSON_AT(p->tailscale_ips, struct ipaddr, i), ip))
			return true;
	return false;
}

const struct ipn_peer_status *cli_peer_by_ip(const struct ipn_status *s, struct ipaddr ip)
{
	if (has_ip(s->self, ip))
		return s->self;
	for (size_t i = 0; i < s->peer.n; i++)
		if (has_ip(s->peer.v[i].value, ip))
			return s->peer.v[i].value;
	return NULL;
}

static bool is_called(const struct ipn_peer_status *p, const char *name)
{
	const char *full = cli_text_or(p->dns_name, "");
	size_t n = strlen(name), label = strcspn(full, ".");

	if (n && name[n - 1] == '.')
		return strcasecmp(full, name) == 0;
	return (label == n && strncasecmp(full, name, n) == 0) ||
	       (strlen(full) == n + 1 && strncasecmp(full, name, n) == 0 && full[n] == '.');
}

/* The system's resolver, for names that are not of the network. */
static bool look_up(struct cli *c, const char *name, struct ipaddr *ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	int rc = getaddrinfo(name, NULL, &hints, &list);

	if (rc != 0)
		return cli_fail(c, "error looking up IP of \"%s\": %s", name, gai_strerror(rc)) ==
		       0;
	if (list->ai_family == AF_INET)
		*ret = ipaddr_from4(
			(const uint8_t *)&((const struct sockaddr_in *)(const void *)list->ai_addr)
				->sin_addr);
	else
		*ret = ipaddr_from16(
			(const uint8_t *)&((const struct sockaddr_in6 *)(const void *)list->ai_addr)
				->sin6_addr);
	freeaddrinfo(list);
	return true;
}

bool cli_find_ip(struct cli *c, const char *name, struct ipaddr *ret, bool *ret_self)
{
	const struct ipn_peer_status *p = NULL;
	struct ipn_status s;

	*ret_self = false;
	if (!cli_get_status(c, true, &s))
		return false;
	if (ipaddr_parse(name, strlen(name), ret) == 0) {
		*ret_self = has_ip(s.self, *ret);
		return true;
	}
	for (size_t i = 0; i < s.peer.n && !p; i++)
		if (is_called(s.peer.v[i].value, name))
			p = s.peer.v[i].value;
	if (!p && is_called(s.self, name))
		p = s.self;
	if (!p)
		return look_up(c, name, ret);
	if (!p->tailscale_ips.n)
		return cli_fail(c, "node found but lacks an IP") == 0;
	*ret = *JSON_AT(p->tailscale_ips, struct ipaddr, 0);
	*ret_self = p == s.self;
	return true;
}

/* core/policy/lang: ports and protocols. The reasons of a refusal are the service's own words, which
 * people search for. */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { PORT_RANGES_MAX = 65536 };

static int parse_port(struct view s, uint32_t *ret)
{
	uint64_t n;

	if (s.len == 0 || text_u64((const char *)s.p, s.len, UINT32_MAX, &n) < 0)
		return -ERR_BAD_FORMAT;
	*ret = (uint32_t)n;
	return 0;
}

static const char *parse_range(struct view s, struct port_range *ret)
{
	const uint8_t *dash = s.len ? memchr(s.p, '-', s.len) : NULL;
	uint32_t first, last;

	if (parse_port(view_of(s.p, dash ? (size_t)(dash - s.p) : s.len), &first) < 0)
		return "invalid first integer";
	last = first;
	if (dash) {
		struct view rest = view_of(dash + 1, s.len - (size_t)(dash + 1 - s.p));

		if (memchr(rest.p, '-', rest.len))
			return "invalid port range format";
		if (parse_port(rest, &last) < 0)
			return "invalid second integer";
	} else if (first == 0) {
		return "first port must be >0, or use '*' for wildcard";
	}
	if (first > 65535 || last > 65535)
		return "port number out of range";
	if (first > last)
		return "invalid port range: first port is greater than last port";
	*ret = (struct port_range){ (uint16_t)first, (uint16_t)last };
	return NULL;
}

int ports_parse(struct arena *a, const char *s, size_t len, struct ports *ret, const char **why)
{
	size_t n = 1, i = 0;
	const char *end = s + len;

	for (const char *c = s; c < end; c++)
		n += *c == ',';
	*why = "too many ports";
	if (n > PORT_RANGES_MAX)
		return -ERR_BAD_VALUE;
	ret->v = arena_array(a, n, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	ret->n = n;
	if (len == 1 && *s == '*') {
		ret->v[0] = (struct port_range){ 0, 65535 };
		return 0;
	}
	for (;; s++) {
		const char *comma = s < end ? memchr(s, ',', (size_t)(end - s)) : NULL;
		const char *stop = comma ? comma : end;

		*why = parse_range(view_of(s, (size_t)(stop - s)), &ret->v[i++]);
		if (*why)
			return -ERR_BAD_VALUE;
		if (!comma)
			return 0;
		s = comma;
	}
}

bool ports_are_all(const struct ports *p)
{
	return p->n == 1 && p->v[0].first == 0 && p->v[0].last == 65535;
}

/* "[v6]:ports" and "[v6]/bits:ports": the brackets go. */
static int drop_brackets(
	struct arena *a, const char *s, const char *colon, const char **ret, const char **why)
{
	const char *end = strchr(s, ']');
	struct ipaddr ip;

	*why = "square brackets are only valid around IPv6 addresses";
	if (!end || (end[1] != ':' && end[1] != '/') ||
		ipaddr_parse(s + 1, (size_t)(end - s - 1), &ip) < 0 || ip.family != 6)
		return -ERR_BAD_VALUE;
	if (colon < end)
		return -ERR_BAD_VALUE;
	*ret = arena_printf(
		a, "%.*s%.*s", (int)(end - s - 1), s + 1, (int)(colon - end - 1), end + 1);
	return *ret ? 0 : -ENOMEM;
}

int ports_split_dst(struct arena *a, const char *s, const char **ret_selector,
	const char **ret_ports, const char **why)
{
	const char *colon = strrchr(s, ':');

	*why = "hostport must contain a colon";
	if (!colon)
		return -ERR_BAD_VALUE;
	*why = "hostport must name a host and ports, with a colon between";
	if (colon == s || !colon[1])
		return -ERR_BAD_VALUE;
	*ret_ports = colon + 1;
	if (*s == '[')
		return drop_brackets(a, s, colon, ret_selector, why);
	*ret_selector = arena_strndup(a, s, (size_t)(colon - s));
	return *ret_selector ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	int number;
} protos[] = {
	{ "icmp", 1 },
	{ "igmp", 2 },
	{ "ipv4", 4 },
	{ "ip-in-ip", 4 },
	{ "tcp", 6 },
	{ "egp", 8 },
	{ "igp", 9 },
	{ "udp", 17 },
	{ "gre", 47 },
	{ "esp", 50 },
	{ "ah", 51 },
	{ "ipv6-icmp", 58 },
	{ "sctp", 132 },
	{ "fc", 133 },
};

int ports_parse_proto(const char *s, size_t len, bool any_case, int *ret, const char **why)
{
	uint64_t n;

	*ret = PROTO_ANY;
	if (len == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		size_t name_len = strlen(protos[i].name);

		if (any_case ? text_ieq(s, len, protos[i].name, name_len)
			     : len == name_len && memcmp(s, protos[i].name, len) == 0) {
			*ret = protos[i].number;
			return 0;
		}
	}
	*why = "not known; use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)";
	if (text_u64(s, len, UINT32_MAX, &n) < 0)
		return -ERR_BAD_VALUE;
	*why = "leading 0 not permitted in protocol number";
	if (s[0] == '0')
		return -ERR_BAD_VALUE;
	*why = "protocol number out of range (0-255)";
	if (n > 255)
		return -ERR_BAD_VALUE;
	*ret = (int)n;
	return 0;
}

bool ports_used_by(int proto)
{
	return proto == PROTO_ANY || proto == 6 || proto == 17 || proto == 132;
}

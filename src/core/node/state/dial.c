/* How a relay is dialled, and why one is not connected. */
#include "core/node/state/state.h"

#include "base/text/text.h"

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

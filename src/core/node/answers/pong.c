/* What is said of a ping, whichever kind it was. */
#include "core/node/answers/answers.h"

#include "proto/names/names.h"

static struct ipaddr first_address(const struct tc_node *n)
{
	return n && n->addresses.n ? JSON_AT(n->addresses, struct ipprefix, 0)->ip
				   : (struct ipaddr){ 0 };
}

/* As a person calls it: without the domain. */
static const char *short_name(const struct tc_node *n, char out[static NAME_LABEL_MAX + 1])
{
	const char *name = n && n->name ? n->name : "";
	struct view label = name_first_label(view_of(name, strlen(name)));

	snprintf(out, NAME_LABEL_MAX + 1, "%.*s", (int)label.len, (const char *)label.p);
	return out;
}

void node_pong(struct node *a, struct ipaddr ip, const struct tc_node *n,
	const struct ipn_ping_result *part, node_ping_fn fn, void *ctx)
{
	char ip_text[IPADDR_TEXT_MAX], node_ip[IPADDR_TEXT_MAX], name[NAME_LABEL_MAX + 1];
	bool local = n && n == self_of(a);
	struct ipn_ping_result r = *part;

	r.ip = ipaddr_format(ip, ip_text);
	r.node_ip = ipaddr_format(local ? (struct ipaddr){ 0 } : first_address(n), node_ip);
	if (!r.node_name)
		r.node_name = local ? "" : short_name(n, name);
	r.is_local_ip = local;
	fn(ctx, &r);
}

/* GET /status. */
#include "hub/admin/internal.h"
#include "store/sqlite/sqlite.h"

#include <stdio.h>

enum { FAULT_MAX = 400 };

static void status_certificate(const struct hub *h, struct admin_status *doc)
{
	struct certs_state s;

	if (!h->certs)
		return;
	certs_state(h->certs, &s);
	doc->cert_expires = s.not_after;
	doc->cert_fault = s.expired      ? "has expired: devices refuse it"
			  : s.wrong_name ? "is not for the name in --url: devices refuse it"
			  : s.soon       ? "expires soon: is its renewal at work?"
					 : NULL;
}

static const char *store_fault(const struct hub *h, char text[static FAULT_MAX])
{
	const char *why = coord_store_refusal(store_sqlite_store(h->store));

	if (!why)
		return NULL;
	snprintf(text, FAULT_MAX, "%.*s", (int)strcspn(why, "\n"), why);
	return text;
}

int admin_status_get(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct hub *h = c->hub;
	struct coord_stats s;
	char fault[FAULT_MAX];
	char relay[REACH_TEXT_MAX], stun[REACH_TEXT_MAX];
	struct admin_status doc;

	coord_stats(h->tailnet, &s);
	reach_format(&h->reach.relay_at, h->relay_addr.port, relay);
	reach_format(&h->reach.stun_at, h->stun_addr.port, stun);
	doc = (struct admin_status){ .version = WARREN_VERSION,
		.url = h->url_text,
		.base_domain = h->o->base_domain,
		.relay = relay,
		.stun = stun,
		.cert_name = h->pin,
		.tailnet_id = coord_tailnet_id(h->tailnet),
		.uptime_s = (c->now.mono - h->started) / SEC(1),
		.nodes = (int64_t)s.nodes,
		.online = (int64_t)s.online,
		.duplicates = (int64_t)s.duplicates,
		.users = (int64_t)s.users,
		.keys = (int64_t)s.keys,
		.pending = (int64_t)(s.pending + hub_waiting(h)),
		.sessions = (int64_t)h->n_sessions,
		.relay_clients = (int64_t)derprelay_clients(relay_derp(h->relay)) };
	status_certificate(h, &doc);
	doc.store_fault = store_fault(h, fault);
	return admin_reply(c, &admin_status_type, &doc);
}

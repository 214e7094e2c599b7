#include "tests/hub/memory_hub.h"
#include "hub/admin/admin.h"
#include "hub/admin/admin_json.h"
#include "hub/auth/auth.h"
#include "hub/auth/tokens.h"
#include "hub/hub.h"
#include "hub/internal.h"
#include "hub/web/web.h"
#include "store/mem/mem.h"
#include "store/sqlite/sqlite.h"
#include "tests/hub/fake_store.h"

#include <stdlib.h>

static const struct hub_options options = { .url = "http://hub.test",
	.listen = ":8080",
	.base_domain = "hub.test",
	.owner = "ann@hub.test",
	.key_expiry = "180d",
	.accept_rate = "0",
	.audit_keep = "400d",
	.relay_rate = "0",
	.state_dir = "/nonexistent",
	.socket = "/nonexistent/hub.sock" };

static int make_servers(struct hub *h)
{
	static const struct router *const admin_tables[] = { &admin_table };
	struct httpd_cfg web = { .loop = h->loop,
		.ledger = h->ledger,
		.conns_max = HUB_CONNS_MAX,
		.answer_max = HUB_PAGE_MAX,
		.tables = hub_web_tables,
		.n_tables = HUB_WEB_TABLES,
		.ctx = h };
	struct httpd_cfg admin = web;
	struct ipport bound;
	int rc = httpd_new(&h->web, &web);

	admin.conns_max = HUB_ADMIN_CONNS_MAX;
	admin.answer_max = ADMIN_ANSWER_MAX;
	admin.tables = admin_tables;
	admin.n_tables = ARRAY_LEN(admin_tables);
	if (rc == 0)
		rc = httpd_new(&h->admin, &admin);
	if (rc == 0)
		rc = httpd_listen(h->web, (struct ipport){ .port = 8080 }, NULL, &bound);
	return rc < 0 ? rc : httpd_listen_unix(h->admin, h->o->socket, 0600);
}

static int make_parts(struct hub *h, struct err_at *at)
{
	struct relay_cfg relay = { .private = { { 64, [31] = 64 } },
		.max_conns = HUB_RELAY_CLIENTS_MAX };
	int rc = loop_new(&h->loop);

	relay.loop = h->loop;
	relay.admission = admit_relay(h);
	budget_plan(0, &h->budget);
	if (rc == 0)
		rc = ledger_new(&h->ledger, &h->budget.ledger);
	if (rc == 0)
		rc = hub_url_parse(h->o->url, &h->url);
	if (rc == 0)
		rc = key_public(h->noise.b, h->noise_pub.b);
	if (rc == 0)
		rc = relay_new(&h->relay, &relay);
	if (rc == 0)
		rc = store_sqlite_open(&h->store, "", false, at);
	if (rc == 0)
		rc = make_servers(h);
	if (rc == 0)
		rc = hub_open_engine(h, at);
	return rc < 0 ? rc : tokens_load(h, at);
}

struct hub *memory_hub_new(void)
{
	struct hub *h = calloc(1, sizeof(*h));
	struct err_at at = { 0 };

	CHECK(h);
	h->o = &options;
	h->url_text = options.url;
	h->lock = -1;
	h->noise = (struct secret_machine){ { 8, [31] = 64 } };
	h->verifiers =
		(struct ratelimit){ .burst = HUB_VERIFY_BURST, .per_second = HUB_VERIFY_RATE };
	h->reading = (struct stream_turn){
		.bytes = HUB_TURN_BYTES, .min = HUB_TURN_MIN, .max = HUB_TURN_MAX
	};
	arena_init(&h->mem, 1 << 20);
	list_init(&h->sessions);
	list_init(&h->idle);
	list_init(&h->idle_strangers);
	list_init(&h->checked);
	CHECK(make_parts(h, &at) == 0);
	return h;
}

void memory_hub_free(struct hub *h)
{
	hub_free(h);
}

void memory_hub_hold(struct hub *h, bool hold)
{
	store_mem_hold(fake_store_mem(h->store), hold);
}

void memory_hub_write(struct hub *h)
{
	store_mem_write(fake_store_mem(h->store));
}

void memory_hub_turn(struct hub *h)
{
	hub_turn_end(h);
}

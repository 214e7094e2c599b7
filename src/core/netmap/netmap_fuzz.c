/* Map responses of a hostile control server, one a line, applied to one map. What is saved of it can be loaded. */
#include "core/netmap/check.h"
#include "core/netmap/netmap.h"

#include "base/rng/rng.h"
#include "base/text/plain.h"
#include "proto/names/url.h"
#include "proto/tsaddr/tsaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct netmap_ops ops = { 0 };

static struct netmap_check check;

static void must_be_plain(void *ctx, char *s)
{
	(void)ctx;
	CHECK(text_is_plain(s, strlen(s)));
}

/* What is left has single addresses of a tailnet, and relays whose names can stand in a request. */
static void must_be_sound(struct tc_map_response *r)
{
	json_each_text(&tc_map_response_type, r, must_be_plain, NULL);
	for (size_t i = 0; i < r->peers.n; i++) {
		const struct tc_node *n = JSON_AT(r->peers, struct tc_node, i);

		for (size_t k = 0; k < n->addresses.n; k++)
			CHECK(tsaddr_is_tailscale(JSON_AT(n->addresses, struct ipprefix, k)->ip));
	}
	for (size_t i = 0; r->derp_map && i < r->derp_map->regions.n; i++) {
		const struct tc_derp_region *of = r->derp_map->regions.v[i].value;

		for (size_t k = 0; of->id && k < of->nodes.n; k++)
			CHECK(url_host_is_sound(
				JSON_AT(of->nodes, struct tc_derp_node, k)->hostname));
	}
}

static void apply_line(struct netmap *nm, const uint8_t *line, size_t len)
{
	const struct netmap_check_by by = { .self = netmap_self(nm) };
	struct tc_map_response r;
	struct arena a;

	arena_init(&a, 1 << 22);
	if (json_decode(&tc_map_response_type, line, len, &r, &a, NULL) == 0) {
		netmap_check(&check, &r, &by);
		(void)netmap_check_text(&check, &a);
		must_be_sound(&r);
		if (netmap_apply(nm, &r, (struct now){ .wall = 1000 }) < 0)
			__builtin_trap(); /* what could be read can be held */
	}
	arena_fini(&a);
}

static void save_and_load(const struct netmap *nm, struct rng *rng)
{
	struct netmap *again;
	struct buf text;

	buf_init(&text, 1 << 24);
	CHECK(netmap_new(&again, &ops, NULL, rng) == 0);
	if (netmap_save(nm, &text) == 0) {
		CHECK(netmap_load(again, buf_data(&text), buf_len(&text), NULL, NULL,
			      (struct now){ .wall = 1000 }) == 0);
		CHECK(netmap_n_peers(again) == netmap_n_peers(nm));
		CHECK(netmap_n_filters(again) == netmap_n_filters(nm));
	}
	netmap_free(again);
	buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rng_seeded rng;
	struct netmap *nm;

	rng_seeded_init(&rng, 1);
	CHECK(netmap_new(&nm, &ops, NULL, &rng.rng) == 0);
	while (len) {
		const uint8_t *nl = memchr(data, '\n', len);
		size_t n = nl ? (size_t)(nl - data) : len;

		apply_line(nm, data, n);
		data += nl ? n + 1 : n;
		len -= nl ? n + 1 : n;
	}
	save_and_load(nm, &rng.rng);
	netmap_free(nm);
	return 0;
}

/* A map that is short of memory says so; a session that begins anew gives the whole map. */
#include "base/rng/rng.h"
#include "core/netmap/check.h"
#include "core/netmap/netmap.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

static void on_change(void *ctx, enum netmap_change what, int64_t id)
{
	++*(int *)ctx;
}

static const struct netmap_ops ops = { .on_change = on_change };
static struct netmap_check check;
static struct rng_seeded rng;
static int n_changes;

#define NODE_KEY "nodekey:00000000000000000000000000000000000000000000000000000000000000"

static const char whole[] =
	"{\"Node\":{\"ID\":9,\"StableID\":\"n9\",\"Name\":\"me.\",\"Key\":\"" NODE_KEY "09\","
	"\"Addresses\":[\"100.64.0.9/32\"]},"
	"\"Peers\":[{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"a.\",\"Key\":\"" NODE_KEY
	"01\",\"Addresses\":[\"100.64.0.1/32\"],"
	"\"AllowedIPs\":[\"100.64.0.1/32\",\"10.1.0.0/16\"],\"Endpoints\":[\"192.0.2.1:41641\"]},"
	"{\"ID\":2,\"StableID\":\"n2\",\"Name\":\"b.\",\"Key\":\"" NODE_KEY
	"02\",\"Addresses\":[\"100.64.0.2/32\"]}],"
	"\"DERPMap\":{\"Regions\":{\"1\":{\"RegionID\":1,\"RegionCode\":\"x\",\"Nodes\":[{\"Name\":\"1a\","
	"\"RegionID\":1,\"HostName\":\"derp.example.com\"}]}}},"
	"\"DNSConfig\":{\"Domains\":[\"warren.test\"],\"Resolvers\":[{\"Addr\":\"192.0.2.53\"}]},"
	"\"PacketFilters\":{\"base\":[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,"
	"\"Last\":65535}}]}]},"
	"\"UserProfiles\":[{\"ID\":5,\"LoginName\":\"ana@corp.example\"}],\"Domain\":\"corp.example\","
	"\"Health\":[\"one\"],\"DisplayMessages\":{\"w\":{\"Title\":\"t\",\"Text\":\"x\"}}}";
static const char *const deltas[] = {
	"{\"PeersChangedPatch\":[{\"NodeID\":1,\"Online\":true,\"Endpoints\":[\"192.0.2.2:1\"]}],"
	"\"PeersRemoved\":[2]}",
	"{\"PeersChanged\":[{\"ID\":3,\"StableID\":\"n3\",\"Name\":\"c.\",\"Key\":\"" NODE_KEY
	"03\",\"Addresses\":[\"100.64.0.3/32\"],\"AllowedIPs\":[\"127.0.0.0/8\"]},{\"ID\":-1,\"Name\":\"bad\"}],"
	"\"OnlineChange\":{\"1\":false},\"PacketFilters\":{\"more\":[],\"base\":null}}",
};

static int apply(struct netmap *nm, const char *text)
{
	struct netmap_check_by by = { .self = netmap_self(nm) };
	struct tc_map_response r;
	struct arena a;
	int rc;

	arena_init(&a, 1 << 20);
	rc = json_decode(&tc_map_response_type, text, strlen(text), &r, &a, NULL);
	if (rc == 0) {
		netmap_check(&check, &r, &by);
		(void)netmap_check_text(&check, &a);
		rc = netmap_apply(nm, &r, (struct now){ .mono = SEC(1), .wall = 1000 });
	}
	arena_fini(&a);
	return rc;
}

static int apply_all(struct netmap *nm)
{
	int rc;

	netmap_begin(nm);
	rc = apply(nm, whole);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(deltas); i++)
		rc = apply(nm, deltas[i]);
	return rc;
}

static int save(const struct netmap *nm, struct buf *out)
{
	buf_init(out, 1 << 20);
	return netmap_save(nm, out);
}

static int load(const struct buf *saved)
{
	struct netmap *nm;
	int rc = netmap_new(&nm, &ops, &n_changes, &rng.rng);

	if (rc < 0)
		return rc;
	rc = netmap_load(
		nm, buf_data(saved), buf_len(saved), NULL, NULL, (struct now){ .wall = 1000 });
	netmap_free(nm);
	return rc;
}

static void short_of_memory_the_next_session_gives_the_whole_map(void **state)
{
	struct netmap *nm;
	struct buf want;
	bool more = true;

	rng_seeded_init(&rng, 1);
	CHECK_INT(netmap_new(&nm, &ops, &n_changes, &rng.rng), ==, 0);
	CHECK_INT(apply_all(nm), ==, 0);
	CHECK_INT(netmap_n_peers(nm), ==, 2);
	CHECK_INT(save(nm, &want), ==, 0);
	netmap_free(nm);
	for (size_t n = 1; more; n++) {
		struct buf got = { 0 }, again;
		int rc, rc_load;

		CHECK_ROW("allocation %zu", n);
		netmap_check_reset(&check);
		nm = NULL;
		memory_refuse(n);
		rc = netmap_new(&nm, &ops, &n_changes, &rng.rng);
		rc = rc < 0 ? rc : apply_all(nm);
		rc = rc < 0 ? rc : save(nm, &got);
		rc_load = rc < 0 ? 0 : load(&got);
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM));
		CHECK_TRUE(rc_load == 0 || (more && rc_load == -ENOMEM));
		buf_fini(&got);
		if (nm) {
			netmap_check_reset(&check);
			CHECK_INT(apply_all(nm), ==, 0);
			CHECK_INT(save(nm, &again), ==, 0);
			CHECK_INT(buf_len(&again), ==, buf_len(&want));
			CHECK_MEM(buf_data(&again), buf_data(&want), buf_len(&want));
			buf_fini(&again);
		}
		netmap_free(nm);
		CHECK_TRUE(more || n > 50);
	}
	buf_fini(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_the_next_session_gives_the_whole_map),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which exit node is suggested, and chosen: of several, in several regions of relays. */
#include "tests/node/testnet.h"

static struct testnet net;

enum { MEM_MAX = 1 << 20 };

/* The hub tells the first device of exit nodes; home: their regions. The testnet's relay is region 7. */
static void offer(const int *home, size_t n, const char *online)
{
	char text[2000];
	int at = snprintf(text, sizeof(text), "{\"PeersChanged\":[");

	for (size_t i = 0; i < n; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at,
			"%s{\"ID\":%zu,\"StableID\":\"n%zu\",\"Name\":\"exit%zu.x.\",\"Key\":\"nodekey:%064zx\",\"Cap\":100,\"HomeDERP\":%d,"
			"\"Online\":%s,\"Addresses\":[\"100.90.0.%zu/32\"],\"AllowedIPs\":[\"100.90.0.%zu/32\",\"0.0.0.0/0\",\"::/0\"],"
			"\"CapMap\":{\"suggest-exit-node\":null}}",
			i ? "," : "", 900 + i, 900 + i, 900 + i, 900 + i, home[i], online, 1 + i,
			1 + i);
	snprintf(text + at, sizeof(text) - (size_t)at, "]}");
	testnet_say(&net, text);
}

static const char *suggested(struct dev *d)
{
	static char id[32];
	const struct tc_node *n;
	struct arena mem;
	int rc;

	arena_init(&mem, MEM_MAX);
	rc = node_suggest_exit(d->a, &mem, &n);
	snprintf(id, sizeof(id), "%s", rc < 0 ? "too early" : n ? n->stable_id : "none");
	arena_fini(&mem);
	return id;
}

static struct dev *join(void)
{
	testnet_new(&net);
	testnet_join(&net, &net.dev[0], "anna");
	testnet_run(&net, SEC(10)); /* relays are measured */
	return &net.dev[0];
}

static void choose(struct dev *d, const char *what)
{
	dev_edit(d, IPN_PREF_AUTO_EXIT_NODE, &(struct ipn_prefs){ .auto_exit_node = what });
	testnet_settle(&net);
}

static void the_nearest_region_wins(void **state)
{
	struct dev *d = join();

	CHECK_STR(suggested(d), "none");
	offer((const int[]){ 1, 7, 8 }, 3, "true");
	for (int i = 0; i < 20; i++)
		CHECK_STR(suggested(d), "n901");
	testnet_free(&net);
}

static void within_a_region_it_stays(void **state)
{
	struct dev *d = join();
	char first[32];

	offer((const int[]){ 7, 7, 7, 7, 7, 9 }, 6, "true");
	snprintf(first, sizeof(first), "%s", suggested(d));
	CHECK_TRUE(strcmp(first, "n905") != 0);
	for (int i = 0; i < 20; i++)
		CHECK_STR(suggested(d), first);
	testnet_free(&net);
}

static void who_is_away_or_not_to_be_suggested_is_not(void **state)
{
	struct dev *d = join();

	offer((const int[]){ 7, 7 }, 2, "false");
	CHECK_STR(suggested(d), "none");
	testnet_say(&net,
		"{\"PeersChanged\":[{\"ID\":900,\"StableID\":\"n900\",\"Name\":\"exit900.x.\",\"Key\":\"nodekey:"
		"0000000000000000000000000000000000000000000000000000000000000384\",\"Cap\":100,\"HomeDERP\":1,\"Online\":true,"
		"\"Addresses\":[\"100.90.0.1/32\"],\"AllowedIPs\":[\"100.90.0.1/32\",\"0.0.0.0/0\",\"::/0\"]}]}");
	CHECK_STR(suggested(d), "none");
	testnet_free(&net);
}

/* The same, chosen by itself: kept as long as it can be used, and longer than there is no other. */
static void auto_takes_it_and_keeps_it(void **state)
{
	struct dev *d = &net.dev[0];

	testnet_new(&net);
	testnet_join(&net, d, "anna");
	choose(d, "any");
	CHECK_STR(node_prefs(d->a)->exit_node_id, "auto:any");
	offer((const int[]){ 1, 7 }, 2, "true");
	testnet_run(&net, SEC(10));
	CHECK_STR(node_prefs(d->a)->exit_node_id, "n901");
	offer((const int[]){ 1, 7 }, 2, "false");
	CHECK_STR(node_prefs(d->a)->exit_node_id, "n901"); /* there is no better one */
	offer((const int[]){ 1 }, 1, "true");
	CHECK_STR(node_prefs(d->a)->exit_node_id, "n900");
	offer((const int[]){ 1, 7 }, 2, "true");
	CHECK_STR(node_prefs(d->a)->exit_node_id, "n900"); /* it can be used */
	testnet_free(&net);
}

static const char *health(struct dev *d)
{
	static char text[4000];
	struct ipn_health h;
	struct arena mem;
	struct buf b;

	arena_init(&mem, MEM_MAX);
	buf_init(&b, sizeof(text));
	CHECK_INT(node_health(d->a, net.now, &mem, &h), ==, 0);
	CHECK_INT(json_encode(&ipn_health_type, &h, &b), ==, 0);
	snprintf(text, sizeof(text), "%.*s", (int)buf_len(&b), (const char *)buf_data(&b));
	buf_fini(&b);
	arena_fini(&mem);
	return text;
}

/* Asked for, it is there whatever the exit node and the connection do, until the network is taken down. */
static void the_kill_switch_follows_what_is_wanted(void **state)
{
	struct dev *d = join();
	struct ipn_masked_prefs edit = { .p = { .exit_node_required = true } };
	struct err_at at = { 0 };

	edit.set[IPN_PREF_EXIT_NODE_REQUIRED] = true;
	CHECK_INT(node_edit_prefs(d->a, &edit, net.now, &at), ==, -ERR_BAD_VALUE);
	CHECK_TRUE(strstr(at.text, "--exit-node") != NULL);
	CHECK_TRUE(!node_net_config(d->a)->killswitch);
	choose(d, "any");
	dev_edit(d, IPN_PREF_EXIT_NODE_REQUIRED, &edit.p);
	CHECK_TRUE(node_net_config(d->a)->up && node_net_config(d->a)->killswitch);
	CHECK_TRUE(strstr(health(d), "no exit node that this device could choose") != NULL);
	CHECK_TRUE(strstr(health(d), "--exit-node-required=false") != NULL);
	dev_edit(d, IPN_PREF_WANT_RUNNING, &(struct ipn_prefs){ .want_running = false });
	CHECK_TRUE(!node_net_config(d->a)->up && !node_net_config(d->a)->killswitch);
	testnet_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_region_wins),
		cmocka_unit_test(within_a_region_it_stays),
		cmocka_unit_test(who_is_away_or_not_to_be_suggested_is_not),
		cmocka_unit_test(auto_takes_it_and_keeps_it),
		cmocka_unit_test(the_kill_switch_follows_what_is_wanted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

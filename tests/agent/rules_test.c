/* What a device does with its hub's messages, rule by rule; the numbers are those of docs/protocol/control.md. */
#include "tests/agent/world.h"

static struct world world;

static struct dev *join_one(void)
{
	world_new(&world);
	world_join(&world, &world.dev[0], "anna");
	world_settle(&world);
	return world.dev;
}

/* The texts of status, one after another. */
static const char *health(const struct dev *d)
{
	static char text[2048];
	struct ipn_status s;
	struct arena a;

	text[0] = 0;
	arena_init(&a, 1 << 20);
	CHECK_INT(agent_status(d->a, false, world.now, &a, &s), ==, 0);
	for (size_t i = 0; i < s.health.n; i++) {
		strncat(text, *JSON_AT(s.health, const char *, i), 500);
		strcat(text, "|");
	}
	arena_fini(&a);
	return text;
}

static void rule_8_a_question_with_the_url_of_the_last_is_the_same_question(void **state)
{
	static const char q[] = "{\"KeepAlive\":true,\"PingRequest\":{\"URL\":\"https://unused/q\",\"URLIsNoise\":true}}";

	join_one();
	world_say(&world, q); /* rule 9: a keep-alive carries it, too */
	CHECK_INT(world.asked.n, ==, 1);
	world_say(&world, q);
	CHECK_INT(world.asked.n, ==, 0);
	world_say(&world, "{\"PingRequest\":{\"URL\":\"https://unused/r\",\"URLIsNoise\":true}}");
	CHECK_INT(world.asked.n, ==, 1);
	world_free(&world);
	(void)state;
}

static void rule_33_messages_hide_health_until_the_last_is_gone(void **state)
{
	struct dev *d = join_one();
	struct ipn_health h;
	struct arena a;
	const struct ipn_health_warning *w;

	world_say(&world, "{\"Health\":[\"old way\"]}");
	CHECK_STR(health(d), "old way|");
	world_say(&world, "{\"DisplayMessages\":{\"m1\":{\"Title\":\"Out of date\",\"Text\":\"update it\",\"Severity\":\"low\","
			  "\"PrimaryAction\":{\"URL\":\"https://x.test\",\"Label\":\"Go\"}}}}");
	CHECK_STR(health(d), "Out of date: update it|");
	arena_init(&a, 1 << 20);
	CHECK_INT(agent_health(d->a, world.now, &a, &h), ==, 0);
	w = json_map_find(&h.warnings, "control-health.m1");
	CHECK_TRUE(w != NULL);
	CHECK_STR(w->severity, "low");
	CHECK_STR(w->primary_action->url, "https://x.test");
	CHECK_TRUE(!w->impacts_connectivity);
	arena_fini(&a);
	world_say(&world, "{\"DisplayMessages\":{\"m2\":{\"Title\":\"More\"}}}");
	CHECK_STR(health(d), "Out of date: update it|More.|");
	world_say(&world, "{\"DisplayMessages\":{\"*\":null}}");
	CHECK_STR(health(d), "old way|");
	world_say(&world, "{\"Health\":[]}");
	CHECK_STR(health(d), "");
	world_free(&world);
	(void)state;
}

static void rule_3_what_a_new_session_leaves_out_is_gone(void **state)
{
	struct dev *d = join_one();

	world_say(&world, "{\"DisplayMessages\":{\"m1\":{\"Title\":\"Old\"}},\"PacketFilters\":{\"extra\":["
			  "{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}]}}");
	CHECK_INT(netmap_n_filters(agent_netmap(d->a)), ==, 2);
	agent_set_local(d->a, &(struct ipprefix){ d->at.ip, 24 }, 1, d->at.port, 0, true, world.now); /* another network: another stream */
	world_run(&world, SEC(2));
	CHECK_TRUE(agent_is_polling(d->a));
	CHECK_STR(health(d), "");
	CHECK_INT(netmap_n_filters(agent_netmap(d->a)), ==, 1);
	world_free(&world);
	(void)state;
}

static void v148_the_tailnet_id_is_in_status_while_the_hub_tells_it(void **state)
{
	struct dev *d = join_one();
	struct ipn_status s;
	struct arena a;

	arena_init(&a, 1 << 20);
	CHECK_INT(agent_status(d->a, false, world.now, &a, &s), ==, 0);
	CHECK_STR(s.current_tailnet->stable_id, ctl_tailnet_id(world.ctl));
	arena_fini(&a);
	world_free(&world);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_8_a_question_with_the_url_of_the_last_is_the_same_question),
		cmocka_unit_test(rule_33_messages_hide_health_until_the_last_is_gone),
		cmocka_unit_test(rule_3_what_a_new_session_leaves_out_is_gone),
		cmocka_unit_test(v148_the_tailnet_id_is_in_status_while_the_hub_tells_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A path that is short of memory finds its address later, by the next round. */
#include "core/path/rig_test.h"
#include "testlib/memory.h"

static void answer_if_pinged(struct rig *r, struct ipport a)
{
	struct path_answer got;

	for (size_t i = r->n_pings; i-- > 0;)
		if (ipport_eq(r->to[i], a)) {
			(void)pong(r, r->txid[i], false, &got);
			return;
		}
}

static void live_through(struct rig *r, struct ipport a)
{
	struct ipport many[PATH_CANDIDATES_MAX];

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct ipport){ ipaddr_v4(198, 51, 100, (uint8_t)(i + 1)), 41641 };
	path_on_send(&r->p, r->now);
	take(r);
	path_on_ping(&r->p, addr("203.0.113.9:1"), 100, 100, r->now);
	take(r);
	path_on_call(&r->p, many, 3, r->now);
	take(r);
	path_ping(&r->p, 7, 0, r->now);
	take(r);
	run(r, SEC(1));
	path_set_endpoints(&r->p, many, ARRAY_LEN(many) / 2, r->now);
	take(r);
	run(r, SEC(1));
	set_endpoints(r, a, none);
	path_on_rx(&r->p, a, 1000, r->now);
	take(r);
	path_on_send(&r->p, r->now);
	take(r);
	run(r, SEC(1));
	answer_if_pinged(r, a);
	run(r, SEC(4));
}

static void short_of_memory_the_address_is_found_later(void **state)
{
	struct ipport a = addr("203.0.113.7:41641");
	bool more = true;

	for (size_t n = 1; more; n++) {
		static struct rig r;

		CHECK_ROW("allocation %zu", n);
		rig_open(&r);
		memory_refuse(n);
		live_through(&r, a);
		more = memory_allow();
		forget(&r);
		set_endpoints(&r, a, none);
		for (int i = 0; i < 10 && path_route(&r.p, r.now).relay; i++) {
			path_on_send(&r.p, r.now);
			take(&r);
			run(&r, SEC(1));
			answer_if_pinged(&r, a);
		}
		check_route(&r, a, false);
		path_fini(&r.p);
		CHECK_TRUE(more || n > 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_the_address_is_found_later),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What the lists of the administration cost: in proportion to users and devices, not to their product. It is counted and not timed: they
 * and the engine are compiled so that they call __sanitizer_cov_trace_pc at each step between two branches.
 */
#include "testlib/check.h"
#include "tests/http/fake_stream.h"
#include "tests/hub/memory_hub.h"

#include <stdio.h>

enum { FEW = 500, MANY = 2000 };

static uint64_t steps;

void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize("all"))) void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

/* A user with one device. */
static void add(struct hub *h, size_t i, struct now now)
{
	struct coord_key_spec spec = { .preapproved = true };
	char name[32], secret[COORD_SECRET_TEXT_MAX], text[KEY_TEXT_MAX], body[512];
	struct machine_pub machine = { { 1 } };
	struct node_pub key = { { 1 } };
	const struct coord_user *user;
	const struct coord_key *k;
	int len;

	store_be32(machine.b + 1, (uint32_t)i);
	store_be32(key.b + 1, (uint32_t)i);
	snprintf(name, sizeof(name), "user%zu@hub.test", i);
	CHECK_INT(coord_user_create(h->tailnet, name, now, &user), ==, 0);
	spec.user = user->id;
	CHECK_INT(coord_key_create(h->tailnet, &spec, now, secret, &k), ==, 0);
	len = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Auth\":{\"AuthKey\":\"%s\"},\"Hostinfo\":{\"Hostname\":\"box%zu\"}}",
		key_format(KEY_NODE, key.b, text), secret, i);
	coord_register(h->tailnet, &machine, view_of(body, (size_t)len), NULL, now);
	coord_register_cancel(h->tailnet, NULL); /* nobody waits for the answer */
}

static uint64_t ask(const char *request)
{
	static struct stream s;
	uint64_t before = steps;

	s.uid = 0;
	fake_connect_over(&s, true);
	CHECK_TRUE(fake_send(&s, request, strlen(request), 12));
	CHECK_STR(s.out, "HTTP/1.1 200");
	CHECK_TRUE(fake_take(&s, SIZE_MAX));
	fake_hang_up(&s);
	return steps - before;
}

enum { LISTS = 4 };

static void measure(size_t n, uint64_t ret[static LISTS])
{
	static const char *const lists[LISTS] = { "GET /users HTTP/1.1\r\n\r\n",
		"GET /nodes HTTP/1.1\r\n\r\n",
		"POST /nodes/list HTTP/1.1\r\nContent-Length: 15\r\n\r\n{\"sort\":\"user\"}",
		"GET /status HTTP/1.1\r\n\r\n" };
	struct hub *h = memory_hub_new();
	struct now now = loop_now(h->loop);

	for (size_t i = 0; i < n; i++) {
		now.mono += SEC(1); /* so that nobody comes too fast */
		add(h, i, now);
	}
	memory_hub_turn(h);
	for (size_t i = 0; i < LISTS; i++)
		ret[i] = ask(lists[i]);
	memory_hub_free(h);
}

static void lists_cost_users_plus_devices(void **state)
{
	uint64_t few[LISTS], many[LISTS];

	measure(FEW, few);
	measure(MANY, many);
	for (size_t i = 0; i < LISTS; i++) {
		CHECK_ROW("list %zu", i);
		CHECK_INT(few[i], >, i == LISTS - 1 ? 0 : FEW); /* it is counted */
		CHECK_INT(many[i], <,
			few[i] * (MANY / FEW) * 3 / 2); /* sorting costs a little more */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_cost_users_plus_devices),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Logins that wait: whose they are when there is no room, what a code stands for, and that what was shown is what is approved. */
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <errno.h>
#include <stdlib.h>

enum { FULL = COORD_PENDING_BYTES_MAX / COORD_PENDING_SHARE };

static struct arena mem;
static struct ipport asks_from;

static struct ipport from(void *owner)
{
	(void)owner;
	return asks_from;
}

static void start(struct rig *w, const char *policy)
{
	request_from = from;
	rig_new(w, 5);
	arena_fini(&mem);
	arena_init(&mem, 64 << 20);
	if (policy)
		CHECK_INT(coord_policy_set(w->tailnet, view_of(policy, strlen(policy)), "",
				  COORD_POLICY_ANY_VERSION, w->now, NULL, NULL, NULL),
			==, 0);
}

static void come_from(const char *address)
{
	CHECK_INT(ipaddr_parse(address, strlen(address), &asks_from.ip), ==, 0);
}

/* By this machine, with this node key. hostinfo: more of it; more: of the request. */
static void ask(struct rig *w, const struct machine_pub *machine, uint32_t key,
	const char *hostinfo, const char *more)
{
	struct node_pub pub = { .b = { 1 } };
	char text[KEY_TEXT_MAX], body[4096];
	int n;

	store_be32(pub.b + 8, key);
	key_format(KEY_NODE, pub.b, text);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Hostinfo\":{\"Hostname\":\"box-%u\",\"OS\":\"linux\"%s}%s}",
		text, key, hostinfo, more);
	CHECK_TRUE(n > 0 && (size_t)n < sizeof(body));
	answered = 0;
	coord_register(w->tailnet, machine, view_of(body, (size_t)n), w, w->now);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
}

/* The code that it was told, or "". */
static const char *asked(struct rig *w, const struct machine_pub *machine, uint32_t key,
	const char *hostinfo, const char *more)
{
	const char *at;

	ask(w, machine, key, hostinfo, more);
	at = strstr(answer_text, "/register/");
	return at ? arena_strndup(&mem, at + 10, 9) : "";
}

static const struct machine_pub *machine(uint32_t n)
{
	static struct machine_pub m[2];
	static int i;

	i ^= 1;
	memset(&m[i], 0, sizeof(m[i]));
	store_be32(m[i].b, n + 1);
	return &m[i];
}

static const char *login(struct rig *w, uint32_t n)
{
	return asked(w, machine(n), n, "", "");
}

static bool waits(const struct rig *w, const char *code)
{
	struct coord_pending_view p;

	return coord_pending_find(w->tailnet, code, &p);
}

static size_t n_waiting(const struct rig *w)
{
	struct coord_stats s;

	coord_stats(w->tailnet, &s);
	return s.pending;
}

static void one_address_pushes_out_only_itself(void **state)
{
	struct coord_stats s;
	struct rig w;
	const char *honest, *first = "";

	(void)state;
	start(&w, NULL);
	come_from("192.0.2.1");
	honest = login(&w, 0);
	come_from("198.51.100.7");
	for (uint32_t i = 1; i <= FULL + 1100; i++) {
		const char *code = login(&w, i);

		first = i == 1 ? code : first;
	}
	CHECK_TRUE(waits(&w, honest) && !waits(&w, first));
	CHECK_INT(n_waiting(&w), ==, FULL);
	coord_stats(w.tailnet, &s);
	CHECK_INT(s.pending_evicted, ==, 1101);
	rig_free(&w);
}

/* Many addresses of one network, of either kind, are no more than one. */
static void nor_does_a_network(void **state)
{
	static const char *const shapes[] = { "198.51.%u.%u", "2001:db8:7:%x:%x::1" };
	struct rig w;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(shapes); k++) {
		const char *honest[2];

		CHECK_ROW("%s", shapes[k]);
		start(&w, NULL);
		come_from("192.0.2.1");
		honest[0] = login(&w, 0);
		come_from("2001:db8:9::1");
		honest[1] = login(&w, 1);
		for (uint32_t i = 2; i <= FULL + 500; i++) {
			char address[64];

			snprintf(address, sizeof(address), shapes[k], i >> 8, i & 255);
			come_from(address);
			(void)login(&w, i);
		}
		CHECK_TRUE(waits(&w, honest[0]) && waits(&w, honest[1]));
		rig_free(&w);
	}
}

/* A thousand devices behind one address find room, and keep it while strangers come from one other. */
static void a_thousand_behind_one_address_can_log_in(void **state)
{
	const char *codes[1000];
	struct rig w;
	int64_t id;

	(void)state;
	start(&w, NULL);
	come_from("192.0.2.1");
	for (uint32_t i = 0; i < 1000; i++)
		codes[i] = login(&w, i);
	come_from("198.51.100.7");
	for (uint32_t i = 1000; i < 4000; i++)
		(void)login(&w, i);
	for (uint32_t i = 0; i < 1000; i++) {
		struct coord_grant g;

		CHECK_ROW("device %u", i);
		CHECK_INT(coord_pending_grant(w.tailnet, codes[i], w.people[0], w.now, &mem, &g),
			==, 0);
		CHECK_INT(coord_pending_approve(
				  w.tailnet, codes[i], w.people[0], g.digest, w.now, &id),
			==, 0);
	}
	rig_free(&w);
}

/* The login of a machine that has a device here is a member's: strangers from its own address do not push it out. */
static void a_members_login_is_no_strangers(void **state)
{
	struct rig w;
	const char *code;

	(void)state;
	start(&w, NULL);
	come_from("198.51.100.7");
	join(&w, &w.devices[0], false);
	code = asked(&w, &w.devices[0].machine, 7, "", "");
	for (uint32_t i = 10; i <= FULL + 100; i++)
		(void)login(&w, i);
	CHECK_TRUE(waits(&w, code));
	rig_free(&w);
}

static int let_go(struct rig *w)
{
	struct coord_pending_view p;

	return coord_pending_next(w->tailnet, NULL, &p) ? coord_pending_reject(w->tailnet, p.code)
							: -ENOENT;
}

static void a_large_request_counts_for_what_it_holds(void **state)
{
	struct rig w;
	struct buf b;
	char text[KEY_TEXT_MAX];
	struct node_pub key = { .b = { 2 } };

	(void)state;
	start(&w, NULL);
	come_from("198.51.100.7");
	key_format(KEY_NODE, key.b, text);
	for (size_t size = 1 << 15; size <= (size_t)1 << 19; size *= 2) {
		buf_init(&b, 1 << 20);
		CHECK_INT(buf_printf(&b,
				  "{\"Version\":113,\"NodeKey\":\"%s\",\"Hostinfo\":{\"OS\":\"",
				  text),
			==, 0);
		for (size_t i = 0; i < size; i++)
			CHECK_INT(buf_append(&b, "x", 1), ==, 0);
		CHECK_INT(buf_append_str(&b, "\"}}"), ==, 0);
		coord_register(w.tailnet, machine(1), buf_view(&b), &w, w.now);
		CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
		CHECK_INT(n_waiting(&w), ==, size < COORD_PENDING_REQUEST_MAX / 2);
		if (n_waiting(&w))
			CHECK_INT(let_go(&w), ==, 0);
		buf_fini(&b);
	}
	CHECK_TRUE(strstr(answer_text, "\"Error\":\"") && !strstr(answer_text, "\"Error\":\"\""));
	rig_free(&w);
}

/* ---- What a code stands for ---- */

static void a_repeated_request_has_the_same_code_another_one_has_another(void **state)
{
	static const char *const other[][2] = {
		{ ",\"RequestTags\":[\"tag:db\"]", "" },
		{ ",\"RoutableIPs\":[\"10.0.0.0/8\"]", "" },
		{ "", ",\"Ephemeral\":true" },
		{ ",\"OSVersion\":\"2\"", "" },
		{ "", ",\"OldNodeKey\":\"nodekey:0101010101010101010101010101010101010101010101010101010101010101\"" },
	};
	struct coord_pending_view p;
	struct rig w;
	const char *code, *follow;

	(void)state;
	start(&w, NULL);
	come_from("192.0.2.1");
	code = login(&w, 1);
	CHECK_STR(login(&w, 1), code);
	CHECK_STR(asked(&w, machine(1), 1, ",\"NetInfo\":{\"PreferredDERP\":3}", ""),
		code); /* nobody is shown that */
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		const char *next = asked(&w, machine(1), 1, other[i][0], other[i][1]);

		CHECK_ROW("%zu", i);
		CHECK_TRUE(*next && strcmp(next, code) != 0);
		CHECK_TRUE(!waits(&w, code) && waits(&w, next));
		CHECK_TRUE(coord_pending_successor(w.tailnet, code, &p) && !strcmp(p.code, next));
		CHECK_INT(n_waiting(&w), ==, 1);
		code = next;
	}
	/* Who waits for the one does not wait for the other. */
	follow = arena_printf(&mem, ",\"Followup\":\"http://hub.test/register/%s\"", code);
	ask(&w, machine(1), 1, other[4][0], arena_printf(&mem, "%s%s", other[4][1], follow));
	CHECK_INT(answered, ==, 0);
	ask(&w, machine(1), 1, ",\"RequestTags\":[\"tag:x\"]", follow);
	CHECK_TRUE(answered == 200 && !waits(&w, code));
	rig_free(&w);
}

static void two_devices_of_one_machine_are_two_logins(void **state)
{
	struct coord_grant g, late;
	struct rig w;
	const char *one, *two;
	int64_t id, again;

	(void)state;
	start(&w, NULL);
	one = asked(&w, machine(1), 1, "", "");
	two = asked(&w, machine(1), 2, "", "");
	CHECK_TRUE(strcmp(one, two) != 0 && waits(&w, one) && waits(&w, two));
	CHECK_INT(coord_pending_grant(w.tailnet, one, w.people[0], w.now, &mem, &g), ==, 0);
	CHECK_INT(coord_pending_grant(w.tailnet, two, w.people[0], w.now, &mem, &late), ==, 0);
	CHECK_INT(coord_pending_approve(w.tailnet, one, w.people[0], g.digest, w.now, &id), ==, 0);
	/* The second would take over the first one's place by now: that was not shown. */
	CHECK_INT(coord_pending_approve(w.tailnet, two, w.people[0], late.digest, w.now, &again),
		==, -ERR_CHANGED);
	CHECK_INT(coord_pending_grant(w.tailnet, two, w.people[0], w.now, &mem, &late), ==, 0);
	CHECK_INT(coord_pending_approve(w.tailnet, two, w.people[0], late.digest, w.now, &again),
		==, 0);
	CHECK_INT(again, ==, id);
	/* A code is used once; so is it when two look at it at a time. */
	CHECK_INT(coord_pending_approve(w.tailnet, two, w.people[0], late.digest, w.now, &again),
		==, -ENOENT);
	rig_free(&w);
}

/* ---- What was shown ---- */

static const char *line(const struct coord_grant *g, const char *label)
{
	for (size_t i = 0; i < g->lines.n; i++) {
		const struct coord_grant_line *l = JSON_AT(g->lines, struct coord_grant_line, i);

		if (!strcmp(l->label, label))
			return l->value;
	}
	return "";
}

static const char policy_text[] =
	"{\"tagOwners\":{\"tag:web\":[\"ann@warren.test\"]},"
	"\"autoApprovers\":{\"routes\":{\"10.1.0.0/16\":[\"ann@warren.test\"]},\"exitNode\":[\"tag:web\"]},\"acls\":[]}";

static void all_that_it_grants_is_shown(void **state)
{
	struct ipprefix own;
	struct coord_grant g;
	struct rig w;
	const char *code;
	int64_t id;

	(void)state;
	start(&w, policy_text);
	CHECK_INT(ipprefix_parse("10.9.0.0/16", 11, &own), ==, 0);
	CHECK_INT(coord_protected_prefixes_set(w.tailnet, &own, 1, COORD_PROTECTED_SHOW, w.now), ==,
		0);
	code = asked(&w, machine(1), 1,
		",\"RoutableIPs\":[\"10.1.2.0/24\",\"10.9.1.0/24\",\"0.0.0.0/0\"],\"OSVersion\":\"6\\nOwner\\tadmin\"",
		",\"Ephemeral\":true");
	CHECK_INT(coord_pending_grant(w.tailnet, code, w.people[0], w.now, &mem, &g), ==, 0);
	CHECK_STR(line(&g, "Device"), "a new one");
	CHECK_STR(line(&g, "Owner"), "ann@warren.test");
	CHECK_STR(line(&g, "Tags"), "none");
	CHECK_TRUE(!strncmp(line(&g, "Ephemeral"), "yes", 3));
	CHECK_STR(line(&g, "Key expires"), "never");
	CHECK_TRUE(strstr(line(&g, "Route 10.1.2.0/24"), "autoApprovers"));
	CHECK_TRUE(strstr(line(&g, "Route 10.9.1.0/24"), "offered only") &&
		   strstr(line(&g, "Route 10.9.1.0/24"), "organisation"));
	CHECK_TRUE(strstr(line(&g, "Exit node, 0.0.0.0/0"), "offered only"));
	CHECK_TRUE(!strncmp(line(&g, "Machine key"), "mkey:", 5) &&
		   !strncmp(line(&g, "Node key"), "nodekey:", 8));
	CHECK_TRUE(!strchr(line(&g, "System"), '\n')); /* no second line is forged */
	/* Bob's devices have no routes approved. */
	CHECK_INT(coord_pending_grant(w.tailnet, code, w.people[1], w.now, &mem, &g), ==, 0);
	CHECK_TRUE(strstr(line(&g, "Route 10.1.2.0/24"), "offered only"));
	CHECK_INT(coord_pending_approve(w.tailnet, code, w.people[0], g.digest, w.now, &id), ==,
		-ERR_CHANGED); /* shown for bob, given as ann's */
	CHECK_INT(coord_pending_approve(w.tailnet, code, w.people[1], "", w.now, &id), ==,
		-ERR_CHANGED);
	CHECK_INT(coord_pending_grant(w.tailnet, code, 4711, w.now, &mem, &g), ==, -ERR_BAD_VALUE);
	code = asked(&w, machine(2), 2,
		",\"RequestTags\":[\"tag:web\"],\"RoutableIPs\":[\"0.0.0.0/0\"]", "");
	CHECK_INT(coord_pending_grant(w.tailnet, code, w.people[0], w.now, &mem, &g), ==, 0);
	CHECK_STR(line(&g, "Tags"), "tag:web");
	CHECK_TRUE(strstr(line(&g, "Exit node, 0.0.0.0/0"), "autoApprovers"));
	CHECK_STR(line(&g, "Policy"), "");
	CHECK_INT(coord_pending_grant(w.tailnet, code, w.people[1], w.now, &mem, &g), ==, 0);
	CHECK_TRUE(*line(&g, "Policy"));
	CHECK_INT(coord_pending_approve(w.tailnet, code, w.people[1], g.digest, w.now, &id), ==,
		-ERR_DENIED);
	rig_free(&w);
}

/* What the policy would make of it is another thing by then. */
static void a_policy_that_changed_meanwhile(void **state)
{
	struct coord_grant g;
	struct rig w;
	const char *code;
	int64_t id;

	(void)state;
	start(&w, NULL);
	code = asked(&w, machine(1), 1, ",\"RoutableIPs\":[\"10.1.2.0/24\"]", "");
	CHECK_INT(coord_pending_grant(w.tailnet, code, w.people[0], w.now, &mem, &g), ==, 0);
	CHECK_INT(coord_policy_set(w.tailnet, view_of(policy_text, sizeof(policy_text) - 1), "",
			  COORD_POLICY_ANY_VERSION, w.now, NULL, NULL, NULL),
		==, 0);
	CHECK_INT(coord_pending_approve(w.tailnet, code, w.people[0], g.digest, w.now, &id), ==,
		-ERR_CHANGED);
	CHECK_TRUE(waits(&w, code));
	CHECK_INT(coord_pending_grant(w.tailnet, code, w.people[0], w.now, &mem, &g), ==, 0);
	CHECK_INT(coord_pending_approve(w.tailnet, code, w.people[0], g.digest, w.now, &id), ==, 0);
	rig_free(&w);
}

/* What is shown of routes is what comes of them. */
static void what_is_shown_comes_about(void **state)
{
	struct coord_grant g, after;
	struct rig w;
	const char *code;
	int64_t id;

	(void)state;
	start(&w, policy_text);
	code = asked(&w, machine(1), 1, ",\"RoutableIPs\":[\"10.1.2.0/24\",\"10.2.0.0/16\"]", "");
	CHECK_INT(coord_pending_grant(w.tailnet, code, w.people[0], w.now, &mem, &g), ==, 0);
	CHECK_INT(coord_pending_approve(w.tailnet, code, w.people[0], g.digest, w.now, &id), ==, 0);
	CHECK_INT(coord_node_grant(w.tailnet, id, &mem, &after), ==, 0);
	CHECK_STR(line(&after, "Route 10.1.2.0/24"), "approved already");
	CHECK_TRUE(strstr(line(&after, "Route 10.2.0.0/16"), "offered only"));
	CHECK_STR(line(&after, "Owner"), line(&g, "Owner"));
	rig_free(&w);
}

/* A device that joined with a key and waits: what it says of itself changes what would be let in. */
static void a_device_that_waits(void **state)
{
	struct coord_key_spec spec = { .reusable = true };
	const struct coord_key *key;
	struct coord_grant g;
	struct rig w;

	(void)state;
	approve_devices = true;
	start(&w, NULL);
	approve_devices = false;
	spec.user = w.people[0];
	CHECK_INT(coord_key_create(w.tailnet, &spec, w.now, w.auth_keys[0], &key), ==, 0);
	join(&w, &w.devices[0], false);
	CHECK_TRUE(node_of(&w, &w.devices[0])->unapproved);
	CHECK_INT(coord_node_grant(w.tailnet, node_of(&w, &w.devices[0])->id, &mem, &g), ==, 0);
	w.devices[0].routes = "[\"10.1.0.0/16\"]";
	tell_place(&w, &w.devices[0]);
	CHECK_INT(coord_node_approve(w.tailnet, node_of(&w, &w.devices[0])->id, g.digest, w.now),
		==, -ERR_CHANGED);
	CHECK_TRUE(node_of(&w, &w.devices[0])->unapproved);
	CHECK_INT(coord_node_grant(w.tailnet, node_of(&w, &w.devices[0])->id, &mem, &g), ==, 0);
	CHECK_INT(coord_node_approve(w.tailnet, node_of(&w, &w.devices[0])->id, g.digest, w.now),
		==, 0);
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address_pushes_out_only_itself),
		cmocka_unit_test(nor_does_a_network),
		cmocka_unit_test(a_thousand_behind_one_address_can_log_in),
		cmocka_unit_test(a_members_login_is_no_strangers),
		cmocka_unit_test(a_large_request_counts_for_what_it_holds),
		cmocka_unit_test(a_repeated_request_has_the_same_code_another_one_has_another),
		cmocka_unit_test(two_devices_of_one_machine_are_two_logins),
		cmocka_unit_test(all_that_it_grants_is_shown),
		cmocka_unit_test(a_policy_that_changed_meanwhile),
		cmocka_unit_test(what_is_shown_comes_about),
		cmocka_unit_test(a_device_that_waits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Under random policies, tags, routes and approvals: what deltas made of a device's map is what a
 * whole map says, and what a server says that has just started from what is stored.
 */
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <errno.h>

enum { STEPS = 400, SEEDS = 16 };

static const char *const policies[] = {
	"",
	"{\"acls\": []}",
	"{\"tagOwners\": {\"tag:web\": [], \"tag:db\": []}, \"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}],"
	" \"ssh\": [{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\"], \"users\": [\"root\"]}]}",
	"{\"tagOwners\": {\"tag:web\": [], \"tag:db\": []}, \"acls\": ["
	"{\"action\": \"accept\", \"src\": [\"ann@warren.test\"], \"dst\": [\"tag:web:80,443\"]},"
	"{\"action\": \"accept\", \"src\": [\"tag:web\"], \"dst\": [\"tag:db:5432\", \"10.1.0.0/16:*\"]}],"
	" \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"tag:db\"]}}}",
	"{\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self:*\"]},"
	" {\"action\": \"accept\", \"src\": [\"bob@warren.test\"], \"dst\": [\"10.2.0.0/16:22\", \"autogroup:internet:*\"]}],"
	" \"nodeAttrs\": [{\"target\": [\"ann@warren.test\"], \"attr\": [\"disable-ipv4\", \"funnel\"]}],"
	" \"autoApprovers\": {\"exitNode\": [\"autogroup:member\"]}}",
	"{\"tagOwners\": {\"tag:web\": [\"autogroup:member\"], \"tag:db\": [\"tag:web\"]}, \"grants\": ["
	" {\"src\": [\"bob@warren.test\"], \"dst\": [\"10.1.0.0/16\"], \"ip\": [\"*\"], \"via\": [\"tag:web\"]},"
	" {\"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:tagged\"], \"app\": {\"example.com/x\": [{\"a\": 1}]}},"
	" {\"src\": [\"*\"], \"dst\": [\"bob@warren.test\"], \"ip\": [\"443\"], \"srcPosture\": [\"posture:linux\"]}],"
	" \"postures\": {\"posture:linux\": [\"node:os == 'linux'\"]}}",
	"{\"acls\": [{\"action\": \"accept\", \"src\": [\"100.64.0.0/28\"], \"dst\": [\"100.64.0.8/29:*\", \"10.0.0.0/8:*\"]}],"
	" \"disableIPv4\": true}",
};

static const char *const offers[] = { "[]", "[\"10.1.0.0/16\"]",
	"[\"10.1.0.0/16\",\"10.2.0.0/16\"]", "[\"0.0.0.0/0\",\"::/0\"]",
	"[\"10.2.0.0/16\",\"0.0.0.0/0\",\"::/0\",\"192.168.7.0/24\"]" };

static struct ipprefix prefix(const char *text)
{
	struct ipprefix p;

	CHECK_INT(ipprefix_parse(text, strlen(text), &p), ==, 0);
	return p;
}

static int no_route(void *ctx, const struct coord_route *r)
{
	(void)ctx;
	CHECK_TRUE(!r->in_use || (r->advertised && r->approved));
	CHECK_TRUE(!r->primary || (r->in_use && r->online));
	return 0;
}

static void random_policy_step(struct rig *w)
{
	static const char *const prefixes[] = { "10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0", "::/0",
		"192.168.7.0/24" };
	static const char *const tags[] = { "tag:web", "tag:db" };
	struct device *d = &w->devices[rng_below(&w->rng.rng, DEVICES)];
	const struct coord_node_doc *n = node_of(w, d);
	struct ipprefix p = prefix(prefixes[rng_below(&w->rng.rng, ARRAY_LEN(prefixes))]),
			own = prefix("10.2.0.0/15");
	const char *text = policies[rng_below(&w->rng.rng, ARRAY_LEN(policies))];
	struct err_at at;
	int rc = 0;

	if (!n)
		return;
	switch (rng_below(&w->rng.rng, 8)) {
	case 0:
		rc = coord_policy_set(w->tailnet, view_of(text, strlen(text)), "test",
			COORD_POLICY_ANY_VERSION, w->now, NULL, NULL, &at);
		if (rc < 0 && strstr(at.text, "nobody has this name"))
			rc = 0; /* the user has another name by now */
		if (rc < 0)
			printf("# %s at %u:%u of %s\n", at.text, at.line, at.column, text);
		break;
	case 1:
		rc = coord_node_tag(w->tailnet, n->id, tags + rng_below(&w->rng.rng, 2), 1, w->now);
		rc = rc == -ERR_DENIED ? 0 : rc;
		break;
	case 2:
	case 3:
		d->routes = offers[rng_below(&w->rng.rng, ARRAY_LEN(offers))];
		tell_place(w, d);
		break;
	case 4:
	case 5:
		rc = coord_route_approve(w->tailnet, n->id, p, "ann", w->now);
		break;
	case 6:
		rc = coord_route_unapprove(w->tailnet, n->id, p, w->now);
		rc = rc == -ENOENT ? 0 : rc;
		break;
	default:
		rc = coord_protected_prefixes_set(w->tailnet, &own, rng_below(&w->rng.rng, 2),
			rng_below(&w->rng.rng, 3) == 0 ? COORD_PROTECTED_QUARANTINE
						       : COORD_PROTECTED_SHOW,
			w->now);
	}
	CHECK_INT(rc, ==, 0);
	CHECK_INT(coord_routes(w->tailnet, 0, no_route, NULL), ==, 0);
}

/* The parts of a map that a person would notice, as text. Peers by id. */
static void print_map(const struct netmap *m, bool with_state, struct buf *out)
{
	const struct tc_node *peers[DEVICES * 3];
	struct tc_node self;
	size_t n = netmap_n_peers(m);
	const char *name;

	CHECK_INT(n, <=, ARRAY_LEN(peers));
	netmap_peers(m, peers);
	/* Where it is itself a device is not told: it knows. */
	self = (struct tc_node){ .id = netmap_self(m)->id,
		.name = netmap_self(m)->name,
		.user = netmap_self(m)->user,
		.addresses = netmap_self(m)->addresses,
		.allowed_ips = netmap_self(m)->allowed_ips,
		.tags = netmap_self(m)->tags,
		.primary_routes = netmap_self(m)->primary_routes,
		.cap_map = netmap_self(m)->cap_map,
		.key_expiry = netmap_self(m)->key_expiry };
	if (with_state)
		CHECK_INT(json_encode(&tc_node_type, &self, out), ==, 0);
	if (with_state && netmap_user(m, self.user))
		CHECK_INT(buf_printf(out, "\n%s", netmap_user(m, self.user)->login_name), ==, 0);
	for (size_t i = 0; i < n; i++) {
		struct tc_node p = *peers[i];

		CHECK_TRUE(netmap_user(m, p.user) != NULL);
		CHECK_INT(buf_printf(out, "\n%s", netmap_user(m, p.user)->login_name), ==, 0);
		p.endpoints.present = true;
		p.derp = NULL; /* the text of old clients, which no patch has */
		CHECK_INT(buf_printf(out, "\n%lld ", (long long)p.id), ==, 0);
		if (with_state)
			CHECK_INT(json_encode(&tc_node_type, &p, out), ==, 0);
	}
	for (size_t i = 0; i < netmap_n_filters(m); i++) {
		CHECK_INT(buf_append_str(out, "\n"), ==, 0);
		for (size_t k = 0; k < netmap_filter(m, i, &name)->n; k++)
			CHECK_INT(json_encode(&tc_filter_rule_type,
					  JSON_AT(*netmap_filter(m, i, &name),
						  struct tc_filter_rule, k),
					  out),
				==, 0);
	}
	CHECK_INT(buf_printf(out, "\n%.*s\n", (int)netmap_ssh_policy(m).len,
			  (const char *)netmap_ssh_policy(m).p),
		==, 0);
}

struct prints {
	struct buf v[DEVICES];
};

static void print_all(const struct rig *w, bool with_state, struct prints *ret)
{
	for (size_t i = 0; i < DEVICES; i++) {
		buf_init(&ret->v[i], 1 << 20);
		if (w->devices[i].poll)
			print_map(w->devices[i].map, with_state, &ret->v[i]);
	}
}

/* Shows the first line that differs. */
static void check_same(const char *a, const char *b)
{
	size_t line = 0, i = 0;

	for (; a[i] && a[i] == b[i]; i++)
		line = a[i] == '\n' ? i + 1 : line;
	if (a[i] != b[i])
		printf("# %.*s\n# %.*s\n", (int)strcspn(a + line, "\n"), a + line,
			(int)strcspn(b + line, "\n"), b + line);
	CHECK_TRUE(a[i] == b[i]);
}

static void compare(struct prints *a, struct prints *b)
{
	for (size_t i = 0; i < DEVICES; i++) {
		if (buf_len(&a->v[i]) && buf_len(&b->v[i]))
			check_same(buf_cstr(&a->v[i]), buf_cstr(&b->v[i]));
		buf_fini(&a->v[i]);
		buf_fini(&b->v[i]);
	}
}

static void listen_again(struct rig *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		if (w->devices[i].poll)
			listen_to_map(w, &w->devices[i]);
	settle(w);
}

static void check_against_whole_maps(struct rig *w)
{
	struct prints by_deltas, whole;

	w->now.mono += COORD_OFFLINE_GRACE; /* who went is gone; nothing happens by itself while the
					     maps are compared */
	settle(w);
	print_all(w, true, &by_deltas);
	listen_again(w);
	print_all(w, true, &whole);
	compare(&by_deltas, &whole);
}

/* Who is primary may be another after a restart. */
static void check_against_restarted_hub(struct rig *w)
{
	struct prints before, after;

	for (size_t i = 0; i < DEVICES; i++)
		if (node_of(w, &w->devices[i]))
			listen_to_map(w, &w->devices[i]);
	settle(w);
	print_all(w, false, &before);
	for (size_t i = 0; i < DEVICES; i++)
		hang_up(w, &w->devices[i]);
	coord_free(w->tailnet);
	store_mem_crash(w->store);
	rig_start(w);
	for (size_t i = 0; i < DEVICES; i++)
		if (node_of(w, &w->devices[i]))
			listen_to_map(w, &w->devices[i]);
	settle(w);
	print_all(w, false, &after);
	compare(&before, &after);
}

static void maps_follow_the_policy_whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 100 + SEEDS; seed++) {
		struct rig w;

		rig_new(&w, seed);
		for (int step = 0; step < STEPS; step++) {
			CHECK_ROW("seed %llu, step %d", (unsigned long long)seed, step);
			if (step % 3 == 2)
				random_policy_step(&w);
			else
				random_step(&w);
			if (step % 9 == 0)
				settle(&w);
			if (step % 27 == 0)
				check_against_whole_maps(&w);
		}
		check_against_restarted_hub(&w);
		rig_free(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_follow_the_policy_whatever_happens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A second engine on the same database takes each document that the first one writes, and knows the same as one that loads them all.
 * The second one only reads.
 */
#include "core/coord/tailnet/tailnet.h"
#include "testlib/check.h"
#include "tests/coord/rig.h"

enum { STEPS = 600 };

/* Of the second engine; its changes are dropped. */
static struct rig second;
static unsigned taken, not_simple;

static int take(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc)
{
	taken++;
	return coord_apply(second.tailnet, kind, id, doc, second.now);
}

static void follow(const struct rig *w)
{
	struct coord_store *s = store_mem_store(second.store);

	second.now = w->now;
	store_mem_look(second.store);
	if (s->foreign == COORD_FOREIGN_SOME && s->ops->changes(s, take, NULL) < 0) {
		not_simple++;
		coord_free(second.tailnet);
		store_mem_crash(second.store);
		rig_start(&second);
	}
	CHECK_INT(coord_turn_end(second.tailnet, second.now), ==, 0);
	store_mem_crash(second.store);
}

static void check_user(const struct coord_user *a, const struct coord_user *b)
{
	CHECK_TRUE(b);
	CHECK_STR(b->name, a->name);
	CHECK_STR(b->role ? b->role : "", a->role ? a->role : "");
}

static const char *first_tag(const struct coord_node_doc *d)
{
	return d->tags.n ? *JSON_AT(d->tags, const char *, 0) : "";
}

static void check_node(const struct coord_node_doc *a, const struct coord_node_doc *b)
{
	CHECK_TRUE(b);
	CHECK_STR(b->name, a->name);
	CHECK_STR(b->hostname, a->hostname);
	CHECK_STR(first_tag(b), first_tag(a));
	CHECK_INT(b->user, ==, a->user);
	CHECK_INT(b->home_derp, ==, a->home_derp);
	CHECK_INT(b->endpoints.n, ==, a->endpoints.n);
	CHECK_INT(b->key_expiry, ==, a->key_expiry);
	CHECK_INT(b->key_expired, ==, a->key_expired);
	CHECK_INT(b->former_keys.n, ==, a->former_keys.n);
	CHECK_TRUE(!memcmp(b->key.b, a->key.b, KEY_LEN) && ipaddr_eq(b->ip4, a->ip4));
}

/* Both know the same, and find it by what it is. */
static void check_same(const struct rig *w)
{
	struct coord_stats a, b;

	coord_stats(w->tailnet, &a);
	coord_stats(second.tailnet, &b);
	CHECK_INT(b.nodes, ==, a.nodes);
	CHECK_INT(b.users, ==, a.users);
	CHECK_INT(b.keys, ==, a.keys);
	for (const struct coord_user *u = NULL; (u = coord_user_next(w->tailnet, u));)
		check_user(u, coord_user_by_id(second.tailnet, u->id));
	for (const struct coord_node_doc *d = NULL; (d = coord_node_next(w->tailnet, d));) {
		struct coord_node *n = coord_node_by_key(second.tailnet, &d->key);

		CHECK_ROW("device %lld, %s", (long long)d->id, d->name);
		CHECK_TRUE(n);
		check_node(d, &n->doc);
		CHECK_INT(coord_node_by_id(second.tailnet, d->id) == n, ==, 1);
		CHECK_INT(coord_node_named(second.tailnet, d->name) == &n->doc, ==, 1);
		CHECK_INT(coord_is_member(second.tailnet, &d->key, w->now.wall), ==,
			coord_is_member(w->tailnet, &d->key, w->now.wall));
	}
}

static void step(struct rig *w, unsigned i)
{
	static const char *const policies[] = {
		"{\"tagOwners\": {\"tag:web\": []}, \"acls\": []}",
		"{\"tagOwners\": {\"tag:web\": []}, \"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]}"
	};
	const char *text = policies[i / 50 % 2];
	const struct coord_user *user;
	struct err_at at;
	char name[32];

	random_step(w);
	if (i % 50 == 49)
		CHECK_INT(coord_policy_set(w->tailnet, view_of(text, strlen(text)), "ann",
				  COORD_POLICY_ANY_VERSION, w->now, NULL, NULL, &at),
			==, 0);
	snprintf(name, sizeof(name), "user-%u", i);
	if (i % 20 == 19)
		CHECK_INT(coord_user_create(w->tailnet, name, w->now, &user), ==, 0);
	if (i % 40 == 39)
		CHECK_INT(coord_user_delete(w->tailnet, user->id,
				  &(struct coord_user_leaving){ .with_nodes = true }, w->now),
			==, 0);
}

static void a_second_engine_knows_what_the_first_one_does(void **state)
{
	struct rig w;

	(void)state;
	rig_new(&w, 7);
	turn(&w);
	CHECK_INT(store_mem_open(w.store, 1, &second.store), ==, 0);
	second.now = w.now;
	rng_seeded_init(&second.rng, 8);
	rig_start(&second);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&w, i);
		settle(&w);
		follow(&w);
		check_same(&w);
	}
	CHECK_INT(taken, >, STEPS / 4);
	CHECK_INT(not_simple, <, taken / 20);
	printf("# %u documents taken, %u times all was loaded\n", taken, not_simple);
	coord_free(second.tailnet);
	rig_free(&w);
	store_mem_free(second.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
		a_second_engine_knows_what_the_first_one_does) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

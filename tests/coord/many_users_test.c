/*
 * Many users: the work of the engine grows in proportion. It is counted and not timed: the engine is compiled so that it calls
 * __sanitizer_cov_trace_pc at each step between two branches.
 */
#include "core/coord/coord.h"
#include "store/mem/mem.h"
#include "testlib/check.h"

#include <errno.h>
#include <stdlib.h>

enum { FEW = 500, MANY = 2000 };

static uint64_t steps;

void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize("all"))) void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

struct member {
	struct machine_pub machine;
	struct node_pub key;
	struct map_session *stream;
	bool ready;
};

struct crowd {
	struct tailnet *tailnet;
	struct store_mem *store;
	struct rng_seeded rng;
	struct now now;
	struct member members[MANY];
	size_t n;
};

static void hash(const void *p, size_t n, uint8_t out[static 32])
{
	const uint8_t *b = p;
	uint64_t h = 1469598103934665603u;

	for (size_t k = 0; k < n; k++)
		h = (h ^ b[k]) * 1099511628211u;
	for (size_t i = 0; i < 32; i++, h *= 1099511628211u)
		out[i] = (uint8_t)(h >> 32);
}

static void on_map_ready(void *owner)
{
	((struct member *)owner)->ready = true;
}

static void on_map_end(void *owner)
{
	(void)owner;
}

static void on_answer(void *owner, int status, const char *type, struct view body)
{
	(void)owner;
	(void)type;
	(void)body;
	CHECK_INT(status, ==, 200);
}

/* Each is a user, with one device that has joined and does not listen yet. */
static void crowd_new(struct crowd *w, size_t n)
{
	struct coord_cfg cfg = { .url = "http://hub.test",
		.base_domain = "warren.test",
		.rng = &w->rng.rng,
		.hash = hash,
		.on_map_ready = on_map_ready,
		.on_map_end = on_map_end,
		.on_answer = on_answer };

	*w = (struct crowd){ .now = { .mono = SEC(1), .wall = 1790000000000 }, .n = n };
	rng_seeded_init(&w->rng, 1);
	CHECK_INT(store_mem_new(&w->store), ==, 0);
	cfg.store = store_mem_store(w->store);
	CHECK_INT(coord_new(&w->tailnet, &cfg, w->now, NULL), ==, 0);
	for (size_t i = 0; i < n; i++) {
		struct member *m = &w->members[i];
		struct coord_key_spec spec = { .preapproved = true };
		char name[32], secret[COORD_SECRET_TEXT_MAX], key[KEY_TEXT_MAX], body[512];
		const struct coord_user *user;
		const struct coord_key *k;
		int len;

		snprintf(name, sizeof(name), "user%zu@warren.test", i);
		CHECK_INT(coord_user_create(w->tailnet, name, w->now, &user), ==, 0);
		spec.user = user->id;
		CHECK_INT(coord_key_create(w->tailnet, &spec, w->now, secret, &k), ==, 0);
		rng_fill(&w->rng.rng, m->machine.b, KEY_LEN);
		rng_fill(&w->rng.rng, m->key.b, KEY_LEN);
		len = snprintf(body, sizeof(body),
			"{\"Version\":113,\"NodeKey\":\"%s\",\"Auth\":{\"AuthKey\":\"%s\"},\"Hostinfo\":{\"Hostname\":\"box%zu\"}}",
			key_format(KEY_NODE, m->key.b, key), secret, i);
		coord_register(w->tailnet, &m->machine, view_of(body, (size_t)len), m, w->now);
	}
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
}

/* A hash of what came. */
static uint64_t read_all(struct map_session *s)
{
	uint64_t h = 1469598103934665603u;
	struct buf b;
	size_t had;

	buf_init(&b, 64 << 20);
	do {
		had = buf_len(&b);
		map_session_fill(s, &b);
	} while (buf_len(&b) > had);
	for (size_t i = 0; i < buf_len(&b); i++)
		h = (h ^ buf_data(&b)[i]) * 1099511628211u;
	buf_fini(&b);
	return h;
}

/* A hash of its map. */
static uint64_t listen_to_map(struct crowd *w, size_t i)
{
	struct member *m = &w->members[i];
	char key[KEY_TEXT_MAX], body[256];
	int len = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Stream\":true,\"Compress\":\"zstd\"}",
		key_format(KEY_NODE, m->key.b, key));

	m->ready = false;
	CHECK_INT(coord_map(w->tailnet, &m->machine, view_of(body, (size_t)len), m, w->now,
			  &m->stream),
		==, 0);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	CHECK_TRUE(m->ready);
	return read_all(m->stream);
}

static void pass(struct crowd *w, mono_ns span)
{
	for (mono_ns end = w->now.mono + span; w->now.mono < end; w->now.mono += MSEC(50)) {
		coord_tick(w->tailnet, w->now);
		CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	}
}

static void crowd_free(struct crowd *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->members[i].stream)
			map_session_close(w->members[i].stream, w->now);
	coord_free(w->tailnet);
	store_mem_free(w->store);
}

struct cost {
	uint64_t map;  /* one first map, when all others have one */
	uint64_t turn; /* the end of a turn in which nothing has changed */
	uint64_t news; /* telling one device what concerns only itself */
	uint64_t
		behind; /* telling all devices, one after the other, what they missed while they read */
};

static void rename_first(struct crowd *w, const char *name)
{
	const struct coord_user *u = coord_user_next(w->tailnet, NULL);

	CHECK_INT(coord_user_rename(w->tailnet, u->id, name, w->now), ==, 0);
	pass(w, SEC(1));
}

/* Each reader takes what waits, and is told of the second change at the next tick. */
static uint64_t catch_up(struct crowd *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->n; i++) {
		(void)read_all(w->members[i].stream);
		w->members[i].ready = false;
		steps = 0;
		coord_tick(w->tailnet, w->now);
		CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
		sum += steps;
		CHECK_TRUE(w->members[i].ready);
	}
	return sum;
}

static uint64_t tell_one(struct crowd *w)
{
	const struct coord_user *u = coord_user_next(w->tailnet, NULL);

	CHECK_INT(coord_user_set_role(w->tailnet, u->id, "admin", w->now), ==, 0);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	w->now.mono += SEC(1);
	w->members[0].ready = false;
	steps = 0;
	coord_tick(w->tailnet, w->now);
	CHECK_TRUE(w->members[0].ready);
	return steps;
}

static struct cost measure(size_t n)
{
	struct crowd *w = malloc(sizeof(*w));
	struct cost c;

	CHECK_TRUE(w);
	crowd_new(w, n);
	for (size_t i = 0; i < n - 1; i++)
		(void)listen_to_map(w, i);
	pass(w, SEC(1));
	steps = 0;
	(void)listen_to_map(w, n - 1);
	c.map = steps;
	pass(w, SEC(1));
	steps = 0;
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	c.turn = steps;
	for (size_t i = 0; i < n; i++)
		(void)read_all(w->members[i].stream);
	pass(w, SEC(1));
	c.news = tell_one(w);
	rename_first(w, "first@warren.test");
	rename_first(w, "again@warren.test");
	c.behind = catch_up(w);
	crowd_free(w);
	free(w);
	return c;
}

static void work_grows_in_proportion(void **state)
{
	struct cost few = measure(FEW), many = measure(MANY);

	(void)state;
	print_message("# %d users: a first map %llu steps, a turn %llu, news %llu, behind %llu\n",
		FEW, (unsigned long long)few.map, (unsigned long long)few.turn,
		(unsigned long long)few.news, (unsigned long long)few.behind);
	print_message("# %d users: %llu, %llu, %llu, %llu\n", MANY, (unsigned long long)many.map,
		(unsigned long long)many.turn, (unsigned long long)many.news,
		(unsigned long long)many.behind);
	CHECK_TRUE(few.map > 0 && few.turn > 0 && few.news > 0 && few.behind > 0);
	CHECK_INT(many.map, <=, few.map * MANY / FEW * 5 / 4);
	CHECK_INT(many.turn, ==, few.turn);
	CHECK_INT(many.news, <=, few.news * 5 / 4);
	CHECK_INT(many.behind, <=, few.behind * MANY / FEW * 5 / 4);
}

/* Steps that it takes to make so many users. */
static uint64_t make_users(size_t n)
{
	struct crowd *w = calloc(1, sizeof(*w));
	uint64_t sum;

	CHECK_TRUE(w);
	crowd_new(w, 0);
	steps = 0;
	for (size_t i = 0; i < n; i++) {
		const struct coord_user *user;
		char name[32];

		snprintf(name, sizeof(name), "User%zu@warren.test", i);
		CHECK_INT(coord_user_create(w->tailnet, name, w->now, &user), ==, 0);
	}
	sum = steps;
	CHECK_TRUE(coord_user_find(w->tailnet, "user7@warren.test"));
	CHECK_INT(coord_user_create(w->tailnet, "USER7@warren.test", w->now,
			  &(const struct coord_user *){ 0 }),
		==, -EEXIST);
	crowd_free(w);
	free(w);
	return sum;
}

static void an_import_of_users_costs_the_same_for_each(void **state)
{
	uint64_t few = make_users(2000), many = make_users(20000);

	(void)state;
	print_message("# 2000 users made in %llu steps, 20000 in %llu\n", (unsigned long long)few,
		(unsigned long long)many);
	CHECK_TRUE(few > 0);
	CHECK_INT(many, <=, few * 10 * 5 / 4);
}

/* The map of the first of 500 users, who sees every third one. */
static uint64_t restricted_map(void)
{
	struct crowd *w = malloc(sizeof(*w));
	char policy[64 * FEW];
	struct err_at at;
	uint64_t h;
	int n;

	CHECK_TRUE(w);
	n = snprintf(policy, sizeof(policy),
		"{\"acls\":[{\"action\":\"accept\",\"src\":[\"user0@warren.test\"],\"dst\":[\"user3@warren.test:*\"");
	for (int i = 6; i < FEW; i += 3)
		n += snprintf(
			policy + n, sizeof(policy) - (size_t)n, ",\"user%d@warren.test:*\"", i);
	n += snprintf(policy + n, sizeof(policy) - (size_t)n, "]}]}");
	crowd_new(w, FEW);
	CHECK_INT(coord_policy_set(w->tailnet, view_of(policy, (size_t)n), "ann",
			  COORD_POLICY_ANY_VERSION, w->now, NULL, NULL, &at),
		==, 0);
	pass(w, SEC(1));
	h = listen_to_map(w, 0);
	crowd_free(w);
	free(w);
	return h;
}

/* Memory is given from its end on: what is made later lies before. */
static void turn_memory_round(void)
{
	void *v[64];

	for (size_t size = 48; size <= 128; size += 16) {
		for (size_t i = 0; i < ARRAY_LEN(v); i++)
			v[i] = malloc(size);
		for (size_t i = 0; i < ARRAY_LEN(v); i++)
			free(v[i]);
	}
}

static void a_run_repeats_another_with_a_policy_wherever_memory_lies(void **state)
{
	uint64_t first = restricted_map();

	(void)state;
	turn_memory_round();
	CHECK_TRUE(restricted_map() == first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_grows_in_proportion),
		cmocka_unit_test(an_import_of_users_costs_the_same_for_each),
		cmocka_unit_test(a_run_repeats_another_with_a_policy_wherever_memory_lies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Many users: the work of the engine grows in proportion. It is counted and not timed: the engine is compiled so that it calls
 * __sanitizer_cov_trace_pc at each step between two branches.
 */
#include "core/coord/coord.h"
#include "store/mem/mem.h"
#include "testlib/check.h"

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

static void on_poll_ready(void *owner)
{
	((struct member *)owner)->ready = true;
}

static void on_poll_end(void *owner)
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
		.on_poll_ready = on_poll_ready,
		.on_poll_end = on_poll_end,
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

/* Of one first map, when all others have one; and of the end of a turn in which nothing has changed. */
static void measure(size_t n, uint64_t *map, uint64_t *turn)
{
	struct crowd *w = malloc(sizeof(*w));

	CHECK_TRUE(w);
	crowd_new(w, n);
	for (size_t i = 0; i < n - 1; i++)
		(void)listen_to_map(w, i);
	pass(w, SEC(1));
	steps = 0;
	(void)listen_to_map(w, n - 1);
	*map = steps;
	pass(w, SEC(1));
	steps = 0;
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	*turn = steps;
	crowd_free(w);
	free(w);
}

static void work_grows_in_proportion(void **state)
{
	uint64_t map_few, turn_few, map_many, turn_many;

	(void)state;
	measure(FEW, &map_few, &turn_few);
	measure(MANY, &map_many, &turn_many);
	print_message("# %d users: a first map %llu steps, a turn %llu; %d users: %llu, %llu\n",
		FEW, (unsigned long long)map_few, (unsigned long long)turn_few, MANY,
		(unsigned long long)map_many, (unsigned long long)turn_many);
	CHECK_TRUE(map_few > 0 && turn_few > 0);
	CHECK_INT(map_many, <=, map_few * MANY / FEW * 5 / 4);
	CHECK_INT(turn_many, ==, turn_few);
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
		cmocka_unit_test(a_run_repeats_another_with_a_policy_wherever_memory_lies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

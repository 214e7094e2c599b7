/*
 * What official clients ask a hub, as recorded (tests/fixtures/control), asked of ours; and the rules of joining: approval,
 * tags, expiry, and numbers that are not used twice.
 */
#include "tests/coord/letin.h"
#include "core/coord/coord.h"
#include "store/mem/mem.h"
#include "testlib/check.h"
#include "testlib/vectors.h"

#include <stdlib.h>
#include <zstd.h>

enum { FRAME_MAX = 1 << 20 };
static const char zero_time[] = "0001-01-01T00:00:00Z";

struct hub {
	struct tailnet *tailnet;
	struct store_mem *store;
	struct rng_seeded rng;
	struct now now;
	const struct coord_user *user;
	struct machine_pub machine;
	struct coord_cfg cfg;
};

/* The last answer. */
static int status;
static char answer[FRAME_MAX];
static struct tc_register_response reg;
static struct arena reg_mem;

static void fake_hash(const void *p, size_t n, uint8_t out[static 32])
{
	memset(out, 0, 32);
	for (size_t i = 0; i < n; i++)
		out[i % 32] = (uint8_t)(out[i % 32] * 31 + ((const uint8_t *)p)[i]);
}

static void on_answer(void *owner, int st, const char *type, struct view body)
{
	status = st;
	CHECK_TRUE(body.len < sizeof(answer));
	memcpy(answer, body.p, body.len);
	answer[body.len] = 0;
}

static void on_poll(void *owner) {}

static void hub_load(struct hub *h)
{
	CHECK_INT(coord_new(&h->tailnet, &h->cfg, h->now, NULL), ==, 0);
	h->user = coord_user_next(h->tailnet, NULL);
}

static void hub_start(struct hub *h)
{
	*h = (struct hub){ .now = { .mono = SEC(1), .wall = 1790000000000 } };
	rng_seeded_init(&h->rng, 5);
	rng_fill(&h->rng.rng, h->machine.b, KEY_LEN);
	CHECK_INT(store_mem_new(&h->store), ==, 0);
	h->cfg = (struct coord_cfg){ .url = "http://hub.test",
		.base_domain = "warren.test",
		.store = store_mem_store(h->store),
		.rng = &h->rng.rng,
		.hash = fake_hash,
		.on_map_ready = on_poll,
		.on_map_end = on_poll,
		.on_answer = on_answer };
	hub_load(h);
	CHECK_INT(coord_user_create(h->tailnet, "ann", h->now, &h->user), ==, 0);
	CHECK_INT(coord_turn_end(h->tailnet, h->now), ==, 0);
}

static void hub_stop(struct hub *h)
{
	coord_free(h->tailnet);
	store_mem_free(h->store);
	arena_fini(&reg_mem);
}

static void make_key(struct hub *h, const char *const *tags, size_t n_tags, bool preapproved,
	char text[static COORD_SECRET_TEXT_MAX])
{
	struct coord_key_spec spec = { .user = n_tags ? 0 : h->user->id,
		.tags = tags,
		.n_tags = n_tags,
		.preapproved = preapproved };
	const struct coord_key *k;

	CHECK_INT(coord_key_create(h->tailnet, &spec, h->now, text, &k), ==, 0);
}

/* False if there is no answer yet. */
static bool ask(struct hub *h, json_t *doc)
{
	char *body = json_dumps(doc, JSON_COMPACT);

	status = 0;
	coord_register(h->tailnet, &h->machine, view_of(body, strlen(body)), h, h->now);
	CHECK_INT(coord_turn_end(h->tailnet, h->now), ==, 0);
	free(body);
	if (!status)
		return false;
	CHECK_INT(status, ==, 200);
	arena_fini(&reg_mem);
	arena_init(&reg_mem, FRAME_MAX);
	CHECK_INT(json_decode(
			  &tc_register_response_type, answer, strlen(answer), &reg, &reg_mem, NULL),
		==, 0);
	return true;
}

static bool was_success(void)
{
	return !*reg.error && !*reg.auth_url && !reg.node_key_expired && reg.login.id;
}

static json_t *request(const char *node_key, const char *auth_key)
{
	return json_pack("{s:i, s:s, s:{s:s}, s:{s:s, s:s}}", "Version", 113, "NodeKey", node_key,
		"Auth", "AuthKey", auth_key, "Hostinfo", "Hostname", "box", "OS", "linux");
}

static void join_as(struct hub *h, const char *node_key)
{
	char key[COORD_SECRET_TEXT_MAX];
	json_t *doc;

	make_key(h, NULL, 0, true, key);
	doc = request(node_key, key);
	CHECK_TRUE(ask(h, doc) && was_success());
	json_decref(doc);
}

static const struct coord_node_doc *node_of(const struct hub *h, const char *node_key)
{
	const struct coord_node_doc *n = NULL;
	char text[KEY_TEXT_MAX];

	while ((n = coord_node_next(h->tailnet, n)))
		if (!strcmp(key_format(KEY_NODE, n->key.b, text), node_key))
			return n;
	return NULL;
}

/* The first frame of a stream. */
static void first_frame(struct map_session *poll, struct tc_map_response *ret, struct arena *mem)
{
	static uint8_t plain[FRAME_MAX];
	struct buf b;
	size_t n;

	buf_init(&b, FRAME_MAX);
	for (size_t had = 1; had;) {
		had = buf_len(&b);
		map_session_fill(poll, &b);
		had = buf_len(&b) - had;
	}
	CHECK_TRUE(buf_len(&b) > 4);
	CHECK_INT(load_le32(buf_data(&b)), ==, buf_len(&b) - 4);
	n = ZSTD_decompress(plain, sizeof(plain), buf_data(&b) + 4, buf_len(&b) - 4);
	CHECK_TRUE(!ZSTD_isError(n));
	CHECK_INT(json_decode(&tc_map_response_type, plain, n, ret, mem, NULL), ==, 0);
	buf_fini(&b);
}

/* Recorded requests */

static json_t *fixture(const char *name)
{
	char path[512];
	json_error_t error;
	json_t *all = json_array();
	FILE *f;

	snprintf(path, sizeof(path), "%s/control/%s", FIXTURES_DIR, name);
	f = fopen(path, "r");
	CHECK_TRUE(f != NULL);
	for (json_t *line; (line = json_loadf(f, JSON_DISABLE_EOF_CHECK, &error));)
		json_array_append_new(all, line);
	fclose(f);
	return all;
}

static size_t tags_of(json_t *doc, const char *tags[static 8])
{
	json_t *list = json_object_get(json_object_get(doc, "Hostinfo"), "RequestTags"), *tag;
	size_t i;

	json_array_foreach(list, i, tag) if (i < 8) tags[i] = json_string_value(tag);
	return json_array_size(list);
}

static bool has_text(json_t *doc, const char *key)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s && *s;
}

/* A client that logs in by hand: a URL, then the same again with it, which waits until an admin has approved. */
static void log_in_by_hand(struct hub *h, json_t *doc)
{
	char code[64];

	json_object_set_new(doc, "Followup", json_string(""));
	CHECK_TRUE(ask(h, doc));
	CHECK_TRUE(!strncmp(reg.auth_url, "http://hub.test/register/", 25));
	snprintf(code, sizeof(code), "%s", strrchr(reg.auth_url, '/') + 1);
	json_object_set_new(doc, "Followup", json_string(reg.auth_url));
	CHECK_TRUE(!ask(h, doc));
	CHECK_INT(let_in(h->tailnet, code, h->user->id, h->now, &(int64_t){ 0 }), ==, 0);
	CHECK_INT(coord_turn_end(h->tailnet, h->now), ==, 0);
	arena_fini(&reg_mem);
	arena_init(&reg_mem, FRAME_MAX);
	CHECK_INT(json_decode(
			  &tc_register_response_type, answer, strlen(answer), &reg, &reg_mem, NULL),
		==, 0);
	CHECK_TRUE(was_success());
}

static void log_in_by_key(struct hub *h, json_t *doc)
{
	char key[COORD_SECRET_TEXT_MAX];
	const char *tags[8];
	size_t n = tags_of(doc, tags);

	make_key(h, tags, n, true, key);
	json_object_set_new(json_object_get(doc, "Auth"), "AuthKey", json_string(key));
	CHECK_TRUE(ask(h, doc) && was_success());
	CHECK_INT(node_of(h, vec_str(doc, "NodeKey"))->tags.n, ==, n);
	CHECK_TRUE(ask(h, doc) && was_success()); /* a restart with a key that is used up */
}

static void change_expiry(struct hub *h, json_t *doc)
{
	const char *node_key = vec_str(doc, "NodeKey"), *text = vec_str(doc, "Expiry");
	unix_ms t;

	CHECK_INT(time_parse_rfc3339(text, strlen(text), &t), ==, 0);
	join_as(h, node_key);
	CHECK_TRUE(ask(h, doc));
	CHECK_TRUE(!*reg.error);
	CHECK_INT(reg.node_key_expired, ==, t <= h->now.wall);
	CHECK_INT(node_of(h, node_key)->key_expiry, ==, t <= h->now.wall ? h->now.wall : t);
}

static void replay_register(json_t *doc)
{
	struct hub h;

	hub_start(&h);
	if (strcmp(vec_str(doc, "Expiry"), zero_time) != 0)
		change_expiry(&h, doc);
	else if (has_text(json_object_get(doc, "Auth"), "AuthKey"))
		log_in_by_key(&h, doc);
	else if (has_text(doc, "Followup"))
		log_in_by_hand(&h, doc);
	else {
		log_in_by_hand(&h, doc);
		json_object_set_new(doc, "Followup", json_string(""));
		CHECK_TRUE(ask(&h, doc) && was_success()); /* the key is known now */
	}
	hub_stop(&h);
}

static void replay_map(json_t *doc)
{
	const char *node_key = vec_str(doc, "NodeKey");
	char *body = json_dumps(doc, JSON_COMPACT), text[KEY_TEXT_MAX];
	struct map_session *poll = NULL;
	struct tc_map_response m;
	struct arena mem;
	struct hub h;
	int rc;

	hub_start(&h);
	join_as(&h, node_key);
	status = 0;
	rc = coord_map(h.tailnet, &h.machine, view_of(body, strlen(body)), NULL, h.now, &poll);
	CHECK_INT(coord_turn_end(h.tailnet, h.now), ==, 0);
	CHECK_INT(rc, ==, json_is_true(json_object_get(doc, "Stream")) ? 0 : 1);
	CHECK_STR(key_format(KEY_DISCO, node_of(&h, node_key)->disco.b, text),
		vec_str(doc, "DiscoKey"));
	if (rc == 0) {
		arena_init(&mem, FRAME_MAX);
		first_frame(poll, &m, &mem);
		CHECK_STR(key_format(KEY_NODE, m.node->key.b, text), node_key);
		CHECK_TRUE(m.node->machine_authorized && m.node->hostinfo && m.user_profiles.n &&
			   m.dns_config);
		arena_fini(&mem);
		map_session_close(poll, h.now);
	} else {
		CHECK_INT(status, ==, 200);
		CHECK_INT(node_of(&h, node_key)->endpoints.n, ==,
			json_array_size(json_object_get(doc, "Endpoints")));
	}
	free(body);
	hub_stop(&h);
}

static void every_recorded_request_is_understood(void **state)
{
	json_t *registers = fixture("register.jsonl"), *maps = fixture("map.jsonl"), *line;
	size_t i;

	json_array_foreach(registers, i, line)
	{
		CHECK_ROW("register.jsonl, line %zu", i + 1);
		replay_register(json_object_get(line, "doc"));
	}
	json_array_foreach(maps, i, line)
	{
		CHECK_ROW("map.jsonl, line %zu", i + 1);
		replay_map(json_object_get(line, "doc"));
	}
	CHECK_ROW("%s", "");
	vectors_count("fixtures/control", "register", json_array_size(registers));
	vectors_count("fixtures/control", "map", json_array_size(maps));
	json_decref(registers);
	json_decref(maps);
}

/* Rules */

#define KEY_A "nodekey:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "nodekey:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct map_session *listen_as(struct hub *h, const char *node_key)
{
	struct map_session *poll = NULL;
	char body[256];
	int n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Stream\":true,\"Compress\":\"zstd\",\"Hostinfo\":{}}",
		node_key);

	CHECK_INT(coord_map(h->tailnet, &h->machine, view_of(body, (size_t)n), NULL, h->now, &poll),
		==, 0);
	CHECK_INT(coord_turn_end(h->tailnet, h->now), ==, 0);
	return poll;
}

static void check_first(struct map_session *poll, bool authorized, size_t peers)
{
	struct tc_map_response m;
	struct arena mem;

	arena_init(&mem, FRAME_MAX);
	first_frame(poll, &m, &mem);
	CHECK_INT(m.node->machine_authorized, ==, authorized);
	CHECK_INT(m.peers.n, ==, peers);
	arena_fini(&mem);
}

static void device_that_waits_for_approval_is_alone_until_it_is_let_in(void **state)
{
	struct map_session *a, *b, *c;
	char key[COORD_SECRET_TEXT_MAX];
	struct hub h;
	json_t *doc;

	hub_start(&h);
	join_as(&h, KEY_A);
	coord_free(h.tailnet);
	h.cfg.approve_devices = true;
	hub_load(&h);
	make_key(&h, NULL, 0, false, key);
	doc = request(KEY_B, key);
	rng_fill(&h.rng.rng, h.machine.b, KEY_LEN); /* another machine */
	CHECK_TRUE(ask(&h, doc) && was_success());
	json_decref(doc);
	CHECK_TRUE(node_of(&h, KEY_B)->unapproved);
	b = listen_as(&h, KEY_B);
	check_first(b, false, 0);
	h.machine = node_of(&h, KEY_A)->machine;
	a = listen_as(&h, KEY_A);
	check_first(a, true, 0);

	CHECK_INT(let_node_in(h.tailnet, node_of(&h, KEY_B)->id, h.now), ==, 0);
	CHECK_INT(coord_turn_end(h.tailnet, h.now), ==, 0);
	check_first(b, true, 1);
	h.machine = node_of(&h, KEY_A)->machine;
	c = listen_as(&h, KEY_A);
	check_first(c, true, 1);
	map_session_close(a, h.now);
	map_session_close(b, h.now);
	map_session_close(c, h.now);
	hub_stop(&h);
}

static void tags_that_a_device_asks_for_need_a_key_that_gives_them(void **state)
{
	static const char *const web[] = { "tag:web" };
	char plain[COORD_SECRET_TEXT_MAX], tagged[COORD_SECRET_TEXT_MAX];
	struct hub h;
	json_t *doc;

	hub_start(&h);
	make_key(&h, NULL, 0, true, plain);
	make_key(&h, web, 1, true, tagged);
	doc = request(KEY_A, plain);
	json_object_set_new(
		json_object_get(doc, "Hostinfo"), "RequestTags", json_pack("[s]", "tag:web"));
	CHECK_TRUE(ask(&h, doc) && *reg.error && !node_of(&h, KEY_A));
	json_object_set_new(json_object_get(doc, "Auth"), "AuthKey", json_string(tagged));
	CHECK_TRUE(ask(&h, doc) && was_success());
	CHECK_INT(node_of(&h, KEY_A)->tags.n, ==, 1);
	CHECK_INT(node_of(&h, KEY_A)->user, ==, 0);
	json_decref(doc);
	hub_stop(&h);
}

static void keys_expire_after_their_life_and_never_later_than_asked(void **state)
{
	struct hub h;
	json_t *doc;
	char key[COORD_SECRET_TEXT_MAX];

	hub_start(&h);
	coord_free(h.tailnet);
	h.cfg.key_life_ms = 1000000;
	hub_load(&h);
	join_as(&h, KEY_A);
	CHECK_INT(node_of(&h, KEY_A)->key_expiry, ==, h.now.wall + 1000000);
	make_key(&h, NULL, 0, true, key);
	doc = request(KEY_A, "");
	json_object_set_new(doc, "Expiry", json_string("2100-01-01T00:00:00Z"));
	CHECK_TRUE(ask(&h, doc) && was_success());
	CHECK_INT(node_of(&h, KEY_A)->key_expiry, ==, h.now.wall + 1000000);
	json_object_set_new(doc, "Expiry", json_string(zero_time));
	h.now.wall += 1000001;
	CHECK_TRUE(ask(&h, doc) && reg.node_key_expired);
	json_decref(doc);
	hub_stop(&h);
}

static void numbers_and_addresses_are_not_used_again_after_a_restart(void **state)
{
	struct coord_node_doc old;
	struct hub h;

	hub_start(&h);
	join_as(&h, KEY_A);
	old = *node_of(&h, KEY_A);
	CHECK_INT(coord_node_delete(h.tailnet, old.id, h.now), ==, 0);
	CHECK_INT(coord_turn_end(h.tailnet, h.now), ==, 0);
	coord_free(h.tailnet);
	hub_load(&h);
	join_as(&h, KEY_B);
	CHECK_TRUE(node_of(&h, KEY_B)->id > old.id);
	CHECK_TRUE(!ipaddr_eq(node_of(&h, KEY_B)->ip4, old.ip4));
	hub_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_request_is_understood),
		cmocka_unit_test(device_that_waits_for_approval_is_alone_until_it_is_let_in),
		cmocka_unit_test(tags_that_a_device_asks_for_need_a_key_that_gives_them),
		cmocka_unit_test(keys_expire_after_their_life_and_never_later_than_asked),
		cmocka_unit_test(numbers_and_addresses_are_not_used_again_after_a_restart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

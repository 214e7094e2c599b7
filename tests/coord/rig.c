#include "tests/coord/rig.h"
#include "testlib/check.h"

#include <stdlib.h>
#include <zstd.h>

enum { FRAME_MAX = 1 << 20 };

int answered;
char answer_text[4096];
unsigned answered_later;
unsigned keys_out;
struct node_pub last_key_out;
bool approve_devices;
int accept_rate;
struct ipport (*request_from)(void *owner);
int version = 113;

/* Any function serves as long as it is one. */
static void fake_hash(const void *p, size_t n, uint8_t out[static 32])
{
	const uint8_t *b = p;
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < 32; i++) {
		for (size_t k = 0; k < n; k++)
			h = (h ^ b[k]) * 1099511628211u;
		out[i] = (uint8_t)(h >> 32);
	}
}

static void on_map_ready(void *owner)
{
	(void)owner;
}

static void on_map_end(void *owner)
{
	((struct device *)owner)->ended = true;
}

static void on_map_watch(void *owner, bool watch)
{
	((struct device *)owner)->watched = watch;
}

static void on_key_out(void *ctx, const struct node_pub *key)
{
	keys_out++;
	last_key_out = *key;
}

static void on_answer(void *owner, int status, const char *type, struct view body)
{
	(void)owner;
	(void)type;
	answered = status;
	answered_later = 0;
	snprintf(answer_text, sizeof(answer_text), "%.*s", (int)body.len, (const char *)body.p);
}

static void on_later(void *owner, unsigned seconds, struct view body)
{
	on_answer(owner, 429, NULL, body);
	answered_later = seconds;
}

static void on_change(void *ctx, enum netmap_change what, int64_t id)
{
	(void)ctx;
	(void)what;
	(void)id;
}

const struct netmap_ops tailnet_map_ops = { .on_change = on_change };

void rig_start(struct rig *w)
{
	struct coord_cfg cfg = {
		.url = "http://hub.test",
		.base_domain = "warren.test",
		.store = store_mem_store(w->store),
		.rng = &w->rng.rng,
		.hash = fake_hash,
		.on_map_ready = on_map_ready,
		.on_map_end = on_map_end,
		.on_map_watch = on_map_watch,
		.on_key_out = on_key_out,
		.on_answer = on_answer,
		.on_later = on_later,
		.accept_rate = accept_rate,
		.approve_devices = approve_devices,
		.from = request_from,
	};

	CHECK_INT(coord_new(&w->tailnet, &cfg, w->now, NULL), ==, 0);
}

void rig_new(struct rig *w, uint64_t seed)
{
	const struct coord_user *user;
	const struct coord_key *key;
	struct coord_key_spec spec = { .reusable = true, .preapproved = true };

	static const char *const people[] = { "ann@warren.test", "bob@warren.test" };

	*w = (struct rig){ .now = { .mono = SEC(1), .wall = 1790000000000 } };
	rng_seeded_init(&w->rng, seed);
	CHECK_INT(store_mem_new(&w->store), ==, 0);
	rig_start(w);
	for (size_t i = 0; i < 2; i++) {
		CHECK_INT(coord_user_create(w->tailnet, people[i], w->now, &user), ==, 0);
		spec.user = w->people[i] = user->id;
		CHECK_INT(
			coord_key_create(w->tailnet, &spec, w->now, w->auth_keys[i], &key), ==, 0);
	}
	for (size_t i = 0; i < DEVICES; i++) {
		rng_fill(&w->rng.rng, w->devices[i].machine.b, KEY_LEN);
		rng_fill(&w->rng.rng, w->devices[i].key.b, KEY_LEN);
		w->devices[i].routes = w->devices[i].tags = "[]";
		w->devices[i].hostname = "box";
	}
}

void hang_up(struct rig *w, struct device *d)
{
	if (d->poll)
		map_session_close(d->poll, w->now);
	netmap_free(d->map);
	d->poll = NULL;
	d->map = NULL;
	d->ended = d->watched = d->began = false;
}

void rig_free(struct rig *w)
{
	for (size_t i = 0; i < DEVICES; i++) {
		hang_up(w, &w->devices[i]);
		free(w->devices[i].frame);
	}
	coord_free(w->tailnet);
	store_mem_free(w->store);
}

const struct coord_node_doc *node_of(const struct rig *w, const struct device *d)
{
	const struct coord_node_doc *n = NULL;

	while ((n = coord_node_next(w->tailnet, n)))
		if (memcmp(n->key.b, d->key.b, KEY_LEN) == 0)
			return n;
	return NULL;
}

/*
 * Rules 13, 14, 15 of every message: with a full list there is nothing else about peers, and of no peer are there two things: clients
 * do not agree on which of them counts.
 */
static void check_one_word_about_each(const struct tc_map_response *r)
{
	static int64_t ids[DEVICES * 64];
	size_t n = 0, deltas = r->peers_changed.n + r->peers_changed_patch.n + r->peers_removed.n;

	CHECK_INT(r->online_change.n + r->peer_seen_change.n, ==, 0);
	CHECK_TRUE(!r->peers.n || !deltas);
	CHECK_TRUE(deltas <= ARRAY_LEN(ids));
	for (size_t i = 0; i < r->peers_changed.n; i++)
		ids[n++] = JSON_AT(r->peers_changed, struct tc_node, i)->id;
	for (size_t i = 0; i < r->peers_changed_patch.n; i++)
		ids[n++] = JSON_AT(r->peers_changed_patch, struct tc_peer_change, i)->node_id;
	for (size_t i = 0; i < r->peers_removed.n; i++)
		ids[n++] = *JSON_AT(r->peers_removed, int64_t, i);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			CHECK_TRUE(ids[i] != ids[k]);
}

/* Each of them can be read. */
static void check_faults(const struct tc_map_response *r)
{
	CHECK_TRUE(!r->node || !r->node->fault);
	for (size_t i = 0; i < r->peers.n; i++)
		CHECK_TRUE(!JSON_AT(r->peers, struct tc_node, i)->fault);
	for (size_t i = 0; i < r->peers_changed.n; i++)
		CHECK_TRUE(!JSON_AT(r->peers_changed, struct tc_node, i)->fault);
	for (size_t i = 0; i < r->peers_changed_patch.n; i++)
		CHECK_TRUE(!JSON_AT(r->peers_changed_patch, struct tc_peer_change, i)->fault);
}

static void apply_frame(struct rig *w, struct device *d, const uint8_t *frame, size_t len)
{
	struct tc_map_response r;
	struct arena mem;
	char *text = malloc(FRAME_MAX);
	size_t n;

	CHECK_TRUE(text);
	n = ZSTD_decompress(
		text, FRAME_MAX, frame, len); /* all frames in sequence, as Go's decoder does */
	CHECK_TRUE(!ZSTD_isError(n));
	free(d->frame);
	d->frame = strndup(text, n);
	arena_init(&mem, 4 << 20);
	CHECK_INT(json_decode(&tc_map_response_type, text, n, &r, &mem, NULL), ==, 0);
	check_faults(&r);
	check_one_word_about_each(&r);
	if (!r.keep_alive && !d->began) {
		CHECK_TRUE(r.node); /* rule 2 */
		netmap_begin(d->map);
		d->began = true;
	}
	CHECK_INT(netmap_apply(d->map, &r, w->now), ==, 0);
	arena_fini(&mem);
	free(text);
}

static void drain(struct rig *w, struct device *d)
{
	struct buf b;
	size_t had;

	buf_init(&b, 16 << 20);
	do {
		had = buf_len(&b);
		map_session_fill(d->poll, &b);
	} while (buf_len(&b) > had);
	while (buf_len(&b)) {
		uint32_t len;

		CHECK_INT(buf_len(&b), >=, 4);
		len = load_le32(buf_data(&b));
		CHECK_INT(buf_len(&b) - 4, >=, len);
		apply_frame(w, d, buf_data(&b) + 4, len);
		d->messages++;
		buf_consume(&b, 4 + (size_t)len);
	}
	buf_fini(&b);
}

void turn(struct rig *w)
{
	coord_tick(w->tailnet, w->now);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	for (size_t i = 0; i < DEVICES; i++) {
		struct device *d = &w->devices[i];

		if (d->poll && !d->ended)
			drain(w, d);
		if (d->ended)
			hang_up(w, d);
	}
	w->now.mono += MSEC(50);
	w->now.wall += 50;
}

void settle(struct rig *w)
{
	for (int i = 0; i < 4 || coord_deadline(w->tailnet) <= w->now.mono + COORD_COALESCE; i++)
		turn(w);
}

void pass(struct rig *w, mono_ns span)
{
	for (mono_ns end = w->now.mono + span; w->now.mono < end;)
		turn(w);
}

void ask_to_join(struct rig *w, struct device *d, bool new_key)
{
	char key[KEY_TEXT_MAX], old[KEY_TEXT_MAX], body[1024];
	int n;

	key_format(KEY_NODE, d->key.b, old);
	if (new_key)
		rng_fill(&w->rng.rng, d->key.b, KEY_LEN);
	key_format(KEY_NODE, d->key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":%d,\"NodeKey\":\"%s\"%s%s%s,\"Auth\":{\"AuthKey\":\"%s\"},"
		"\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"RoutableIPs\":%s,\"RequestTags\":%s}}",
		version, key, new_key ? ",\"OldNodeKey\":\"" : "", new_key ? old : "",
		new_key ? "\"" : "", w->auth_keys[(d - w->devices) % 2], d->routes, d->tags);
	answered = 0;
	coord_register(w->tailnet, &d->machine, view_of(body, (size_t)n), d, w->now);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
}

void join(struct rig *w, struct device *d, bool new_key)
{
	ask_to_join(w, d, new_key);
	if (coord_store_settled(store_mem_store(w->store)))
		CHECK_INT(answered, ==, 200);
}

void listen_to_map(struct rig *w, struct device *d)
{
	char key[KEY_TEXT_MAX], body[512];
	struct map_session *poll = NULL;
	int n;

	hang_up(w, d);
	key_format(KEY_NODE, d->key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":%d,\"NodeKey\":\"%s\",\"Stream\":true,\"Compress\":\"zstd\","
		"\"Hostinfo\":{\"Hostname\":\"%s\",\"OS\":\"linux\",\"RoutableIPs\":%s}}",
		version, key, d->hostname, d->routes);
	if (coord_map(w->tailnet, &d->machine, view_of(body, (size_t)n), d, w->now, &poll) != 0)
		return;
	d->poll = poll;
	CHECK_INT(netmap_new(&d->map, &tailnet_map_ops, NULL, &w->rng.rng), ==, 0);
}

void tell_place(struct rig *w, struct device *d)
{
	char key[KEY_TEXT_MAX], body[512];
	struct map_session *none;
	int n;

	key_format(KEY_NODE, d->key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"OmitPeers\":true,\"Endpoints\":[\"192.0.2.%u:%u\"],"
		"\"Hostinfo\":{\"Hostname\":\"%s\",\"OS\":\"linux\",\"RoutableIPs\":%s,\"NetInfo\":{\"PreferredDERP\":%u}}}",
		key, rng_u32(&w->rng.rng) % 250 + 1, rng_u32(&w->rng.rng) % 60000 + 1, d->hostname,
		d->routes, rng_u32(&w->rng.rng) % 3 + 1);
	CHECK_INT(coord_map(w->tailnet, &d->machine, view_of(body, (size_t)n), d, w->now, &none),
		==, 1);
}

/* What the administration does with owners, and a device with its name. */
static void random_ownership(struct rig *w, struct device *d, int64_t node)
{
	static const char *const hostnames[] = { "box", "desk", "box-1", "Anas Laptop" };
	int64_t who = w->people[rng_below(&w->rng.rng, 2)];
	char name[48];

	switch (rng_below(&w->rng.rng, 4)) {
	case 0:
		CHECK_INT(coord_node_move(w->tailnet, node, who, w->now), ==, 0);
		break;
	case 1:
		snprintf(name, sizeof(name), "%s-%u@warren.test",
			who == w->people[0] ? "ann" : "bob", rng_u32(&w->rng.rng) % 9);
		CHECK_INT(coord_user_rename(w->tailnet, who, name, w->now), ==, 0);
		break;
	case 2:
		CHECK_INT(coord_node_rename(w->tailnet, node, NULL, w->now), ==, 0);
		break;
	default:
		d->hostname = hostnames[rng_below(&w->rng.rng, ARRAY_LEN(hostnames))];
		tell_place(w, d);
	}
}

void random_step(struct rig *w)
{
	static const char *const tags[] = { "tag:web" };
	struct device *d = &w->devices[rng_below(&w->rng.rng, DEVICES)];
	const struct coord_node_doc *n = node_of(w, d);
	char name[32];
	int rc;

	if (!n) {
		join(w, d, false);
		listen_to_map(w, d);
		return;
	}
	switch (rng_below(&w->rng.rng, 14)) {
	case 12:
	case 13:
		random_ownership(w, d, n->id);
		break;
	case 0:
		CHECK_INT(coord_node_delete(w->tailnet, n->id, w->now), ==, 0);
		break;
	case 1:
		snprintf(name, sizeof(name), "name-%u", rng_u32(&w->rng.rng));
		CHECK_INT(coord_node_rename(w->tailnet, n->id, name, w->now), ==, 0);
		break;
	case 2:
		rc = coord_node_tag(w->tailnet, n->id, tags, 1, w->now);
		CHECK_TRUE(rc == 0 || rc == -ERR_DENIED); /* a policy may not know the tag */
		break;
	case 3:
		if (n->key_expired && rng_below(&w->rng.rng, 2))
			CHECK_INT(coord_node_expire_at(w->tailnet, n->id, 0, w->now), ==, 0);
		else
			CHECK_INT(coord_node_expire(w->tailnet, n->id, w->now), ==, 0);
		break;
	case 4:
		hang_up(w, d);
		break;
	case 5:
		join(w, d, true);
		listen_to_map(w, d);
		break;
	case 6:
	case 7:
		listen_to_map(w, d);
		break;
	case 8:
		turn(w);
		break;
	default:
		tell_place(w, d);
	}
}

/*
 * The coordination server and the map that a device keeps, against each other, without a network between: whatever
 * happens to the world in whatever order, the map of every device that listens is the world's truth.
 */
#include "core/ctlserver/ctlserver.h"
#include "core/netmap/netmap.h"
#include "store/mem/mem.h"
#include "testlib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

enum { DEVICES = 12, STEPS = 400, SEEDS = 8, FRAME_MAX = 1 << 20 };

struct device {
	struct machine_pub machine;
	struct node_pub key;
	struct ctl_poll *poll;
	struct netmap *map;
	const char *routes; /* what it offers, as JSON */
	bool ended;
};

struct world {
	struct ctl *ctl;
	struct store_mem *store;
	struct rng_seeded rng;
	struct now now;
	struct device devices[DEVICES];
	char auth_keys[2][CTL_SECRET_TEXT_MAX]; /* of two people, whose devices alternate */
};

static int answered; /* status of the last answer; 0: none */

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

static void on_poll_ready(void *owner)
{
	(void)owner;
}

static void on_poll_end(void *owner)
{
	((struct device *)owner)->ended = true;
}

static void on_answer(void *owner, int status, const char *type, struct view body)
{
	(void)owner;
	(void)type;
	(void)body;
	answered = status;
}

static void on_change(void *ctx, enum netmap_change what, int64_t id)
{
	(void)ctx;
	(void)what;
	(void)id;
}

static const struct netmap_ops map_ops = { .on_change = on_change };

static void world_start(struct world *w)
{
	struct ctl_cfg cfg = {
		.url = "http://hub.test",
		.base_domain = "warren.test",
		.store = store_mem_store(w->store),
		.rng = &w->rng.rng,
		.hash = fake_hash,
		.on_poll_ready = on_poll_ready,
		.on_poll_end = on_poll_end,
		.on_answer = on_answer,
	};

	CHECK_INT(ctl_new(&w->ctl, &cfg, w->now, NULL), ==, 0);
}

static void world_new(struct world *w, uint64_t seed)
{
	const struct ctl_user *user;
	const struct ctl_key *key;
	struct ctl_key_spec spec = { .reusable = true, .preapproved = true };

	static const char *const people[] = { "ann@warren.test", "bob@warren.test" };

	*w = (struct world){ .now = { .mono = SEC(1), .wall = 1790000000000 } };
	rng_seeded_init(&w->rng, seed);
	CHECK_INT(store_mem_new(&w->store), ==, 0);
	world_start(w);
	for (size_t i = 0; i < 2; i++) {
		CHECK_INT(ctl_user_create(w->ctl, people[i], w->now, &user), ==, 0);
		spec.user = user->id;
		CHECK_INT(ctl_key_create(w->ctl, &spec, w->now, w->auth_keys[i], &key), ==, 0);
	}
	for (size_t i = 0; i < DEVICES; i++) {
		rng_fill(&w->rng.rng, w->devices[i].machine.b, KEY_LEN);
		rng_fill(&w->rng.rng, w->devices[i].key.b, KEY_LEN);
		w->devices[i].routes = "[]";
	}
}

static void hang_up(struct world *w, struct device *d)
{
	if (d->poll)
		ctl_poll_close(d->poll, w->now);
	netmap_free(d->map);
	d->poll = NULL;
	d->map = NULL;
	d->ended = false;
}

static void world_free(struct world *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		hang_up(w, &w->devices[i]);
	ctl_free(w->ctl);
	store_mem_free(w->store);
}

/* By node key: a machine whose device was tagged joins again as another device. */
static const struct ctl_node_doc *node_of(const struct world *w, const struct device *d)
{
	const struct ctl_node_doc *n = NULL;

	while ((n = ctl_node_next(w->ctl, n)))
		if (memcmp(n->key.b, d->key.b, KEY_LEN) == 0)
			return n;
	return NULL;
}

static void apply_frame(struct world *w, struct device *d, const uint8_t *frame, size_t len)
{
	struct tc_map_response r;
	struct arena mem;
	char *text = malloc(FRAME_MAX);
	size_t n;

	CHECK_TRUE(text);
	n = ZSTD_decompress(text, FRAME_MAX, frame, len); /* all frames in sequence, as Go's decoder does */
	CHECK_TRUE(!ZSTD_isError(n));
	arena_init(&mem, 4 << 20);
	CHECK_INT(json_decode(&tc_map_response_type, text, n, &r, &mem, NULL), ==, 0);
	CHECK_INT(netmap_apply(d->map, &r, w->now), ==, 0);
	arena_fini(&mem);
	free(text);
}

static void drain(struct world *w, struct device *d)
{
	struct buf b;
	size_t had;

	buf_init(&b, 16 << 20);
	do {
		had = buf_len(&b);
		ctl_poll_fill(d->poll, &b);
	} while (buf_len(&b) > had);
	while (buf_len(&b)) {
		uint32_t len;

		CHECK_INT(buf_len(&b), >=, 4);
		len = load_le32(buf_data(&b));
		CHECK_INT(buf_len(&b) - 4, >=, len);
		apply_frame(w, d, buf_data(&b) + 4, len);
		buf_consume(&b, 4 + (size_t)len);
	}
	buf_fini(&b);
}

/* Some turns of the loop: everything that is to be told is told. */
static void turn(struct world *w)
{
	ctl_tick(w->ctl, w->now);
	CHECK_INT(ctl_turn_end(w->ctl, w->now), ==, 0);
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

static void settle(struct world *w)
{
	for (int i = 0; i < 4 || ctl_deadline(w->ctl) <= w->now.mono + CTL_COALESCE; i++)
		turn(w);
}

static void join(struct world *w, struct device *d, bool new_key)
{
	char key[KEY_TEXT_MAX], old[KEY_TEXT_MAX], body[1024];
	int n;

	key_format(KEY_NODE, d->key.b, old);
	if (new_key)
		rng_fill(&w->rng.rng, d->key.b, KEY_LEN);
	key_format(KEY_NODE, d->key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\"%s%s%s,\"Auth\":{\"AuthKey\":\"%s\"},"
		"\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"RoutableIPs\":%s}}",
		key, new_key ? ",\"OldNodeKey\":\"" : "", new_key ? old : "", new_key ? "\"" : "",
		w->auth_keys[(d - w->devices) % 2], d->routes);
	answered = 0;
	ctl_register(w->ctl, &d->machine, view_of(body, (size_t)n), d, w->now);
	CHECK_INT(ctl_turn_end(w->ctl, w->now), ==, 0);
	CHECK_INT(answered, ==, 200);
}

static void listen(struct world *w, struct device *d)
{
	char key[KEY_TEXT_MAX], body[512];
	struct ctl_poll *poll = NULL;
	int n;

	hang_up(w, d);
	key_format(KEY_NODE, d->key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Stream\":true,\"Compress\":\"zstd\","
		"\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"RoutableIPs\":%s}}", key, d->routes);
	if (ctl_map(w->ctl, &d->machine, view_of(body, (size_t)n), d, w->now, &poll) != 0)
		return;
	d->poll = poll;
	CHECK_INT(netmap_new(&d->map, &map_ops, NULL, &w->rng.rng), ==, 0);
}

static void tell_place(struct world *w, struct device *d)
{
	char key[KEY_TEXT_MAX], body[512];
	struct ctl_poll *none;
	int n;

	key_format(KEY_NODE, d->key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"OmitPeers\":true,\"Endpoints\":[\"192.0.2.%u:%u\"],"
		"\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"RoutableIPs\":%s,\"NetInfo\":{\"PreferredDERP\":%u}}}",
		key, rng_u32(&w->rng.rng) % 250 + 1, rng_u32(&w->rng.rng) % 60000 + 1, d->routes,
		rng_u32(&w->rng.rng) % 3 + 1);
	CHECK_INT(ctl_map(w->ctl, &d->machine, view_of(body, (size_t)n), d, w->now, &none), ==, 1);
}

static void check_peer(const struct tc_node *p, const struct ctl_node_doc *n)
{
	char name[512];

	CHECK_TRUE(p != NULL);
	snprintf(name, sizeof(name), "%s.warren.test.", n->name);
	CHECK_STR(p->name, name);
	CHECK_MEM(p->key.b, n->key.b, KEY_LEN);
	CHECK_MEM(p->disco_key.b, n->disco.b, KEY_LEN);
	CHECK_INT(p->home_derp, ==, n->home_derp);
	CHECK_INT(p->online, ==, n->online);
	CHECK_INT(p->key_expiry, ==, n->key_expiry);
	CHECK_INT(p->tags.n, ==, n->tags.n);
	CHECK_INT(p->endpoints.n, ==, n->endpoints.n);
	CHECK_TRUE(n->endpoints.n == 0 || json_same(&json_ipport_list, &p->endpoints, &n->endpoints));
	CHECK_TRUE(p->hostinfo != NULL);
}

/* A device whose key has expired reaches nobody: a whole map may leave it out. */
static bool may_be_left_out(const struct world *w, const struct ctl_node_doc *n)
{
	return n->key_expiry && n->key_expiry <= w->now.wall;
}

static void check_map(const struct world *w, const struct device *d)
{
	const struct ctl_node_doc *self = node_of(w, d), *n = NULL;
	size_t known = 0;

	CHECK_TRUE(self && netmap_self(d->map));
	CHECK_INT(netmap_self(d->map)->id, ==, self->id);
	while ((n = ctl_node_next(w->ctl, n))) {
		const struct tc_node *p = netmap_peer(d->map, n->id);

		if (n->id == self->id) {
			CHECK_TRUE(!p);
			continue;
		}
		if (!p && may_be_left_out(w, n))
			continue;
		known++;
		check_peer(p, n);
	}
	CHECK_INT(netmap_n_peers(d->map), ==, known); /* nobody who is gone */
}

static void check_truth(const struct world *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		if (w->devices[i].poll)
			check_map(w, &w->devices[i]);
}

static void random_step(struct world *w)
{
	static const char *const tags[] = { "tag:web" };
	struct device *d = &w->devices[rng_below(&w->rng.rng, DEVICES)];
	const struct ctl_node_doc *n = node_of(w, d);
	char name[32];
	int rc;

	if (!n) {
		join(w, d, false);
		listen(w, d);
		return;
	}
	switch (rng_below(&w->rng.rng, 12)) {
	case 0:
		CHECK_INT(ctl_node_delete(w->ctl, n->id, w->now), ==, 0);
		break;
	case 1:
		snprintf(name, sizeof(name), "name-%u", rng_u32(&w->rng.rng));
		CHECK_INT(ctl_node_rename(w->ctl, n->id, name, w->now), ==, 0);
		break;
	case 2:
		rc = ctl_node_tag(w->ctl, n->id, tags, 1, w->now);
		CHECK_TRUE(rc == 0 || rc == -ERR_DENIED); /* a policy may not know the tag */
		break;
	case 3:
		CHECK_INT(ctl_node_expire(w->ctl, n->id, w->now), ==, 0);
		break;
	case 4:
		hang_up(w, d);
		break;
	case 5:
		join(w, d, true);
		listen(w, d);
		break;
	case 6:
	case 7:
		listen(w, d);
		break;
	case 8:
		turn(w);
		break;
	default:
		tell_place(w, d);
	}
}

static void every_map_is_the_truth_after_any_changes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;

		world_new(&w, seed);
		for (int step = 0; step < STEPS; step++) {
			CHECK_ROW("seed %llu, step %d", (unsigned long long)seed, step);
			random_step(&w);
			if (step % 7 == 0) {
				settle(&w);
				check_truth(&w);
			}
		}
		world_free(&w);
	}
}

static void what_was_answered_is_there_after_a_crash(void **state)
{
	struct world w;
	size_t n = 0;

	(void)state;
	world_new(&w, 99);
	for (size_t i = 0; i < DEVICES; i++)
		join(&w, &w.devices[i], false);
	ctl_free(w.ctl);
	store_mem_crash(w.store);
	world_start(&w);
	for (const struct ctl_node_doc *d = NULL; (d = ctl_node_next(w.ctl, d));)
		n++;
	CHECK_INT(n, ==, DEVICES);
	for (size_t i = 0; i < DEVICES; i++) {
		CHECK_TRUE(node_of(&w, &w.devices[i]) != NULL);
		listen(&w, &w.devices[i]);
	}
	settle(&w);
	check_truth(&w);
	world_free(&w);
}

static void a_commit_that_fails_is_answered_as_an_error(void **state)
{
	struct world w;
	char key[KEY_TEXT_MAX], body[512];
	int n;

	(void)state;
	world_new(&w, 7);
	CHECK_INT(ctl_turn_end(w.ctl, w.now), ==, 0);
	store_mem_fail_commits(w.store, true);
	key_format(KEY_NODE, w.devices[0].key.b, key);
	n = snprintf(body, sizeof(body), "{\"Version\":113,\"NodeKey\":\"%s\",\"Auth\":{\"AuthKey\":\"%s\"},\"Hostinfo\":{}}",
		key, w.auth_keys[0]);
	answered = 0;
	ctl_register(w.ctl, &w.devices[0].machine, view_of(body, (size_t)n), NULL, w.now);
	CHECK_INT(answered, ==, 0); /* not before the commit */
	CHECK_INT(ctl_turn_end(w.ctl, w.now), <, 0);
	CHECK_INT(answered, ==, 500);
	world_free(&w);
}

/* Under policies: what deltas made of a map is what a whole map says, and what a hub says that has just started. */

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

static const char *const offers[] = { "[]", "[\"10.1.0.0/16\"]", "[\"10.1.0.0/16\",\"10.2.0.0/16\"]", "[\"0.0.0.0/0\",\"::/0\"]",
	"[\"10.2.0.0/16\",\"0.0.0.0/0\",\"::/0\",\"192.168.7.0/24\"]" };

static struct ipprefix prefix(const char *text)
{
	struct ipprefix p;

	CHECK_INT(ipprefix_parse(text, strlen(text), &p), ==, 0);
	return p;
}

static int no_route(void *ctx, const struct ctl_route *r)
{
	(void)ctx;
	CHECK_TRUE(!r->in_use || (r->advertised && r->approved));
	CHECK_TRUE(!r->primary || (r->in_use && r->online));
	return 0;
}

static void random_policy_step(struct world *w)
{
	static const char *const prefixes[] = { "10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0", "::/0", "192.168.7.0/24" };
	static const char *const tags[] = { "tag:web", "tag:db" };
	struct device *d = &w->devices[rng_below(&w->rng.rng, DEVICES)];
	const struct ctl_node_doc *n = node_of(w, d);
	struct ipprefix p = prefix(prefixes[rng_below(&w->rng.rng, ARRAY_LEN(prefixes))]), own = prefix("10.2.0.0/15");
	const char *text = policies[rng_below(&w->rng.rng, ARRAY_LEN(policies))];
	struct err_at at;
	int rc = 0;

	if (!n)
		return;
	switch (rng_below(&w->rng.rng, 8)) {
	case 0:
		rc = ctl_policy_set(w->ctl, view_of(text, strlen(text)), "test", CTL_POLICY_ANY_VERSION, w->now, NULL, NULL, &at);
		if (rc < 0)
			printf("# %s at %u:%u of %s\n", at.text, at.line, at.column, text);
		break;
	case 1:
		rc = ctl_node_tag(w->ctl, n->id, tags + rng_below(&w->rng.rng, 2), 1, w->now);
		rc = rc == -ERR_DENIED ? 0 : rc;
		break;
	case 2:
	case 3:
		d->routes = offers[rng_below(&w->rng.rng, ARRAY_LEN(offers))];
		tell_place(w, d);
		break;
	case 4:
	case 5:
		rc = ctl_route_approve(w->ctl, n->id, p, "ann", w->now);
		break;
	case 6:
		rc = ctl_route_unapprove(w->ctl, n->id, p, w->now);
		rc = rc == -ENOENT ? 0 : rc;
		break;
	default:
		rc = ctl_own_prefixes_set(w->ctl, &own, rng_below(&w->rng.rng, 2), rng_below(&w->rng.rng, 3) == 0 ? CTL_OWN_QUARANTINE :
					CTL_OWN_SHOW, w->now);
	}
	CHECK_INT(rc, ==, 0);
	CHECK_INT(ctl_routes(w->ctl, 0, no_route, NULL), ==, 0);
}

/* The parts of a map that a person would notice, as text. Peers by id. */
static void print_map(const struct netmap *m, bool with_state, struct buf *out)
{
	const struct tc_node *peers[DEVICES * 2];
	struct tc_node self;
	size_t n = netmap_n_peers(m);
	const char *name;

	CHECK_INT(n, <=, ARRAY_LEN(peers));
	netmap_peers(m, peers);
	/* Where it is itself a device is not told: it knows. */
	self = (struct tc_node){ .id = netmap_self(m)->id, .name = netmap_self(m)->name, .user = netmap_self(m)->user,
		.addresses = netmap_self(m)->addresses, .allowed_ips = netmap_self(m)->allowed_ips, .tags = netmap_self(m)->tags,
		.primary_routes = netmap_self(m)->primary_routes, .cap_map = netmap_self(m)->cap_map,
		.key_expiry = netmap_self(m)->key_expiry };
	if (with_state)
		CHECK_INT(json_encode(&tc_node_type, &self, out), ==, 0);
	for (size_t i = 0; i < n; i++) {
		struct tc_node p = *peers[i];

		CHECK_TRUE(netmap_user(m, p.user) != NULL);
		p.endpoints.present = true;
		p.derp = NULL; /* the text of old clients, which no patch has */
		p.last_seen = p.online == JSON_YES ? 0 : p.last_seen; /* no patch takes it back */
		CHECK_INT(buf_printf(out, "\n%lld ", (long long)p.id), ==, 0);
		if (with_state)
			CHECK_INT(json_encode(&tc_node_type, &p, out), ==, 0);
	}
	for (size_t i = 0; i < netmap_n_filters(m); i++) {
		CHECK_INT(buf_append_str(out, "\n"), ==, 0);
		for (size_t k = 0; k < netmap_filter(m, i, &name)->n; k++)
			CHECK_INT(json_encode(&tc_filter_rule_type, JSON_AT(*netmap_filter(m, i, &name), struct tc_filter_rule, k), out),
				==, 0);
	}
	CHECK_INT(buf_printf(out, "\n%.*s\n", (int)netmap_ssh_policy(m).len, (const char *)netmap_ssh_policy(m).p), ==, 0);
}

struct prints {
	struct buf v[DEVICES];
};

static void print_all(const struct world *w, bool with_state, struct prints *ret)
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
		printf("# %.*s\n# %.*s\n", (int)strcspn(a + line, "\n"), a + line, (int)strcspn(b + line, "\n"), b + line);
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

static void listen_again(struct world *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		if (w->devices[i].poll)
			listen(w, &w->devices[i]);
	settle(w);
}

static void check_against_whole_maps(struct world *w)
{
	struct prints by_deltas, whole;

	w->now.mono += CTL_OFFLINE_GRACE; /* who went is gone; nothing happens by itself while the maps are compared */
	settle(w);
	print_all(w, true, &by_deltas);
	listen_again(w);
	print_all(w, true, &whole);
	compare(&by_deltas, &whole);
}

/* Who is primary may be another after a restart. */
static void check_against_restarted_hub(struct world *w)
{
	struct prints before, after;

	for (size_t i = 0; i < DEVICES; i++)
		if (node_of(w, &w->devices[i]))
			listen(w, &w->devices[i]);
	settle(w);
	print_all(w, false, &before);
	for (size_t i = 0; i < DEVICES; i++)
		hang_up(w, &w->devices[i]);
	ctl_free(w->ctl);
	store_mem_crash(w->store);
	world_start(w);
	for (size_t i = 0; i < DEVICES; i++)
		if (node_of(w, &w->devices[i]))
			listen(w, &w->devices[i]);
	settle(w);
	print_all(w, false, &after);
	compare(&before, &after);
}

static void maps_follow_the_policy_whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 100 + 2 * SEEDS; seed++) {
		struct world w;

		world_new(&w, seed);
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
		world_free(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_map_is_the_truth_after_any_changes),
		cmocka_unit_test(maps_follow_the_policy_whatever_happens),
		cmocka_unit_test(what_was_answered_is_there_after_a_crash),
		cmocka_unit_test(a_commit_that_fails_is_answered_as_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Requests of hostile devices, one a line, in front of one hub:
 *	R, r  body of a register request of the first or the second machine
 *	M, m  body of a map request
 *	t     time passes      a  an admin approves who waits      d  and deletes the device that changed longest ago
 *	p     the next policy comes into force      o  the organisation claims networks, or does not
 *	s     the routes that the device that changed last offers are approved
 *	xKIND NUMBER DOCUMENT   another process wrote it; without a document it deleted it
 * What the hub sends can be read, and what it holds can be stored and loaded.
 */
#include "tests/coord/letin.h"
#include "core/coord/coord.h"
#include "store/mem/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { POLLS = 8, FRAME_MAX = 1 << 22 };

static struct tailnet *tailnet;
static struct store_mem *other; /* the same database, as another process has it */
static bool begins_anew;
static struct map_session *polls[POLLS];
static size_t next_poll;
static struct now now;

static void fake_hash(const void *p, size_t n, uint8_t out[static 32])
{
	memset(out, 0, 32);
	memcpy(out, p, n < 32 ? n : 32);
}

static void on_poll(void *owner) {}

static void on_answer(void *owner, int status, const char *type, struct view body)
{
	CHECK(status >= 200 && status < 600);
}

static void read_frames(const struct buf *b)
{
	static uint8_t plain[FRAME_MAX];
	const uint8_t *p = buf_data(b), *end = p + buf_len(b);

	while (end - p >= 4 && (size_t)(end - p - 4) >= load_le32(p)) {
		size_t n = load_le32(p), got = ZSTD_decompress(plain, sizeof(plain), p + 4, n);
		struct tc_map_response m;
		struct arena mem;

		CHECK(!ZSTD_isError(got));
		arena_init(&mem, FRAME_MAX * 4);
		CHECK(json_decode(&tc_map_response_type, plain, got, &m, &mem, NULL) == 0);
		for (size_t i = 0; i < m.peers.n; i++)
			CHECK(JSON_AT(m.peers, struct tc_node, i)->hostinfo);
		arena_fini(&mem);
		p += 4 + n;
	}
	CHECK(p == end);
}

static void drain(struct map_session *p)
{
	struct buf b;
	size_t had = 1;

	buf_init(&b, FRAME_MAX);
	while (had) {
		had = buf_len(&b);
		map_session_fill(p, &b);
		had = buf_len(&b) - had;
	}
	read_frames(&b);
	buf_fini(&b);
}

static void map(const struct machine_pub *machine, struct view body)
{
	struct map_session *p = NULL;

	if (coord_map(tailnet, machine, body, &tailnet, now, &p) != 0)
		return;
	if (polls[next_poll])
		map_session_close(polls[next_poll], now);
	polls[next_poll] = p;
	next_poll = (next_poll + 1) % POLLS;
}

static const char *const policies[] = { "{\"acls\": []}",
	"{\"tagOwners\": {\"tag:a\": [\"ann@\"]}, \"acls\": [{\"action\": \"accept\", \"src\": [\"tag:a\", \"10.0.0.0/8\"], \"dst\": "
	"[\"autogroup:member:22\", \"10.0.0.0/8:*\"]}], \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"ann@\"]}, \"exitNode\": [\"tag:a\"]}}",
	"{\"postures\": {\"posture:new\": [\"node:os == 'linux'\", \"node:osVersion >= '1'\", \"node:tsVersion >= '1.80'\"]}, \"grants\": "
	"[{\"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\"], \"ip\": [\"*\"], \"srcPosture\": [\"posture:new\"]}], "
	"\"nodeAttrs\": [{\"target\": [\"ann@\"], \"attr\": [\"disable-ipv4\"]}]}",
	"" };

static void next_policy(void)
{
	const struct coord_policy_version *v = coord_policy_current(tailnet);
	const char *text = policies[(size_t)(v ? v->id : 0) % ARRAY_LEN(policies)];
	struct err_at at;

	CHECK(coord_policy_set(tailnet, view_of(text, strlen(text)), "", COORD_POLICY_ANY_VERSION,
		      now, NULL, NULL, &at) == 0);
}

static void claim_networks(void)
{
	const struct ipprefix ten = { { 4, { 10 } }, 8 };
	size_t n = coord_settings(tailnet)->protected_prefixes.n ? 0 : 1;

	CHECK(coord_protected_prefixes_set(tailnet, &ten, n, COORD_PROTECTED_REFUSE, now) == 0);
}

static void approve_routes(void)
{
	const struct coord_node_doc *last = NULL;
	struct ipprefix v[16];
	size_t n = 0;

	for (const struct coord_node_doc *d = NULL; (d = coord_node_next(tailnet, d));)
		last = d;
	for (; last && last->hostinfo && n < ARRAY_LEN(v) && n < last->hostinfo->routable_ips.n;
		n++)
		v[n] = *JSON_AT(last->hostinfo->routable_ips, struct ipprefix, n);
	for (size_t i = 0; i < n; i++) {
		int rc = coord_route_approve(tailnet, last->id, v[i], "ann", now);

		CHECK(rc == 0 || rc == -ERR_TOO_MANY);
	}
}

static void admin(char what)
{
	const struct coord_node_doc *n = coord_node_next(tailnet, NULL);
	struct coord_pending_view p;

	if (what == 't')
		now.mono += SEC(1);
	else if (what == 'a' && coord_pending_next(tailnet, NULL, &p) &&
		 let_in(tailnet, p.code, coord_user_next(tailnet, NULL)->id, now, &(int64_t){ 0 }) <
			 0)
		return;
	else if (what == 'd' && n && coord_node_delete(tailnet, n->id, now) < 0)
		return;
	else if (what == 'p')
		next_policy();
	else if (what == 'o')
		claim_networks();
	else if (what == 's')
		approve_routes();
	now.wall += 1000;
}

/* What is taken is stored, and can be loaded. False: it is not, and the engine is to begin anew. */
static bool other_process(struct view line)
{
	char text[64];
	size_t n = MIN_OF(line.len, sizeof(text) - 1);
	struct coord_store *s = store_mem_store(other);
	struct view doc;
	int kind, at = 0;
	long long id;

	memcpy(text, line.p, n);
	text[n] = 0;
	if (sscanf(text, "%d %lld %n", &kind, &id, &at) != 2 || kind < 0 || kind > COORD_API_TOKEN)
		return true;
	doc = view_of(line.p + at, line.len - (size_t)at);
	if (coord_apply(tailnet, (enum coord_kind)kind, id, doc.len ? &doc : NULL, now) < 0)
		return false;
	CHECK(s->ops->change(s, (enum coord_kind)kind, id, doc.len ? &doc : NULL, true) == 0);
	s->ops->commit(s);
	return true;
}

static void one_line(const uint8_t *line, size_t n)
{
	struct machine_pub machine = { 0 };
	struct view body = view_of(line + 1, n - 1);

	machine.b[0] = line[0] == 'R' || line[0] == 'M' ? 1 : 2;
	if (line[0] == 'R' || line[0] == 'r')
		coord_register(tailnet, &machine, body, &tailnet, now);
	else if (line[0] == 'M' || line[0] == 'm')
		map(&machine, body);
	else if (line[0] == 'x')
		begins_anew = !other_process(body);
	else
		admin((char)line[0]);
	if (begins_anew)
		return;
	coord_tick(tailnet, now);
	CHECK(coord_turn_end(tailnet, now) == 0);
	for (size_t i = 0; i < POLLS; i++)
		if (polls[i])
			drain(polls[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct coord_key_spec spec = { .reusable = true };
	char text[COORD_SECRET_TEXT_MAX];
	struct store_mem *store;
	struct rng_seeded rng;
	struct coord_stats before, after;
	const struct coord_user *user;
	const struct coord_key *key;
	struct coord_cfg cfg = { .url = "http://hub.test",
		.base_domain = "warren.test",
		.rng = &rng.rng,
		.hash = fake_hash,
		.on_map_ready = on_poll,
		.on_map_end = on_poll,
		.on_answer = on_answer };

	rng_seeded_init(&rng, 1); /* the key is always the same, so that seeds can hold it */
	next_poll = 0;
	now = (struct now){ .mono = SEC(1), .wall = 1790000000000 };
	CHECK(store_mem_new(&store) == 0);
	cfg.store = store_mem_store(store);
	CHECK(coord_new(&tailnet, &cfg, now, NULL) == 0);
	CHECK(coord_user_create(tailnet, "ann", now, &user) == 0);
	CHECK(coord_key_create(tailnet, &spec, now, text, &key) == 0);
	CHECK(coord_turn_end(tailnet, now) == 0);
	CHECK(store_mem_open(store, 1, &other) == 0);
	begins_anew = false;
	while (len && !begins_anew) {
		const uint8_t *nl = memchr(data, '\n', len);
		size_t n = nl ? (size_t)(nl - data) : len;

		if (n)
			one_line(data, n);
		data += nl ? n + 1 : n;
		len -= nl ? n + 1 : n;
	}
	for (size_t i = 0; i < POLLS; i++) {
		if (polls[i])
			map_session_close(polls[i], now);
		polls[i] = NULL;
	}
	coord_stats(tailnet, &before);
	CHECK(begins_anew || coord_turn_end(tailnet, now) == 0);
	coord_free(tailnet);
	if (begins_anew) {
		store_mem_free(other);
		store_mem_free(store);
		return 0;
	}
	CHECK(coord_new(&tailnet, &cfg, now, NULL) == 0);
	coord_stats(tailnet, &after);
	CHECK(before.nodes == after.nodes && before.users == after.users &&
		before.keys == after.keys);
	coord_free(tailnet);
	store_mem_free(other);
	store_mem_free(store);
	return 0;
}

/*
 * Requests of hostile devices, one a line, in front of one hub:
 *	R, r  body of a register request of the first or the second machine
 *	M, m  body of a map request
 *	t     time passes      a  an admin approves who waits      d  and deletes the device that changed longest ago
 *	p     the next policy comes into force      o  the organisation claims networks, or does not
 *	s     the routes that the device that changed last offers are approved
 * What the hub sends can be read, and what it holds can be stored and loaded.
 */
#include "tests/control/letin.h"
#include "core/ctlserver/ctlserver.h"
#include "store/mem/mem.h"

#include <stdlib.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { POLLS = 8, FRAME_MAX = 1 << 22 };

static struct ctl *ctl;
static struct ctl_poll *polls[POLLS];
static size_t next_poll;
static struct now now;

static void fake_hash(const void *p, size_t n, uint8_t out[static 32])
{
	memset(out, 0, 32);
	memcpy(out, p, n < 32 ? n : 32);
}

static void on_poll(void *owner)
{
}

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

static void drain(struct ctl_poll *p)
{
	struct buf b;
	size_t had = 1;

	buf_init(&b, FRAME_MAX);
	while (had) {
		had = buf_len(&b);
		ctl_poll_fill(p, &b);
		had = buf_len(&b) - had;
	}
	read_frames(&b);
	buf_fini(&b);
}

static void map(const struct machine_pub *machine, struct view body)
{
	struct ctl_poll *p = NULL;

	if (ctl_map(ctl, machine, body, &ctl, now, &p) != 0)
		return;
	if (polls[next_poll])
		ctl_poll_close(polls[next_poll], now);
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
	const struct ctl_policy_version *v = ctl_policy_current(ctl);
	const char *text = policies[(size_t)(v ? v->id : 0) % ARRAY_LEN(policies)];
	struct err_at at;

	CHECK(ctl_policy_set(ctl, view_of(text, strlen(text)), "", CTL_POLICY_ANY_VERSION, now, NULL, NULL, &at) == 0);
}

static void claim_networks(void)
{
	const struct ipprefix ten = { { 4, { 10 } }, 8 };
	size_t n = ctl_settings(ctl)->own_prefixes.n ? 0 : 1;

	CHECK(ctl_own_prefixes_set(ctl, &ten, n, CTL_OWN_REFUSE, now) == 0);
}

static void approve_routes(void)
{
	const struct ctl_node_doc *last = NULL;
	struct ipprefix v[16];
	size_t n = 0;

	for (const struct ctl_node_doc *d = NULL; (d = ctl_node_next(ctl, d));)
		last = d;
	for (; last && last->hostinfo && n < ARRAY_LEN(v) && n < last->hostinfo->routable_ips.n; n++)
		v[n] = *JSON_AT(last->hostinfo->routable_ips, struct ipprefix, n);
	for (size_t i = 0; i < n; i++) {
		int rc = ctl_route_approve(ctl, last->id, v[i], "ann", now);

		CHECK(rc == 0 || rc == -ERR_TOO_MANY);
	}
}

static void admin(char what)
{
	const struct ctl_node_doc *n = ctl_node_next(ctl, NULL);
	struct ctl_pending_view p;

	if (what == 't')
		now.mono += SEC(1);
	else if (what == 'a' && ctl_pending_next(ctl, NULL, &p) && let_in(ctl, p.code, ctl_user_next(ctl, NULL)->id, now, &(int64_t){ 0 }) < 0)
		return;
	else if (what == 'd' && n && ctl_node_delete(ctl, n->id, now) < 0)
		return;
	else if (what == 'p')
		next_policy();
	else if (what == 'o')
		claim_networks();
	else if (what == 's')
		approve_routes();
	now.wall += 1000;
}

static void one_line(const uint8_t *line, size_t n)
{
	struct machine_pub machine = { 0 };
	struct view body = view_of(line + 1, n - 1);

	machine.b[0] = line[0] == 'R' || line[0] == 'M' ? 1 : 2;
	if (line[0] == 'R' || line[0] == 'r')
		ctl_register(ctl, &machine, body, &ctl, now);
	else if (line[0] == 'M' || line[0] == 'm')
		map(&machine, body);
	else
		admin((char)line[0]);
	ctl_tick(ctl, now);
	CHECK(ctl_turn_end(ctl, now) == 0);
	for (size_t i = 0; i < POLLS; i++)
		if (polls[i])
			drain(polls[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct ctl_key_spec spec = { .reusable = true };
	char text[CTL_SECRET_TEXT_MAX];
	struct store_mem *store;
	struct rng_seeded rng;
	struct ctl_stats before, after;
	const struct ctl_user *user;
	const struct ctl_key *key;
	struct ctl_cfg cfg = { .url = "http://hub.test", .base_domain = "warren.test", .rng = &rng.rng, .hash = fake_hash,
		.on_poll_ready = on_poll, .on_poll_end = on_poll, .on_answer = on_answer };

	rng_seeded_init(&rng, 1); /* the key is always the same, so that seeds can hold it */
	next_poll = 0;
	now = (struct now){ .mono = SEC(1), .wall = 1790000000000 };
	CHECK(store_mem_new(&store) == 0);
	cfg.store = store_mem_store(store);
	CHECK(ctl_new(&ctl, &cfg, now, NULL) == 0);
	CHECK(ctl_user_create(ctl, "ann", now, &user) == 0);
	CHECK(ctl_key_create(ctl, &spec, now, text, &key) == 0);
	while (len) {
		const uint8_t *nl = memchr(data, '\n', len);
		size_t n = nl ? (size_t)(nl - data) : len;

		if (n)
			one_line(data, n);
		data += nl ? n + 1 : n;
		len -= nl ? n + 1 : n;
	}
	for (size_t i = 0; i < POLLS; i++) {
		if (polls[i])
			ctl_poll_close(polls[i], now);
		polls[i] = NULL;
	}
	ctl_stats(ctl, &before);
	CHECK(ctl_turn_end(ctl, now) == 0);
	ctl_free(ctl);
	CHECK(ctl_new(&ctl, &cfg, now, NULL) == 0);
	ctl_stats(ctl, &after);
	CHECK(before.nodes == after.nodes && before.users == after.users && before.keys == after.keys);
	ctl_free(ctl);
	store_mem_free(store);
	return 0;
}

/*
 * Random policies over random networks:
 *   - what our filters let in is what the plain evaluator reads from the text;
 *   - a plan that followed a hundred changes answers as one compiled afresh;
 *   - a change that alters a node's answers is told to it.
 * POLICY_SEED=N begins with that seed, POLICY_RUNS=N runs so many.
 */
#include "base/rng/rng.h"
#include "testlib/check.h"
#include "tests/conformance/harness.h"
#include "tests/conformance/plain.h"

#include <stdlib.h>

enum { RUNS = 60, STEPS = 25, TEXT_MAX = 1 << 16 };

static struct rng_seeded rng;
static char policy_text[TEXT_MAX];

static size_t below(size_t n)
{
	return (size_t)rng_below(&rng.rng, n);
}

static const char *pick(const char *const *v, size_t n)
{
	return v[below(n)];
}

#define PICK(list) pick((list), ARRAY_LEN(list))

static const char *const tags[] = { "tag:web", "tag:db", "tag:gw" };
static const char *const systems[] = { "linux", "macos" };
static const char *const ports[] = { "*", "22", "80,443", "1000-2000", "5432" };
static const char *const srcs[] = { "*", "u0@corp.example", "u1@corp.example", "u2@corp.example",
	"group:a", "group:b", "group:none", "tag:web", "tag:db", "tag:gw", "autogroup:member",
	"autogroup:tagged", "autogroup:admin", "autogroup:danger-all", "lan", "box", "ipset:mix",
	"100.64.0.3", "100.64.0.0/29", "10.1.0.0/16", "gone@corp.example" };
static const char *const people[] = { "u0@corp.example", "u1@corp.example", "group:a", "group:b",
	"autogroup:member", "autogroup:admin" };
static const char *const dsts[] = { "*", "u0@corp.example", "u3@corp.example", "group:a", "tag:web",
	"tag:db", "tag:gw", "autogroup:member", "autogroup:tagged", "autogroup:internet", "lan",
	"box", "ipset:mix", "100.64.0.5", "100.64.0.8/29", "10.1.2.0/24", "10.0.0.0/8",
	"8.8.8.0/24" };
static const char *const vias[] = { "10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16",
	"autogroup:internet" };
static const struct {
	const char *prefix;
} routes[] = { { "10.1.0.0/16" }, { "10.1.2.0/24" }, { "10.2.0.0/16" }, { "192.168.7.0/24" },
	{ "0.0.0.0/0" }, { "::/0" } };

/* ---- text ---- */

static struct buf out;

static void put(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void put(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	CHECK_INT(buf_append_str(&out, text), ==, 0);
}

static void put_list(const char *name, const char *const *v, size_t n, size_t max)
{
	size_t count = 1 + below(max);

	put("\"%s\": [", name);
	for (size_t i = 0; i < count; i++)
		put("%s\"%s\"", i ? "," : "", pick(v, n));
	put("]");
}

static void put_posture(void)
{
	if (below(5) == 0)
		put(", \"srcPosture\": [\"posture:%s\"]", PICK(systems));
}

static void put_acl(void)
{
	static const char *const protos[] = { "", "tcp", "udp" };
	bool self = below(5) == 0;
	size_t count = 1 + below(3);

	put("{\"action\": \"accept\", \"proto\": \"%s\", ", PICK(protos));
	if (self)
		put_list("src", people, ARRAY_LEN(people), 2);
	else
		put_list("src", srcs, ARRAY_LEN(srcs), 3);
	put(", \"dst\": [");
	for (size_t i = 0; i < count; i++)
		put("%s\"%s:%s\"", i ? "," : "", self && i == 0 ? "autogroup:self" : PICK(dsts),
			PICK(ports));
	put("]");
	put_posture();
	put("},\n");
}

static void put_grant(void)
{
	static const char *const ips[] = { "*", "tcp:443", "udp:*", "22", "1000-2000", "icmp:*" };
	bool via = below(4) == 0, self = !via && below(5) == 0;

	put("{");
	if (self)
		put_list("src", people, ARRAY_LEN(people), 2);
	else
		put_list("src", srcs, ARRAY_LEN(srcs), 3);
	put(", ");
	if (self)
		put("\"dst\": [\"autogroup:self\"]");
	else if (via)
		put_list("dst", vias, ARRAY_LEN(vias), 2);
	else
		put_list("dst", dsts, ARRAY_LEN(dsts), 3);
	put(", ");
	put_list("ip", ips, ARRAY_LEN(ips), 2);
	if (via) {
		put(", ");
		put_list("via", tags, ARRAY_LEN(tags), 2);
	}
	put_posture();
	put("},\n");
}

static void put_ssh(void)
{
	put("{\"action\": \"%s\", ", below(2) ? "accept" : "check");
	put_list("src", people, ARRAY_LEN(people), 2);
	put(", \"dst\": [\"%s\"], \"users\": [\"root\", \"localpart:*@corp.example\"]},\n",
		below(2) ? "autogroup:self" : PICK(tags));
}

static void make_policy(void)
{
	size_t n = 1 + below(5);

	buf_clear(&out);
	put("{\"groups\": {\"group:a\": [\"u0@corp.example\", \"u2@corp.example\"], \"group:b\": [\"u1@corp.example\", "
	    "\"u2@corp.example\", \"gone@corp.example\"], \"group:none\": []},\n");
	put("\"hosts\": {\"lan\": \"10.1.0.0/16\", \"box\": \"100.64.0.4\"},\n");
	put("\"ipsets\": {\"ipset:mix\": [\"add 10.2.0.0/16\", \"remove 10.2.7.0/24\", \"add 100.64.0.2\"]},\n");
	put("\"tagOwners\": {\"tag:web\": [], \"tag:db\": [], \"tag:gw\": []},\n");
	put("\"postures\": {\"posture:linux\": [\"node:os == 'linux'\"], \"posture:macos\": [\"node:os == 'macos'\"]},\n");
	put("\"acls\": [\n");
	for (size_t i = 0; i < n; i++)
		put_acl();
	put("],\n\"grants\": [\n");
	n = below(5);
	for (size_t i = 0; i < n; i++)
		put_grant();
	put("],\n\"ssh\": [\n");
	n = below(3);
	for (size_t i = 0; i < n; i++)
		put_ssh();
	put("],\n\"nodeAttrs\": [{\"target\": [\"%s\"], \"attr\": [\"x\"]}]}\n", PICK(people));
	CHECK_TRUE(buf_len(&out) < TEXT_MAX);
	snprintf(policy_text, sizeof(policy_text), "%s", buf_cstr(&out));
}

/* jansson knows no trailing commas. */
static json_t *plain_json(void)
{
	char *copy = strdup(policy_text);
	json_error_t err;
	json_t *j;

	for (char *c = strchr(copy, ','); c; c = strchr(c + 1, ','))
		if (c[1 + strspn(c + 1, " \n")] == ']' || c[1 + strspn(c + 1, " \n")] == '}')
			*c = ' ';
	j = json_loads(copy, 0, &err);
	free(copy);
	CHECK_TRUE(j != NULL);
	return j;
}

/* ---- the world ---- */

static void random_node(struct plain_world *w, size_t i)
{
	struct plain_node *n = &w->nodes[i];

	*n = (struct plain_node){ .there = true,
		.id = (int64_t)i + 1,
		.user = (int)below(PLAIN_USERS),
		.os = PICK(systems) };
	n->ip4 = ipaddr_v4(100, 64, 0, (uint8_t)(1 + i));
	n->ip6 = (struct ipaddr){ 6,
		{ 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = (uint8_t)(1 + i) } };
	if (below(8) == 0)
		n->ip6 = (struct ipaddr){ 0 };
	if (below(2))
		for (size_t k = 1 + below(2); k > 0; k--)
			n->tags[n->n_tags++] = PICK(tags);
	if (below(3) == 0)
		for (size_t k = 1 + below(PLAIN_ROUTES); k > 0; k--) {
			const char *s = routes[below(ARRAY_LEN(routes))].prefix;

			CHECK_INT(ipprefix_parse(s, strlen(s), &n->routes[n->n_routes++]), ==, 0);
		}
}

static void random_world(struct plain_world *w)
{
	static char logins[PLAIN_USERS][32];

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < PLAIN_USERS; i++) {
		snprintf(logins[i], sizeof(logins[i]), "u%zu@corp.example", i);
		w->logins[i] = logins[i];
		w->roles[i] = below(4) == 0 ? POLICY_ADMIN : POLICY_MEMBER;
	}
	for (size_t i = 0; i < PLAIN_NODES; i++)
		if (below(4))
			random_node(w, i);
}

static void put_user(struct policy_directory *pw, const struct plain_world *w, size_t i)
{
	struct policy_user u = { .id = (int64_t)i + 1, .login = w->logins[i], .role = w->roles[i] };

	CHECK_INT(policy_user_put(pw, &u), ==, 0);
}

static void put_node(struct policy_directory *pw, const struct plain_node *n)
{
	struct policy_attr os = { "node:os", n->os };
	struct policy_node doc = { .id = n->id,
		.user = n->user + 1,
		.tags = n->tags,
		.n_tags = n->n_tags,
		.ip4 = n->ip4,
		.ip6 = n->ip6,
		.routes = n->routes,
		.n_routes = n->n_routes,
		.attrs = &os,
		.n_attrs = 1 };

	CHECK_INT(policy_node_put(pw, &doc), ==, 0);
}

static struct policy_plan *compile(struct policy_directory *pw)
{
	struct policy_plan *p;
	struct policy_doc *d;
	struct err_at at = { 0 };
	int rc = policy_doc_parse(&d, policy_text, strlen(policy_text), &at);

	if (rc == 0)
		rc = policy_plan_new(&p, pw, d, POLICY_NEW, &at);
	CHECK_ROW("%u:%u %s\n%s", at.line, at.column, at.text, policy_text);
	CHECK_INT(rc, ==, 0);
	policy_install(pw, p);
	return p;
}

static struct policy_directory *fresh_world(const struct plain_world *w)
{
	static const char *const domain = "corp.example";
	struct policy_cfg cfg = { .domains = &domain, .n_domains = 1 };
	struct policy_directory *pw;

	CHECK_INT(policy_directory_new(&pw, &cfg), ==, 0);
	for (size_t i = 0; i < PLAIN_USERS; i++)
		put_user(pw, w, i);
	for (size_t i = 0; i < PLAIN_NODES; i++)
		if (w->nodes[i].there)
			put_node(pw, &w->nodes[i]);
	return pw;
}

/* ---- the filters against the plain evaluator ---- */

static const char *const outside[] = { "10.1.2.3", "10.1.9.9", "10.2.7.1", "10.2.8.1",
	"192.168.7.9", "8.8.8.8", "93.184.216.34", "2606:2800:220:1::1" };

/* Is an address at this node: its own, behind it, or the internet of an exit node? */
static bool is_at(const struct plain_node *n, struct ipaddr a)
{
	if (ipaddr_eq(n->ip4, a) || ipaddr_eq(n->ip6, a))
		return true;
	for (size_t i = 0; i < n->n_routes; i++)
		if (n->routes[i].bits && ipprefix_contains(n->routes[i], a))
			return true;
	return plain_is_exit(n) && (a.family == 6 ? a.b[0] == 0x26 : a.b[0] == 8 || a.b[0] == 93);
}

static size_t all_addresses(const struct plain_world *w, struct ipaddr *v)
{
	size_t n = 0;

	for (size_t i = 0; i < PLAIN_NODES; i++) {
		if (!w->nodes[i].there)
			continue;
		v[n++] = w->nodes[i].ip4;
		if (w->nodes[i].ip6.family)
			v[n++] = w->nodes[i].ip6;
	}
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		CHECK_INT(ipaddr_parse(outside[i], strlen(outside[i]), &v[n++]), ==, 0);
	return n;
}

static json_t *filter_of(struct policy_plan *p, int64_t id)
{
	json_error_t err;
	json_t *j;
	struct buf b;

	buf_init(&b, POLICY_FILTER_MAX);
	CHECK_INT(policy_filter(p, id, &b), ==, 0);
	j = json_loadb((const char *)buf_data(&b), buf_len(&b), 0, &err);
	CHECK_TRUE(j != NULL);
	buf_fini(&b);
	return j;
}

static void check_packet(const struct plain_world *w, struct policy_plan *p,
	const struct plain_node *at, json_t *filter, struct ipaddr src, struct ipaddr dst)
{
	static const int protos[] = { 6, 17, 1, 132 },
			 some_ports[] = { 0, 22, 80, 443, 1500, 5432, 65535 };
	int proto = protos[below(4)], port = some_ports[below(7)];
	bool want = plain_allows(w, at, src, dst, proto, port),
	     got = filter_allows(filter, src, dst, proto, port);
	char a[IPADDR_TEXT_MAX], b[IPADDR_TEXT_MAX];

	if (want != got) { /* too long for a row */
		fprintf(stderr, "%s\n", policy_text);
		json_dumpf(filter, stderr, JSON_COMPACT);
	}
	CHECK_ROW("node %lld, proto %d from %s to %s port %d", (long long)at->id, proto,
		ipaddr_format(src, a), ipaddr_format(dst, b), port);
	CHECK_INT(got, ==, want);
	if (ipaddr_eq(at->ip4, dst) || ipaddr_eq(at->ip6, dst)) {
		struct policy_reach reach;

		policy_can_reach(p, src, dst, proto, (uint16_t)port, &reach);
		CHECK_INT(reach.allowed, ==, want);
	}
}

static size_t check_filters(const struct plain_world *w, struct policy_plan *p)
{
	struct ipaddr v[2 * PLAIN_NODES + ARRAY_LEN(outside)];
	size_t n = all_addresses(w, v), checked = 0;

	for (size_t i = 0; i < PLAIN_NODES; i++) {
		const struct plain_node *at = &w->nodes[i];
		json_t *filter;

		if (!at->there)
			continue;
		filter = filter_of(p, at->id);
		for (size_t s = 0; s < n; s++)
			for (size_t d = 0; d < n; d++)
				if (is_at(at, v[d]) && !is_at(at, v[s])) {
					check_packet(w, p, at, filter, v[s], v[d]);
					checked++;
				}
		json_decref(filter);
	}
	return checked;
}

/* Whoever may send something to a node sees it, and is seen. */
static void check_peers(const struct plain_world *w, struct policy_plan *p)
{
	static const int some_ports[] = { 22, 80, 443, 1500, 5432, 7 };

	for (size_t i = 0; i < PLAIN_NODES; i++)
		for (size_t k = 0; k < PLAIN_NODES; k++) {
			const struct plain_node *a = &w->nodes[i], *b = &w->nodes[k];
			bool reaches = false;

			if (i == k || !a->there || !b->there)
				continue;
			for (size_t x = 0; x < ARRAY_LEN(some_ports); x++)
				reaches |= plain_allows(w, b, a->ip4, b->ip4, 6, some_ports[x]) ||
					   plain_allows(w, b, a->ip4, b->ip4, 17, some_ports[x]);
			CHECK_ROW("nodes %lld and %lld\n%s", (long long)a->id, (long long)b->id,
				policy_text);
			CHECK_INT(policy_visible(p, a->id, b->id), ==,
				policy_visible(p, b->id, a->id));
			if (reaches)
				CHECK_TRUE(policy_visible(p, a->id, b->id));
		}
}

static void seed_run(unsigned run)
{
	const char *seed = getenv("POLICY_SEED");

	rng_seeded_init(&rng, (seed ? strtoull(seed, NULL, 10) : 1) + run);
}

static unsigned runs(void)
{
	const char *n = getenv("POLICY_RUNS");

	return n ? (unsigned)strtoul(n, NULL, 10) : RUNS;
}

static void filters_let_in_what_the_text_says(void **state)
{
	size_t checked = 0;

	(void)state;
	for (unsigned run = 0; run < runs(); run++) {
		struct plain_world w;
		struct policy_directory *pw;
		struct policy_plan *p;

		seed_run(run);
		random_world(&w);
		make_policy();
		w.policy = plain_json();
		pw = fresh_world(&w);
		p = compile(pw);
		checked += check_filters(&w, p);
		check_peers(&w, p);
		json_decref(w.policy);
		policy_directory_free(pw);
	}
	printf("# %zu packets asked in %u networks\n", checked, runs());
}

/* ---- changes ---- */

/* All answers of one node as text. */
struct answer {
	bool there;
	struct buf filter, ssh, peers, self;
};

static int by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

struct ids {
	int64_t v[PLAIN_NODES];
	size_t n;
};

static int note_id(void *ctx, int64_t id)
{
	struct ids *ids = ctx;

	CHECK_TRUE(ids->n < PLAIN_NODES);
	ids->v[ids->n++] = id;
	return 0;
}

static void put_allowed(struct buf *b, const struct policy_allowed *a)
{
	char text[IPPREFIX_TEXT_MAX];

	for (size_t i = 0; i < a->n; i++)
		CHECK_INT(buf_printf(b, " %s%s",
				  i < a->n_addresses ? "="
				  : i < a->n_primary ? "+"
						     : "",
				  ipprefix_format(a->v[i], text)),
			==, 0);
}

static void ask(struct policy_plan *p, int64_t id, struct answer *ret)
{
	struct policy_node_cap *caps = NULL;
	struct policy_allowed allowed;
	struct ids ids = { 0 };
	struct arena a;
	size_t n = 0;

	ret->there = true;
	arena_init(&a, 1 << 20);
	buf_init(&ret->filter, POLICY_FILTER_MAX);
	buf_init(&ret->ssh, POLICY_FILTER_MAX);
	buf_init(&ret->peers, POLICY_FILTER_MAX);
	buf_init(&ret->self, POLICY_FILTER_MAX);
	CHECK_INT(policy_filter(p, id, &ret->filter), ==, 0);
	CHECK_INT(policy_ssh(p, id, "https://unused/x", &ret->ssh), >=, 0);
	CHECK_INT(policy_peers(p, id, note_id, &ids), ==, 0);
	qsort(ids.v, ids.n, sizeof(*ids.v), by_id);
	for (size_t i = 0; i < ids.n; i++) {
		CHECK_INT(policy_allowed(p, id, ids.v[i], &a, &allowed), ==, 0);
		CHECK_INT(buf_printf(&ret->peers, "%lld", (long long)ids.v[i]), ==, 0);
		put_allowed(&ret->peers, &allowed);
		CHECK_INT(buf_append_str(&ret->peers, "\n"), ==, 0);
		CHECK_TRUE(policy_visible(p, id, ids.v[i]));
		CHECK_TRUE(i == 0 || ids.v[i] != ids.v[i - 1]);
	}
	CHECK_INT(policy_self_allowed(p, id, &a, &allowed), ==, 0);
	put_allowed(&ret->self, &allowed);
	CHECK_INT(policy_node_caps(p, id, &a, &caps, &n), ==, 0);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(buf_printf(&ret->self, " %s", caps[i].name), ==, 0);
	arena_fini(&a);
}

static void answer_fini(struct answer *a)
{
	buf_fini(&a->filter);
	buf_fini(&a->ssh);
	buf_fini(&a->peers);
	buf_fini(&a->self);
	a->there = false;
}

static void ask_all(const struct plain_world *w, struct policy_plan *p, struct answer *v)
{
	for (size_t i = 0; i < PLAIN_NODES; i++)
		if (w->nodes[i].there)
			ask(p, w->nodes[i].id, &v[i]);
}

/* Who carries a route has a history; a fresh plan is given the same. */
static void copy_primaries(struct policy_plan *from, struct policy_plan *to)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct ipprefix p;
		int64_t id;

		CHECK_INT(ipprefix_parse(routes[i].prefix, strlen(routes[i].prefix), &p), ==, 0);
		id = policy_route_primary(from, p);
		if (id)
			policy_route_prefer(to, p, id);
	}
}

static void check_same(size_t i, const struct answer *got, const struct answer *want)
{
	CHECK_ROW("node %zu after changes\n%s", i + 1, policy_text);
	CHECK_TRUE(view_eq(buf_view(&got->filter), buf_view(&want->filter)));
	CHECK_TRUE(view_eq(buf_view(&got->ssh), buf_view(&want->ssh)));
	CHECK_TRUE(view_eq(buf_view(&got->peers), buf_view(&want->peers)));
	CHECK_TRUE(view_eq(buf_view(&got->self), buf_view(&want->self)));
}

struct told {
	unsigned what[PLAIN_NODES];
};

static void note_told(void *ctx, int64_t node, unsigned what, int64_t peer)
{
	struct told *t = ctx;

	(void)peer;
	t->what[node - 1] |= what;
}

static void check_told(
	size_t i, const struct answer *before, const struct answer *after, unsigned what)
{
	if (!before->there || !after->there || what & POLICY_TOUCHED_ALL)
		return;
	CHECK_ROW("node %zu was told %x\n%s", i + 1, what, policy_text);
	if (!view_eq(buf_view(&before->filter), buf_view(&after->filter)))
		CHECK_TRUE(what & POLICY_TOUCHED_FILTER);
	if (!view_eq(buf_view(&before->ssh), buf_view(&after->ssh)))
		CHECK_TRUE(what & POLICY_TOUCHED_SSH);
	if (!view_eq(buf_view(&before->peers), buf_view(&after->peers)))
		CHECK_TRUE(what & POLICY_TOUCHED_PEER);
	if (!view_eq(buf_view(&before->self), buf_view(&after->self)))
		CHECK_TRUE(what & POLICY_TOUCHED_SELF);
}

static void random_change(struct plain_world *w, struct policy_directory *pw)
{
	size_t i = below(PLAIN_NODES), u = below(PLAIN_USERS);

	if (below(8) == 0) {
		w->roles[u] = w->roles[u] == POLICY_ADMIN ? POLICY_MEMBER : POLICY_ADMIN;
		put_user(pw, w, u);
	} else if (w->nodes[i].there && below(3) == 0) {
		w->nodes[i].there = false;
		CHECK_INT(policy_node_remove(pw, w->nodes[i].id), ==, 0);
	} else if (w->nodes[i].there && below(4) == 0) {
		w->nodes[i].os = PICK(systems);
		put_node(pw, &w->nodes[i]);
	} else {
		random_node(w, i);
		put_node(pw, &w->nodes[i]);
	}
}

static void one_step(struct plain_world *w, struct policy_directory *pw, struct answer *before)
{
	struct answer after[PLAIN_NODES] = { 0 }, want[PLAIN_NODES] = { 0 };
	struct policy_directory *fresh;
	struct policy_plan *p;
	struct told told = { 0 };

	random_change(w, pw);
	ask_all(w, policy_installed(pw), after);
	CHECK_INT(policy_drain(pw, note_told, &told), ==, 0);
	fresh = fresh_world(w);
	p = compile(fresh);
	copy_primaries(policy_installed(pw), p);
	ask_all(w, p, want);
	for (size_t i = 0; i < PLAIN_NODES; i++) {
		if (w->nodes[i].there)
			check_same(i, &after[i], &want[i]);
		check_told(i, &before[i], &after[i], told.what[i]);
		answer_fini(&before[i]);
		answer_fini(&want[i]);
		before[i] = after[i];
	}
	policy_directory_free(fresh);
}

static void changes_lead_where_compiling_afresh_does_and_are_told(void **state)
{
	(void)state;
	for (unsigned run = 0; run < runs(); run++) {
		struct answer before[PLAIN_NODES] = { 0 };
		struct plain_world w;
		struct policy_directory *pw;
		struct told told;

		seed_run(run);
		random_world(&w);
		make_policy();
		pw = fresh_world(&w);
		compile(pw);
		CHECK_INT(policy_drain(pw, note_told, &told), ==, 0);
		ask_all(&w, policy_installed(pw), before);
		for (int i = 0; i < STEPS; i++)
			one_step(&w, pw, before);
		for (size_t i = 0; i < PLAIN_NODES; i++)
			answer_fini(&before[i]);
		policy_directory_free(pw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_let_in_what_the_text_says),
		cmocka_unit_test(changes_lead_where_compiling_afresh_does_and_are_told),
	};
	int rc;

	buf_init(&out, TEXT_MAX);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	buf_fini(&out);
	return rc;
}

/* flows.c tells differences through this; none of its comparisons is used here. */
void differ(struct trial *t, const char *fmt, ...)
{
	(void)t;
	check_fail(__FILE__, __LINE__, "%s", fmt);
}

const char *str_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

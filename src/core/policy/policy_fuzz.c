/*
 * Any bytes as a policy: no crash; what is refused has a text that says why; what is accepted
 * compiles against a small network, and every answer about every node can be given and is JSON.
 * Then a change, and the same again.
 */
#include "core/policy/policy.h"
#include "proto/hujson/hujson.h"

static const char *const tags[] = { "tag:web", "tag:client", "tag:router" };

static void put_node(
	struct policy_directory *w, int64_t id, int64_t user, const char *tag, const char *route)
{
	struct policy_attr os = { "node:os", "linux" };
	struct policy_node n = { .id = id,
		.user = user,
		.tags = &tag,
		.n_tags = tag ? 1 : 0,
		.attrs = &os,
		.n_attrs = 1 };
	struct ipprefix r;

	n.ip4 = ipaddr_v4(100, 64, 0, (uint8_t)id);
	n.ip6 = (struct ipaddr){ 6, { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = (uint8_t)id } };
	if (route && ipprefix_parse(route, strlen(route), &r) == 0) {
		n.routes = &r;
		n.n_routes = 1;
	}
	CHECK(policy_node_put(w, &n) == 0);
}

static struct policy_directory *small_world(void)
{
	static const char *const logins[] = { "odin@example.com", "thor@example.org",
		"freya@example.com" };
	static const char *const domain = "example.com";
	struct policy_cfg cfg = { .domains = &domain, .n_domains = 1 };
	struct policy_directory *w;

	CHECK(policy_directory_new(&w, &cfg) == 0);
	for (int i = 0; i < 3; i++) {
		struct policy_user u = {
			.id = i + 1, .login = logins[i], .role = i ? POLICY_MEMBER : POLICY_OWNER
		};

		CHECK(policy_user_put(w, &u) == 0);
		put_node(w, 1 + i, i + 1, NULL, NULL);
		put_node(w, 4 + i, 0, tags[i], i == 2 ? "10.33.0.0/16" : NULL);
	}
	put_node(w, 7, 0, "tag:exit", "0.0.0.0/0");
	return w;
}

static void check_json(const struct buf *b)
{
	struct hujson *root;
	struct arena a;

	arena_init(&a, 64 << 20);
	CHECK(hujson_parse(buf_data(b), buf_len(b), &a, &root, NULL) == 0);
	arena_fini(&a);
}

static int no_more(void *ctx, int64_t peer)
{
	struct policy_allowed allowed;
	struct arena a;

	arena_init(&a, 1 << 16);
	CHECK(policy_allowed(ctx, 1, peer, &a, &allowed) == 0 || peer == 1);
	arena_fini(&a);
	return 0;
}

static void ask_everything(struct policy_plan *p)
{
	struct policy_node_cap *caps;
	struct policy_reach reach;
	struct arena a;
	size_t n;

	for (int64_t id = 1; id <= 8; id++) {
		struct buf b;

		buf_init(&b, POLICY_FILTER_MAX);
		arena_init(&a, 16 << 20);
		if (policy_filter(p, id, &b) == 0)
			check_json(&b);
		buf_clear(&b);
		if (policy_ssh(p, id, "https://unused/", &b) == 0)
			check_json(&b);
		CHECK(policy_peers(p, id, no_more, p) <= 0);
		CHECK(policy_node_caps(p, id, &a, &caps, &n) <= 0);
		CHECK(policy_peer_caps(p, 1, id, &a, &caps, &n) <= 0);
		policy_can_reach(p, ipaddr_v4(100, 64, 0, 1), ipaddr_v4(100, 64, 0, (uint8_t)id), 6,
			22, &reach);
		CHECK(policy_visible(p, 1, id) == policy_visible(p, id, 1));
		arena_fini(&a);
		buf_fini(&b);
	}
}

static void ignore_failure(void *ctx, const struct policy_failure *f)
{
	(void)ctx;
	CHECK(f->text[0]);
}

static void ignore_told(void *ctx, int64_t node, unsigned what, int64_t peer)
{
	(void)ctx;
	(void)peer;
	CHECK(node > 0 && what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct policy_directory *w;
	struct policy_plan *p;
	struct policy_doc *d;
	struct err_at at = { 0 };

	if (policy_doc_parse(&d, data, len, &at) < 0) {
		CHECK(at.text[0]);
		return 0;
	}
	w = small_world();
	at.text[0] = 0;
	if (policy_plan_new(&p, w, d, POLICY_NEW, &at) == 0) {
		policy_install(w, p);
		ask_everything(p);
		CHECK(policy_test(p, ignore_failure, NULL) >= 0);
		put_node(w, 8, 2, NULL, "192.168.1.0/24");
		CHECK(policy_node_remove(w, 6) == 0);
		put_node(w, 2, 1, NULL, "10.33.5.0/24");
		CHECK(policy_drain(w, ignore_told, NULL) == 0);
		ask_everything(p);
	} else {
		CHECK(at.text[0]);
	}
	policy_directory_free(w);
	return 0;
}

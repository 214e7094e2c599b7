/* The parts of maps, made once per revision and shared. */
#include "core/ctlserver/world.h"

#include <errno.h>
#include <zstd.h>

enum { PIECE_MAX = 1 << 22 };

struct piece *piece_of(const void *p, size_t n)
{
	size_t bound = ZSTD_compressBound(n), len;
	struct piece *q = malloc(sizeof(*q) + bound), *small;

	if (!q)
		return NULL;
	len = ZSTD_compress(q->b, bound, p, n, 1);
	if (ZSTD_isError(len)) {
		free(q);
		return NULL;
	}
	q->refs = 1;
	q->len = len;
	small = realloc(q, sizeof(*q) + len);
	return small ? small : q;
}

struct piece *piece_get(struct piece *p)
{
	p->refs++;
	return p;
}

struct piece *piece_put(struct piece *p)
{
	if (p && --p->refs == 0)
		free(p);
	return NULL;
}

static struct piece *piece_json(const struct json_type *t, const void *doc)
{
	struct piece *p = NULL;
	struct buf b;

	buf_init(&b, PIECE_MAX);
	if (json_encode(t, doc, &b) == 0)
		p = piece_of(buf_data(&b), buf_len(&b));
	buf_fini(&b);
	return p;
}

struct tc_user profile_of(struct ctl *c, int64_t user)
{
	struct user *u = user_by_id(c, user);

	if (!u)
		return (struct tc_user){ .id = TAGGED_USER, .login_name = "tagged-devices", .display_name = "Tagged Devices" };
	return (struct tc_user){ .id = u->doc.id, .login_name = u->doc.name,
		.display_name = u->doc.display_name && *u->doc.display_name ? u->doc.display_name : u->doc.name };
}

static bool is_online(const struct node *n)
{
	return !list_empty((struct list *)(uintptr_t)&n->polls);
}

/* What a device may do by itself: offer SSH, send files; and it does not update itself unasked. */
static int own_caps(struct arena *a, struct json_map *ret)
{
	static const struct view no = { .p = (const uint8_t *)"false", .len = 5 };
	static struct json_list none = { .present = true }, no_list = { .v = (void *)(uintptr_t)&no, .n = 1, .present = true };
	struct json_pair *v = arena_array(a, 3, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[0] = (struct json_pair){ .key = "https://tailscale.com/cap/file-sharing", .value = &none };
	v[1] = (struct json_pair){ .key = "https://tailscale.com/cap/ssh", .value = &none };
	v[2] = (struct json_pair){ .key = "default-auto-update", .value = &no_list };
	*ret = (struct json_map){ .v = v, .n = 3, .present = true };
	return 0;
}

/* What others may know of a device: enough for names, file drop and ssh; not its distribution or log id. */
static struct tc_hostinfo *hostinfo_for_peers(const struct node *n, struct arena *a)
{
	struct tc_hostinfo *h = arena_new(a, struct tc_hostinfo);
	const struct tc_hostinfo *own = n->doc.hostinfo;

	if (!h || !own)
		return h;
	h->os = own->os;
	h->hostname = own->hostname;
	h->services = own->services;
	h->ssh_host_keys = own->ssh_host_keys;
	h->location = own->location;
	return h;
}

int node_to_tc(struct ctl *c, struct node *n, bool self, struct arena *a, struct tc_node *ret)
{
	const struct ctl_node_doc *d = &n->doc;
	struct ipprefix *addr = arena_array(a, 2, sizeof(*addr));

	if (!addr)
		return -ENOMEM;
	addr[0] = ipprefix_single(d->ip4);
	addr[1] = ipprefix_single(d->ip6);
	*ret = (struct tc_node){ .id = d->id, .stable_id = arena_printf(a, "n%lld", (long long)d->id),
		.name = arena_printf(a, "%s.%s.", d->name, c->cfg.base_domain), .user = d->tags.n ? TAGGED_USER : d->user,
		.key = d->key, .key_expiry = d->key_expiry, .machine = d->machine, .disco_key = d->disco,
		.addresses = json_list_of(addr, 2), .allowed_ips = json_list_of(addr, 2), .endpoints = d->endpoints,
		.derp = arena_printf(a, "127.3.3.40:%lld", (long long)d->home_derp), .home_derp = d->home_derp,
		.created = d->created, .cap = d->cap, .tags = d->tags, .machine_authorized = true,
		.online = self || is_online(n) ? JSON_YES : JSON_NO };
	if (self && own_caps(a, &ret->cap_map) < 0)
		return -ENOMEM;
	ret->hostinfo = self && d->hostinfo ? d->hostinfo : hostinfo_for_peers(n, a);
	if (!self && ret->online == JSON_NO)
		ret->last_seen = d->last_seen;
	return ret->stable_id && ret->name && ret->derp && ret->hostinfo ? 0 : -ENOMEM;
}

struct piece *node_whole(struct ctl *c, struct node *n)
{
	struct tc_node doc;
	struct arena a;

	if (n->whole && n->whole_at == n->changed)
		return n->whole;
	arena_init(&a, PIECE_MAX);
	n->whole = piece_put(n->whole);
	if (node_to_tc(c, n, false, &a, &doc) == 0)
		n->whole = piece_json(&tc_node_type, &doc);
	n->whole_at = n->changed;
	arena_fini(&a);
	return n->whole;
}

/* Everything that a patch can tell, as it is now: a reader that missed several changes needs only the last patch. */
struct piece *node_patch(struct ctl *c, struct node *n)
{
	struct ctl_node_doc *d = &n->doc;
	struct tc_peer_change p = { .node_id = d->id, .derp_region = d->home_derp, .cap = d->cap, .endpoints = d->endpoints,
		.online = is_online(n) ? JSON_YES : JSON_NO };

	if (n->patch && n->patch_at == n->changed)
		return n->patch;
	if (p.online == JSON_NO)
		p.last_seen = d->last_seen;
	n->patch = piece_put(n->patch);
	n->patch = piece_json(&tc_peer_change_type, &p);
	n->patch_at = n->changed;
	return n->patch;
}

static int put_field(struct buf *b, const char *name, const struct json_type *t, const void *v)
{
	int rc = buf_printf(b, "\"%s\":", name);

	if (rc == 0)
		rc = json_encode(t, v, b);
	return rc < 0 ? rc : buf_append_str(b, ",");
}

static int put_profiles(struct ctl *c, struct buf *b, struct now now)
{
	char time[TIME_RFC3339_MAX];
	struct tc_user tagged = profile_of(c, 0);
	int rc = buf_append_str(b, "\"UserProfiles\":[");

	if (rc == 0)
		rc = json_encode(&tc_user_profile_type, &tagged, b);
	list_for_each(l, &c->users) {
		struct tc_user u = profile_of(c, container_of(l, struct user, link)->doc.id);

		if (rc == 0)
			rc = buf_append_str(b, ",");
		if (rc == 0)
			rc = json_encode(&tc_user_profile_type, &u, b);
	}
	time_format_rfc3339(now.wall, time);
	return rc < 0 ? rc : buf_printf(b, "],\"ControlTime\":\"%s\",", time);
}

static const struct tc_derp_map *derp_map_for(const struct ctl *c, const struct node *n)
{
	return n->doc.cap < CTL_CAP_CERT_PIN && c->cfg.derp_map_unpinned ? c->cfg.derp_map_unpinned : c->cfg.derp_map;
}

/* Everything of a first map but the peers; ends inside the list of peers. */
struct piece *first_head(struct ctl *c, struct node *self, struct now now)
{
	struct piece *p = NULL;
	struct tc_node node;
	struct arena a;
	struct buf b;
	int rc;

	arena_init(&a, PIECE_MAX);
	buf_init(&b, PIECE_MAX);
	rc = node_to_tc(c, self, true, &a, &node);
	if (rc == 0)
		rc = buf_append_str(&b, "{");
	if (rc == 0)
		rc = put_field(&b, "Node", &tc_node_type, &node);
	if (rc == 0 && c->cfg.derp_map)
		rc = put_field(&b, "DERPMap", &tc_derp_map_type, derp_map_for(c, self));
	if (rc == 0)
		rc = buf_printf(&b,
			"\"DNSConfig\":{\"Routes\":{\"%s.\":null},\"Domains\":[\"%s\"],\"Proxied\":true},"
			"\"SSHPolicy\":{\"rules\":[]},\"Domain\":\"%s\",\"CollectServices\":false,\"Debug\":{\"DisableLogTail\":true},"
			"\"PacketFilters\":{\"base\":[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\","
			"\"Ports\":{\"First\":0,\"Last\":65535}}]}]},",
			c->cfg.base_domain, c->cfg.base_domain, c->cfg.base_domain);
	if (rc == 0)
		rc = put_profiles(c, &b, now);
	if (rc == 0)
		rc = buf_append_str(&b, "\"Peers\":[");
	if (rc == 0)
		p = piece_of(buf_data(&b), buf_len(&b));
	buf_fini(&b);
	arena_fini(&a);
	return p;
}

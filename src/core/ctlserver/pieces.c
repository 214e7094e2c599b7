/* The parts of maps, made once per revision and shared. */
#include "core/ctlserver/world.h"

#include <errno.h>
#include <zstd.h>

enum { PIECE_MAX = 1 << 22, ZSTD_LEVEL = 1 };

struct piece *piece_raw(const void *p, size_t n)
{
	struct piece *q = malloc(sizeof(*q) + n);

	if (!q)
		return NULL;
	q->refs = 1;
	q->len = n;
	memcpy(q->b, p, n);
	return q;
}

struct piece *piece_of(struct ctl *c, const void *p, size_t n)
{
	size_t bound = ZSTD_compressBound(n), len;
	struct piece *q = malloc(sizeof(*q) + bound), *small;

	if (!q)
		return NULL;
	len = ZSTD_compressCCtx(c->zstd, q->b, bound, p, n, ZSTD_LEVEL);
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
	return n->doc.online == JSON_YES;
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

static int node_to_tc(struct ctl *c, struct node *n, bool self, struct arena *a, struct tc_node *ret)
{
	const struct ctl_node_doc *d = &n->doc;
	struct ipprefix *addr = arena_array(a, 2, sizeof(*addr));

	if (!addr)
		return -ENOMEM;
	addr[0] = ipprefix_single(d->ip4);
	addr[1] = ipprefix_single(d->ip6);
	*ret = (struct tc_node){ .id = d->id, .stable_id = arena_printf(a, "n%lld", (long long)d->id),
		.name = arena_printf(a, "%s.%s.", d->name, c->cfg.base_domain), .user = d->tags.n ? TAGGED_USER : d->user,
		.key = d->key, .key_expiry = d->key_expiry, .disco_key = d->disco,
		.addresses = json_list_of(addr, 2), .allowed_ips = json_list_of(addr, 2), .endpoints = d->endpoints,
		.home_derp = d->home_derp, .created = d->created, .cap = d->cap, .tags = d->tags,
		.online = self || is_online(n) ? JSON_YES : JSON_NO };
	if (d->home_derp) { /* clients before 1.80 know only the text */
		ret->derp = arena_printf(a, "127.3.3.40:%lld", (long long)d->home_derp);
		if (!ret->derp)
			return -ENOMEM;
	}
	if (self) { /* others have no use for it */
		ret->machine = d->machine;
		ret->machine_authorized = !d->unapproved;
		if (own_caps(a, &ret->cap_map) < 0)
			return -ENOMEM;
	}
	ret->hostinfo = self && d->hostinfo ? d->hostinfo : hostinfo_for_peers(n, a);
	if (!self && ret->online == JSON_NO)
		ret->last_seen = d->last_seen;
	return ret->stable_id && ret->name && ret->hostinfo ? 0 : -ENOMEM;
}

int put_node(struct ctl *c, struct node *n, bool self, struct arena *a, struct buf *out)
{
	struct tc_node doc;
	int rc = node_to_tc(c, n, self, a, &doc);

	return rc < 0 ? rc : json_encode(&tc_node_type, &doc, out);
}

/* Everything that a patch can tell, as it is now: a reader that missed several changes needs only the last patch. */
int put_patch(const struct node *n, struct buf *out)
{
	const struct ctl_node_doc *d = &n->doc;
	struct tc_peer_change p = { .node_id = d->id, .derp_region = d->home_derp, .cap = d->cap, .endpoints = d->endpoints,
		.online = is_online(n) ? JSON_YES : JSON_NO };

	if (p.online == JSON_NO)
		p.last_seen = d->last_seen;
	return json_encode(&tc_peer_change_type, &p, out);
}

struct piece *node_whole(struct ctl *c, struct node *n)
{
	struct arena a;
	struct buf b;

	if (n->whole && n->whole_at == n->changed)
		return n->whole;
	arena_init(&a, PIECE_MAX);
	buf_init(&b, PIECE_MAX);
	n->whole = piece_put(n->whole);
	if (put_node(c, n, false, &a, &b) == 0)
		n->whole = piece_of(c, buf_data(&b), buf_len(&b));
	n->whole_at = n->changed;
	buf_fini(&b);
	arena_fini(&a);
	return n->whole;
}

static int put_field(struct buf *b, const char *name, const struct json_type *t, const void *v)
{
	int rc = buf_printf(b, "\"%s\":", name);

	if (rc == 0)
		rc = json_encode(t, v, b);
	return rc < 0 ? rc : buf_append_str(b, ",");
}

/* All of them: there are few, and a device that joins may belong to one that the reader has not heard of. */
int put_profiles(struct ctl *c, struct buf *b)
{
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
	return rc < 0 ? rc : buf_append_str(b, "]");
}

/* Blocks */

int block_join(struct ctl *c, struct node *n)
{
	struct block *b = list_empty(&c->blocks) ? NULL : container_of(c->blocks.next, struct block, link);

	if (!b || b->n == BLOCK_NODES) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return -ENOMEM;
		list_init(&b->nodes);
		list_push_head(&c->blocks, &b->link);
	}
	n->block = b;
	list_push_tail(&b->nodes, &n->in_block);
	b->all = piece_put(b->all);
	if (++b->n == BLOCK_NODES) {
		list_remove(&b->link);
		list_push_tail(&c->blocks, &b->link);
	}
	return 0;
}

void block_leave(struct ctl *c, struct node *n)
{
	struct block *b = n->block;

	if (!b)
		return;
	list_remove(&n->in_block);
	list_remove(&b->link);
	b->all = piece_put(b->all);
	if (--b->n == 0)
		free(b);
	else
		list_push_head(&c->blocks, &b->link);
}

/* The devices of a block, with commas between: one frame. */
struct piece *block_whole(struct ctl *c, struct block *b)
{
	struct arena a;
	struct buf out;
	int rc = 0;

	if (b->all && b->at == b->changed)
		return b->all;
	b->all = piece_put(b->all);
	b->n_shown = 0;
	buf_init(&out, PIECE_MAX * (size_t)BLOCK_NODES);
	arena_init(&a, PIECE_MAX);
	list_for_each(l, &b->nodes) {
		struct node *n = container_of(l, struct node, in_block);

		if (n->doc.unapproved)
			continue;
		if (rc == 0 && buf_len(&out))
			rc = buf_append_str(&out, ",");
		if (rc == 0)
			rc = put_node(c, n, false, &a, &out);
		b->n_shown++;
		arena_reset(&a);
	}
	if (rc == 0)
		b->all = piece_of(c, buf_data(&out), buf_len(&out));
	b->at = b->changed;
	arena_fini(&a);
	buf_fini(&out);
	return b->all;
}

static const struct tc_derp_map *derp_map_for(const struct ctl *c, const struct node *n)
{
	return n->doc.cap < CTL_CAP_CERT_PIN && c->cfg.derp_map_unpinned ? c->cfg.derp_map_unpinned : c->cfg.derp_map;
}

/* Everything of a first map but the peers; ends inside the list of peers. */
struct piece *first_head(struct ctl *c, struct node *self, struct now now)
{
	char time[TIME_RFC3339_MAX];
	struct piece *p = NULL;
	struct arena a;
	struct buf b;
	int rc;

	arena_init(&a, PIECE_MAX);
	buf_init(&b, PIECE_MAX);
	rc = buf_append_str(&b, "{\"Node\":");
	if (rc == 0)
		rc = put_node(c, self, true, &a, &b);
	if (rc == 0)
		rc = buf_append_str(&b, ",");
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
		rc = put_profiles(c, &b);
	time_format_rfc3339(now.wall, time);
	if (rc == 0)
		rc = buf_printf(&b, ",\"ControlTime\":\"%s\",\"Peers\":[", time);
	if (rc == 0)
		p = piece_of(c, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	arena_fini(&a);
	return p;
}

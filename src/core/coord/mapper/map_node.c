/* How a device is told: whole or as a patch, to itself or to others; made once per revision and shared. */
#include "core/coord/mapper/internal.h"
#include "proto/tailcfg/clean.h"

#include <errno.h>

/* All names below its own are its own, too. Peers' names are looked up by the peers' entries, its own by itself. */
static const char subdomain_resolve[] = "dns-subdomain-resolve";

enum { PIECE_MAX = 1 << 22, READ_MEM_MAX = 16 << 20 };

static struct tc_user profile_of_user(const struct user *u)
{
	if (!u)
		return (struct tc_user){ .id = TAGGED_USER,
			.login_name = "tagged-devices",
			.display_name = "Tagged Devices" };
	return (struct tc_user){ .id = u->doc.id,
		.login_name = u->doc.name,
		.display_name = u->doc.display_name && *u->doc.display_name ? u->doc.display_name
									    : u->doc.name };
}

struct tc_user map_node_profile(const struct tailnet *c, int64_t user)
{
	return profile_of_user(user_by_id(c, user));
}

static bool is_online(const struct coord_node *n)
{
	return n->doc.online == JSON_YES;
}

/* values: a JSON array, or NULL for null. */
static int add_cap(struct json_map *m, struct arena *a, const char *name, const char *values)
{
	struct json_list *l = json_map_find(m, name);
	int rc;

	if (!l) {
		l = arena_new(a, struct json_list);
		rc = l ? json_map_add(m, a, name, l) : -ENOMEM;
		if (rc < 0)
			return rc;
	}
	return values ? json_decode(&json_raw_list, values, strlen(values), l, a, NULL) : 0;
}

static int add_role(
	struct tailnet *c, const struct coord_node *n, struct json_map *m, struct arena *a)
{
	const struct user *u = n->doc.tags.n ? NULL : user_by_id(c, n->doc.user);
	enum policy_role role;

	if (!u || policy_sync_role(u->doc.role, &role) < 0 || role < POLICY_ADMIN)
		return 0;
	return add_cap(m, a,
		role == POLICY_OWNER ? "https://tailscale.com/cap/is-owner"
				     : "https://tailscale.com/cap/is-admin",
		"[]");
}

/*
 * With its map on disk a device reaches its peers also when it is started while we are away. One that is to leave nothing behind
 * keeps none; for others the policy may say no.
 */
static int add_map_cache(const struct coord_node *n, struct json_map *m, struct arena *a)
{
	if (n->doc.cap < COORD_CAP_MAP_CACHE || n->doc.ephemeral ||
		json_map_find(m, "disable-cache-network-maps") ||
		json_map_find(m, "cache-network-maps"))
		return 0;
	return add_cap(m, a, "cache-network-maps", "[]");
}

/*
 * What a device may do by itself: offer SSH, send files; and it does not update itself unasked. Then what the policy's nodeAttrs
 * give it.
 */
static int self_caps(
	struct tailnet *c, const struct coord_node *n, struct arena *a, struct json_map *ret)
{
	struct policy_node_cap *caps;
	size_t n_caps = 0;
	int rc;

	*ret = (struct json_map){ .present = true };
	rc = add_cap(ret, a, "https://tailscale.com/cap/file-sharing", "[]");
	if (rc == 0)
		rc = add_cap(ret, a, "https://tailscale.com/cap/ssh", "[]");
	if (rc == 0)
		rc = add_cap(ret, a, "default-auto-update", "[false]");
	if (rc < 0 || coord_node_is_alone(n))
		return rc;
	rc = add_role(c, n, ret, a);
	if (rc == 0 && policy_node_exists(c->policy, n->doc.id))
		rc = policy_node_caps(policy_installed(c->policy), n->doc.id, a, &caps, &n_caps);
	for (size_t i = 0; i < n_caps && rc == 0; i++)
		rc = add_cap(ret, a, caps[i].name, caps[i].values);
	if (rc == 0 && n->subdomains && !json_map_find(ret, subdomain_resolve))
		rc = add_cap(ret, a, subdomain_resolve, "[]");
	return rc < 0 ? rc : add_map_cache(n, ret, a);
}

/* Drops what is not for all: the subnets that another router carries now. */
static void leave_out_standby(struct policy_allowed *al)
{
	size_t n = al->n_primary;

	for (size_t i = al->n_primary; i < al->n; i++)
		if (al->v[i].bits == 0)
			al->v[n++] = al->v[i];
	al->n = n;
}

/* Addresses, and what may be reached through the device. */
static int put_reach(struct tailnet *c, const struct coord_node *n, const struct coord_node *viewer,
	struct arena *a, struct tc_node *ret)
{
	struct policy_plan *plan = policy_installed(c->policy);
	bool plain = !n->n_use && !n->hides_ip4 && !(viewer && viewer->hides_ip4);
	struct policy_allowed al;
	int rc = 0;

	if (plain || !policy_node_exists(c->policy, n->doc.id)) {
		al = (struct policy_allowed){ .v = arena_array(a, 2, sizeof(*al.v)),
			.n = 2,
			.n_addresses = 2,
			.n_primary = 2 };
		if (!al.v)
			return -ENOMEM;
		al.v[0] = ipprefix_single(n->doc.ip4);
		al.v[1] = ipprefix_single(n->doc.ip6);
	} else if (viewer && viewer != n) {
		rc = policy_allowed(plan, viewer->doc.id, n->doc.id, a, &al);
	} else {
		rc = policy_self_allowed(plan, n->doc.id, a, &al);
	}
	if (rc < 0)
		return rc;
	if (!viewer)
		leave_out_standby(&al);
	ret->addresses = json_list_of(al.v, al.n_addresses);
	ret->allowed_ips = json_list_of(al.v, al.n);
	if (al.n_primary > al.n_addresses)
		ret->primary_routes =
			json_list_of(al.v + al.n_addresses, al.n_primary - al.n_addresses);
	/* Clients offer a choice of exit nodes among those that say so; those of Apple's systems offer none without. */
	if (viewer != n && n->n_use && policy_node_exists(c->policy, n->doc.id) &&
		policy_node_suggests_exit(plan, n->doc.id))
		rc = add_cap(&ret->cap_map, a, "suggest-exit-node", NULL);
	if (rc == 0 && viewer != n && n->subdomains)
		rc = add_cap(&ret->cap_map, a, subdomain_resolve, NULL);
	return rc;
}

/* What others need to know of a device; of one that is out, what it is called. */
static struct tc_hostinfo *hostinfo_for_peers(const struct coord_node *n, struct arena *a)
{
	struct tc_hostinfo *h = tc_hostinfo_for_peers(n->doc.hostinfo, a);

	if (h && n->expired)
		*h = (struct tc_hostinfo){ .os = h->os, .hostname = h->hostname };
	return h;
}

/* It has expired: nobody is to look for it, and clients do not even if their clock is wrong. */
static void mark_expired(struct tc_node *ret)
{
	ret->expired = true;
	ret->endpoints = (struct json_list){ 0 };
	ret->home_derp = 0;
	ret->online = JSON_NO;
}

static int coord_node_to_tc(struct tailnet *c, struct coord_node *n,
	const struct coord_node *viewer, struct arena *a, struct tc_node *ret)
{
	const struct coord_node_doc *d = &n->doc;
	bool self = viewer == n;

	*ret = (struct tc_node){ .id = d->id,
		.stable_id = arena_printf(a, "n%lld", (long long)d->id),
		.name = arena_printf(a, "%s.%s.", d->name, c->cfg.base_domain),
		.user = d->tags.n ? TAGGED_USER : d->user,
		.key = d->key,
		.key_expiry = d->key_expiry,
		.disco_key = d->disco,
		.endpoints = d->endpoints,
		.home_derp = d->home_derp,
		.created = d->created,
		.cap = d->cap,
		.tags = d->tags,
		.online = self || is_online(n) ? JSON_YES : JSON_NO };
	if (n->expired)
		mark_expired(ret);
	if (ret->home_derp &&
		ret->home_derp <= UINT16_MAX) { /* clients before 1.80 know only the text */
		ret->derp = arena_printf(a, "127.3.3.40:%lld", (long long)d->home_derp);
		if (!ret->derp)
			return -ENOMEM;
	}
	if (self) { /* others have no use for it */
		ret->machine = d->machine;
		ret->machine_authorized = !d->unapproved;
		ret->stable_tailnet_id =
			c->tailnet_id; /* every time: what it is not told of itself is gone */
		if (self_caps(c, n, a, &ret->cap_map) < 0)
			return -ENOMEM;
	}
	if (put_reach(c, n, viewer, a, ret) < 0)
		return -ENOMEM;
	ret->endpoints.present =
		true; /* [] is "it has none"; left out, a client keeps those that it knows */
	ret->hostinfo = self && d->hostinfo ? d->hostinfo : hostinfo_for_peers(n, a);
	if (!self)
		ret->last_seen =
			d->last_seen; /* also while it is online: Apple's clients call it never seen without */
	return ret->stable_id && ret->name && ret->hostinfo ? 0 : -ENOMEM;
}

/*
 * What is about to go out is read first, as the strictest of its readers will: one device's document must not cost the others their
 * map.
 */
static bool is_readable(struct view json)
{
	struct tc_node doc;
	struct arena a;
	int rc;

	arena_init(&a, READ_MEM_MAX);
	rc = json_decode(&tc_node_type, json.p, json.len, &doc, &a, NULL);
	arena_fini(&a);
	return rc != 0 ? rc == -ENOMEM : true;
}

/* What is the hub's own of a device: its name, key and addresses. */
static int put_bare(struct tailnet *c, const struct coord_node *n, struct arena *a, struct buf *out)
{
	const struct coord_node_doc *d = &n->doc;
	struct ipprefix own[] = { ipprefix_single(d->ip4), ipprefix_single(d->ip6) };
	struct tc_hostinfo none = { 0 };
	struct tc_node t = { .id = d->id,
		.stable_id = arena_printf(a, "n%lld", (long long)d->id),
		.name = arena_printf(a, "%s.%s.", d->name, c->cfg.base_domain),
		.user = d->tags.n ? TAGGED_USER : d->user,
		.key = d->key,
		.addresses = json_list_of(own, 2),
		.allowed_ips = json_list_of(own, 2),
		.hostinfo = &none };

	return t.stable_id && t.name ? json_encode(&tc_node_type, &t, out) : -ENOMEM;
}

/*
 * rc: of putting the document, which is in out from `from` on. Looked at once for each revision that is more than a patch: what
 * patches tell is numbers and addresses.
 */
static int check_readable(struct tailnet *c, struct coord_node *n, int rc, size_t from,
	struct arena *a, struct buf *out)
{
	if (rc == -ENOMEM || (rc == 0 && n->readable_at == n->changed_whole))
		return rc;
	if (rc == 0 && is_readable(view_of(buf_data(out) + from, buf_len(out) - from))) {
		n->readable_at = n->changed_whole;
		return 0;
	}
	c->stats.unreadable++;
	tailnet_tell_refusal(c,
		"what others are told of a device could not be read by them; they get its name, key and addresses",
		n->doc.name, err_text(rc < 0 ? rc : -ERR_BAD_FORMAT));
	buf_truncate(out, from);
	return put_bare(c, n, a, out);
}

int map_node_put(struct tailnet *c, struct coord_node *n, const struct coord_node *viewer,
	struct arena *a, struct buf *out)
{
	size_t from = buf_len(out);
	struct tc_node doc;
	int rc = coord_node_to_tc(c, n, viewer, a, &doc);

	if (rc == 0)
		rc = json_encode(&tc_node_type, &doc, out);
	return viewer == n ? rc : check_readable(c, n, rc, from, a, out);
}

/* Everything that a patch can tell, as it is now: a reader that missed several changes needs only the last patch. */
int map_node_put_patch(const struct coord_node *n, struct buf *out)
{
	const struct coord_node_doc *d = &n->doc;
	struct tc_peer_change p = { .node_id = d->id,
		.derp_region = d->home_derp,
		.cap = d->cap,
		.endpoints = d->endpoints,
		.online = is_online(n) ? JSON_YES : JSON_NO,
		.last_seen = d->last_seen };

	if (n->expired) {
		p.endpoints = (struct json_list){ 0 };
		p.derp_region = 0;
	}
	p.endpoints.present = true;
	return json_encode(&tc_peer_change_type, &p,
		out); /* clean_endpoints and the like have seen to it that this can be */
}

struct map_frame *map_node_whole(struct tailnet *c, struct coord_node *n)
{
	struct arena a;
	struct buf b;

	if (n->whole && n->whole_at == n->changed)
		return n->whole;
	arena_init(&a, PIECE_MAX);
	buf_init(&b, PIECE_MAX);
	n->whole = map_frame_put(n->whole);
	if (map_node_put(c, n, NULL, &a, &b) == 0)
		n->whole = map_frame_of(c, buf_data(&b), buf_len(&b));
	n->whole_at = n->changed;
	buf_fini(&b);
	arena_fini(&a);
	return n->whole;
}

struct map_frame *map_node_patch(struct tailnet *c, struct coord_node *n)
{
	struct buf b;

	if (n->patch && n->patch_at == n->changed)
		return n->patch;
	buf_init(&b, PIECE_MAX);
	n->patch = map_frame_put(n->patch);
	if (map_node_put_patch(n, &b) == 0)
		n->patch = map_frame_of(c, buf_data(&b), buf_len(&b));
	n->patch_at = n->changed;
	buf_fini(&b);
	return n->patch;
}

/* All of them: there are few, and a device that joins may belong to one that the reader has not heard of. */
int map_node_put_profiles(struct tailnet *c, struct buf *b)
{
	struct tc_user tagged = profile_of_user(NULL);
	int rc = buf_append_str(b, "\"UserProfiles\":[");

	if (rc == 0)
		rc = json_encode(&tc_user_profile_type, &tagged, b);
	list_for_each(l, &c->users) {
		struct tc_user u = profile_of_user(container_of(l, struct user, link));

		if (rc == 0)
			rc = buf_append_str(b, ",");
		if (rc == 0)
			rc = json_encode(&tc_user_profile_type, &u, b);
	}
	return rc < 0 ? rc : buf_append_str(b, "]");
}

/* The devices of a group, with commas between: one frame. */
struct map_frame *map_node_group(struct tailnet *c, struct peer_group *b)
{
	struct arena a;
	struct buf out;
	int rc = 0;

	if (b->all && b->at == b->changed)
		return b->all;
	b->all = map_frame_put(b->all);
	b->n_shown = 0;
	buf_init(&out, PIECE_MAX * (size_t)PEER_GROUP_NODES);
	arena_init(&a, PIECE_MAX);
	list_for_each(l, &b->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, in_group);

		if (coord_node_is_hidden(n))
			continue;
		if (rc == 0 && buf_len(&out))
			rc = buf_append_str(&out, ",");
		if (rc == 0)
			rc = map_node_put(c, n, NULL, &a, &out);
		b->n_shown++;
		arena_reset(&a);
	}
	if (rc == 0)
		b->all = map_frame_of(c, buf_data(&out), buf_len(&out));
	b->at = b->changed;
	arena_fini(&a);
	buf_fini(&out);
	return b->all;
}

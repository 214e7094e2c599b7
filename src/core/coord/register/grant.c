/*
 * What an approval gives, in lines for people; and a digest of them. Who approves hands the digest in, so that what was shown is
 * what is given: whatever has changed since, at the device, in the policy or by another admin, refuses it.
 */
#include "core/coord/register/internal.h"
#include "base/text/plain.h"
#include "base/text/text.h"

#include <errno.h>

enum { LINES_MAX = 1 << 20, WORD_MAX = 255 };

struct making {
	struct tailnet *c;
	struct arena *mem;
	struct coord_grant *to;
	int rc;
};

/* value NULL: there was no memory for it. One plain line, whatever a device says: it shall not look like two. */
static void put(struct making *m, const char *label, const char *value)
{
	struct coord_grant_line *line =
		m->rc == 0 && label && value ? json_list_add(&m->to->lines, m->mem, sizeof(*line))
					     : NULL;
	char *shown = line ? arena_strdup(m->mem, value) : NULL;

	if (shown)
		text_make_plain(shown, strlen(shown));
	if (line && shown)
		*line = (struct coord_grant_line){ label, *value ? shown : "-" };
	else
		m->rc = -ENOMEM;
}

static const char *joined(struct arena *mem, const struct json_list *words)
{
	const char *all = words->n ? "" : "none";

	for (size_t i = 0; i < words->n && all; i++)
		all = arena_printf(
			mem, "%s%s%s", all, i ? ", " : "", *JSON_AT(*words, const char *, i));
	return all;
}

static const char *text_of(const char *s)
{
	return s ? s : "";
}

static void put_system(struct making *m, const struct tc_hostinfo *h)
{
	static const struct tc_hostinfo nothing;

	h = h ? h : &nothing;
	put(m, "Calls itself", arena_printf(m->mem, "%.*s", WORD_MAX, text_of(h->hostname)));
	put(m, "System",
		arena_printf(m->mem, "%.*s%s%.*s", WORD_MAX, text_of(h->os),
			h->os_version ? " " : "", WORD_MAX, text_of(h->os_version)));
	put(m, "Client", arena_printf(m->mem, "%.*s", WORD_MAX, text_of(h->ipn_version)));
}

static void put_keys(
	struct making *m, const struct machine_pub *machine, const struct node_pub *key)
{
	char text[KEY_TEXT_MAX];

	put(m, "Machine key", arena_strdup(m->mem, key_format(KEY_MACHINE, machine->b, text)));
	put(m, "Node key", arena_strdup(m->mem, key_format(KEY_NODE, key->b, text)));
}

static void put_expiry(struct making *m, bool tagged)
{
	char life[TIME_WORDS_MAX];
	int64_t ms = tagged ? 0 : m->c->cfg.key_life_ms;

	if (ms)
		time_format_span(ms / 1000, life);
	put(m, "Key expires", ms ? arena_printf(m->mem, "after %s", life) : "never");
}

/* Routes that it offers; n: the device that it is or comes back as, or NULL. */
static void put_routes(struct making *m, const struct tc_hostinfo *h, const struct coord_node *n,
	int64_t user, const struct json_list *tags)
{
	size_t max = h ? MIN_OF(h->routable_ips.n, (size_t)COORD_ROUTES_MAX) : 0;
	bool exit = false;

	for (size_t i = 0; i < max && m->rc == 0; i++) {
		struct ipprefix x = ipprefix_masked(*JSON_AT(h->routable_ips, struct ipprefix, i));
		char text[IPPREFIX_TEXT_MAX];
		const char *how = n && routes_is_approved(n, x) ? "approved already"
				  : policy_route_would_be_approved(policy_installed(m->c->policy),
					    user, tags->v, tags->n, x)
					  ? "approved with it, by autoApprovers"
					  : "offered only: to be approved for itself";

		exit |= x.bits == 0;
		put(m,
			arena_printf(m->mem, "%s %s", x.bits ? "Route" : "Exit node,",
				ipprefix_format(x, text)),
			arena_printf(m->mem, "%s%s", how,
				routes_is_protected(m->c, x)
					? "; in a network of the organisation's own"
					: ""));
	}
	if (!max)
		put(m, "Routes", "none");
	if (!exit)
		put(m, "Exit node", "no");
}

static int finish(struct making *m)
{
	struct buf text;
	uint8_t sum[32];
	int rc = m->rc;

	buf_init(&text, LINES_MAX);
	for (size_t i = 0; i < m->to->lines.n && rc == 0; i++) {
		const struct coord_grant_line *l =
			JSON_AT(m->to->lines, struct coord_grant_line, i);

		rc = json_encode_str(&text, l->label,
			strlen(l->label)); /* quoted: no value looks like two lines */
		if (rc == 0)
			rc = json_encode_str(&text, l->value, strlen(l->value));
	}
	if (rc == 0) {
		m->c->cfg.hash(buf_data(&text), buf_len(&text), sum);
		hex_encode(sum, COORD_DIGEST_LEN, m->to->digest);
	}
	buf_fini(&text);
	return rc;
}

int grant_of_login(struct tailnet *c, const struct pending *p, int64_t user, struct now now,
	struct arena *mem, struct coord_grant *ret)
{
	const struct json_list *tags = wanted_tags(&p->req);
	const struct coord_node *n =
		relogin_node(c, &p->asker.machine, &p->req, user, tags->n > 0, now.wall);
	const struct user *u = user_by_id(c, user);
	struct making m = { .c = c, .mem = mem, .to = ret };
	char ip[IPADDR_TEXT_MAX];

	*ret = (struct coord_grant){ .lines.present = true };
	if (!u)
		return -ERR_BAD_VALUE;
	put(&m, "Device",
		n ? arena_printf(mem, "comes back as %s, number %lld, %s", n->doc.name,
			    (long long)n->doc.id, ipaddr_format(n->doc.ip4, ip))
		  : "a new one");
	put_system(&m, p->req.hostinfo);
	put(&m, "Owner",
		tags->n ? arena_printf(
				  mem, "nobody, for it has tags; %s answers for them", u->doc.name)
			: u->doc.name);
	put(&m, "Tags", joined(mem, tags));
	if (!tags_may_have(c, tags, user, n))
		put(&m, "Policy", "does not let this user give these tags: it cannot be let in so");
	put(&m, "Ephemeral",
		p->req.ephemeral ? "yes: it is deleted when it has been away for two minutes"
				 : "no");
	put_expiry(&m, tags->n > 0);
	put_routes(&m, p->req.hostinfo, n, user, tags);
	put_keys(&m, &p->asker.machine, &p->asker.key);
	return finish(&m);
}

int grant_of_node(
	struct tailnet *c, const struct coord_node *n, struct arena *mem, struct coord_grant *ret)
{
	const struct coord_node_doc *d = &n->doc;
	const struct user *u = d->tags.n ? NULL : user_by_id(c, d->user);
	struct making m = { .c = c, .mem = mem, .to = ret };
	char time[TIME_RFC3339_MAX], ip[IPADDR_TEXT_MAX];

	*ret = (struct coord_grant){ .lines.present = true };
	put(&m, "Device",
		arena_printf(mem, "%s, number %lld, %s", d->name, (long long)d->id,
			ipaddr_format(d->ip4, ip)));
	put_system(&m, d->hostinfo);
	put(&m, "Owner", u ? u->doc.name : "nobody");
	put(&m, "Tags", joined(mem, &d->tags));
	put(&m, "Ephemeral",
		d->ephemeral ? "yes: it is deleted when it has been away for two minutes" : "no");
	if (d->key_expiry)
		time_format_rfc3339(d->key_expiry, time);
	put(&m, "Key expires",
		d->key_expired  ? "it has, and stays out until it brings a fresh one"
		: d->key_expiry ? arena_strdup(mem, time)
				: "never");
	put_routes(&m, d->hostinfo, n, d->user, &d->tags);
	put_keys(&m, &d->machine, &d->key);
	return finish(&m);
}

int coord_pending_grant(struct tailnet *c, const char *code, int64_t user, struct now now,
	struct arena *mem, struct coord_grant *ret)
{
	const struct pending *p = pending_by_code(c, code);

	return p ? grant_of_login(c, p, user, now, mem, ret) : -ENOENT;
}

int coord_node_grant(struct tailnet *c, int64_t id, struct arena *mem, struct coord_grant *ret)
{
	const struct coord_node *n = coord_node_by_id(c, id);

	return n ? grant_of_node(c, n, mem, ret) : -ENOENT;
}

/* May one device, or all of a user or of a tag, reach another? */
#include "core/coord/internal.h"

#include <errno.h>

enum { SIDE_MAX = 256 }; /* devices of one side: more are not asked about one by one */

struct side {
	struct {
		struct ipaddr ip4, ip6; /* one of them for a bare address */
		const struct coord_node *node;
	} v[SIDE_MAX];
	size_t n;
};

static int add(struct side *s, const struct coord_node *n, const char *word, struct err_at *at)
{
	if (s->n == SIDE_MAX) {
		err_at_set(at, 0, 0, "\"%s\" means more than %d devices; name one of them", word,
			SIDE_MAX);
		return -ERR_TOO_MANY;
	}
	s->v[s->n].node = n;
	s->v[s->n].ip4 = n->doc.ip4;
	s->v[s->n++].ip6 = n->doc.ip6;
	return 0;
}

static bool has_tag(const struct coord_node *n, const char *tag)
{
	for (size_t i = 0; i < n->doc.tags.n; i++)
		if (!strcmp(*JSON_AT(n->doc.tags, const char *, i), tag))
			return true;
	return false;
}

/* All devices with the tag, or without any of the user. */
static int add_all(const struct tailnet *c, const char *word, const struct coord_user *u,
	struct side *s, struct err_at *at)
{
	int rc = 0;

	list_for_each(l, &c->nodes) {
		const struct coord_node *n = container_of(l, struct coord_node, link);
		bool meant = u ? !n->doc.tags.n && n->doc.user == u->id : has_tag(n, word);

		if (rc == 0 && meant && !coord_node_is_hidden(n))
			rc = add(s, n, word, at);
	}
	if (rc == 0 && !s->n) {
		err_at_set(at, 0, 0,
			u ? "%s has no device without tags: there is nothing to ask about"
			  : "no device has the tag %s: there is nothing to ask about",
			u ? u->name : word);
		return -ENOENT;
	}
	return rc;
}

/* An address; a device's name, with or without the domain; a tag; a user. */
static int take_side(const struct tailnet *c, const char *word, struct side *s, struct err_at *at)
{
	struct map_node *m = map_find(&c->nodes_by_name, word, strcspn(word, "."));
	const struct coord_user *u;
	struct ipaddr ip;

	s->n = 0;
	if (ipaddr_parse(word, strlen(word), &ip) == 0) {
		s->v[0].node = NULL;
		s->v[0].ip4 = ip.family == 4 ? ip : (struct ipaddr){ 0 };
		s->v[0].ip6 = ip.family == 6 ? ip : (struct ipaddr){ 0 };
		s->n = 1;
		return 0;
	}
	if (!strncmp(word, "tag:", 4))
		return add_all(c, word, NULL, s, at);
	if (m && !strchr(word, '@'))
		return add(s, container_of(m, struct coord_node, by_name), word, at);
	u = coord_user_find(c, word);
	if (u)
		return add_all(c, word, u, s, at);
	err_at_set(at, 0, 0,
		"\"%s\" is no address, no device's name and no user; a tag is written tag:NAME",
		word);
	return -ENOENT;
}

static void ask_pair(struct policy_plan *plan, const struct side *from, size_t i,
	const struct side *to, size_t k, int proto, uint16_t port, struct coord_reach *ret)
{
	bool v6 = !from->v[i].ip4.family || !to->v[k].ip4.family;
	struct policy_reach r = { 0 };

	policy_can_reach(plan, v6 ? from->v[i].ip6 : from->v[i].ip4,
		v6 ? to->v[k].ip6 : to->v[k].ip4, proto, port, &r);
	if (r.allowed && !ret->allowed++)
		ret->by = r;
	if (!r.allowed && ret->asked == ret->allowed && from->v[i].node && to->v[k].node) {
		ret->denied_src = from->v[i].node->doc.name;
		ret->denied_dst = to->v[k].node->doc.name;
	}
	ret->asked++;
}

int coord_policy_can_reach(struct tailnet *c, const struct view *text, const char *src,
	const char *dst, int proto, uint16_t port, struct coord_reach *ret, struct err_at *at)
{
	struct policy_plan *plan = policy_installed(c->policy);
	struct side *sides = calloc(2, sizeof(*sides)), *from = sides, *to = sides + 1;
	int rc = sides ? take_side(c, src, from, at) : -ENOMEM;

	*ret = (struct coord_reach){ 0 };
	if (rc == 0)
		rc = take_side(c, dst, to, at);
	if (rc == 0 && text)
		rc = compile_plan(c, *text, &plan, at);
	for (size_t i = 0; rc == 0 && i < from->n; i++)
		for (size_t k = 0; k < to->n; k++) /* a device reaches itself without asking */
			if (from->n * to->n == 1 || !from->v[i].node ||
				from->v[i].node != to->v[k].node)
				ask_pair(plan, from, i, to, k, proto, port, ret);
	if (rc == 0 && text)
		policy_plan_free(plan);
	free(sides);
	return rc;
}

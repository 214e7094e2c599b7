/* core/policy: the packet filter of one node, from the parts of its class and the shared texts of
 * the sources. */
#include "core/policy/plan.h"

#include <errno.h>

struct writer {
	struct policy_plan *p;
	const struct node_rec *n;
	struct buf own; /* what is of this node alone and not handed out yet */
	policy_part_fn fn;
	void *ctx;
	bool first;
};

static int flush(struct writer *w)
{
	int rc = buf_len(&w->own) ? w->fn(w->ctx, 0, buf_view(&w->own)) : 0;

	buf_clear(&w->own);
	return rc;
}

static int put_shared(struct writer *w, const struct sel *s)
{
	int rc;

	/* Short ones are not worth a part. */
	if (s->text_len < 256)
		return buf_append(&w->own, s->text, s->text_len);
	rc = flush(w);
	return rc < 0 ? rc : w->fn(w->ctx, s->text_id, view_of(s->text, s->text_len));
}

static int put_ports_at(struct writer *w, struct ipaddr ip, const struct ports *ports, bool *first)
{
	char text[IPADDR_TEXT_MAX];
	int rc = 0;

	if (!ip.family)
		return 0;
	ipaddr_format(ip, text);
	for (size_t i = 0; i < ports->n && rc == 0; i++) {
		rc = buf_printf(&w->own, "%s{\"IP\":\"%s\",\"Ports\":{\"First\":%u,\"Last\":%u}}",
			*first ? "" : ",", text, ports->v[i].first, ports->v[i].last);
		*first = false;
	}
	return rc;
}

static int put_dst_ports(struct writer *w, const struct class *c, const struct part *part)
{
	bool first = true;
	int rc = buf_append_str(&w->own, ",\"DstPorts\":[");

	for (;;) {
		if (rc == 0 && part->fixed) {
			rc = first ? 0 : buf_append_str(&w->own, ",");
			if (rc == 0)
				rc = buf_append_str(&w->own, part->fixed);
			first = false;
		}
		if (rc == 0)
			rc = put_ports_at(w, w->n->ip4, &part->own, &first);
		if (rc == 0)
			rc = put_ports_at(w, w->n->ip6, &part->own, &first);
		if (part->next == NONE)
			break;
		part = &c->parts[part->next];
	}
	return rc < 0 ? rc : buf_append_str(&w->own, "]");
}

static int put_own_dst(struct writer *w, struct ipaddr ip, bool wanted, bool *first)
{
	char text[IPADDR_TEXT_MAX];
	int rc;

	if (!wanted || !ip.family)
		return 0;
	rc = buf_printf(&w->own, "%s\"%s/%u\"", *first ? "" : ",", ipaddr_format(ip, text),
		ipaddr_bits(ip));
	*first = false;
	return rc;
}

static int put_cap_grants(struct writer *w, const struct class *c, const struct part *part)
{
	int rc = buf_append_str(&w->own, ",\"CapGrant\":[");

	for (bool first_grant = true; rc == 0; first_grant = false) {
		bool first = !part->fixed;

		rc = buf_printf(&w->own, "%s{\"Dsts\":[%s", first_grant ? "" : ",",
			part->fixed ? part->fixed : "");
		if (rc == 0)
			rc = put_own_dst(w, w->n->ip4, part->own4, &first);
		if (rc == 0)
			rc = put_own_dst(w, w->n->ip6, part->own6, &first);
		if (rc == 0)
			rc = buf_printf(
				&w->own, "],\"CapMap\":%s}", w->p->rules[part->rule].cap_map);
		if (part->next == NONE)
			break;
		part = &c->parts[part->next];
	}
	return rc < 0 ? rc : buf_append_str(&w->own, "]");
}

/* The sources of a rule for the devices of one person; nothing when this node's person has none. 1:
 * nothing. */
static int put_self_sources(struct writer *w, const struct class *c, const struct rule *r)
{
	struct ranges srcs = { 0 };
	int rc;

	if (!w->n->user || (r->reversed && !class_owns(c, r->src)))
		return 1;
	rc = self_sources(w->p, w->n->user, r->reversed ? NONE : r->src, &srcs);
	if (rc == 0)
		rc = srcs.n == 0 ? 1 : ranges_text(&srcs, &w->own);
	ranges_fini(&srcs);
	return rc;
}

static int put_rule_body(struct writer *w, const struct class *c, const struct part *part)
{
	const struct rule *r = &w->p->rules[part->rule];
	int rc;

	if (r->kind == RULE_CAP || r->kind == RULE_SELF_CAP)
		rc = put_cap_grants(w, c, part);
	else
		rc = put_dst_ports(w, c, part);
	if (rc == 0 && r->proto != PROTO_ANY)
		rc = buf_printf(&w->own, ",\"IPProto\":[%d]", r->proto);
	return rc < 0 ? rc : buf_append_str(&w->own, "}");
}

static int put_rule(struct writer *w, struct class *c, const struct part *part)
{
	const struct rule *r = &w->p->rules[part->rule];
	struct sel *src = w->p->sels[r->src];
	size_t before = buf_len(&w->own);
	bool self = r->dst == NONE;
	int rc = self ? 0 : sel_text(w->p, src);

	/* Nobody may send: no rule. A capability for nobody is still written, as the service does.
	 */
	if (rc == 0 && !self && src->text_empty && r->kind != RULE_CAP)
		return 0;
	if (rc == 0)
		rc = buf_printf(&w->own, "%s{\"SrcIPs\":", w->first ? "" : ",");
	if (rc == 0)
		rc = self ? put_self_sources(w, c, r) : put_shared(w, src);
	if (rc == 1) {
		buf_truncate(&w->own, before);
		return 0;
	}
	w->first = false;
	return rc < 0 ? rc : put_rule_body(w, c, part);
}

int policy_filter_parts(struct policy_plan *p, int64_t node, policy_part_fn fn, void *ctx)
{
	struct writer w = {
		.p = p, .n = world_node(p->world, node), .fn = fn, .ctx = ctx, .first = true
	};
	struct class *c = w.n ? plan_class(p, w.n) : NULL;
	int rc;

	if (!c)
		return -ENOENT;
	buf_init(&w.own, POLICY_FILTER_MAX);
	rc = class_parts(p, c);
	if (rc == 0)
		rc = buf_append_str(&w.own, "[");
	for (size_t i = 0; i < c->n_parts && rc == 0; i++)
		if (!c->parts[i].follows)
			rc = put_rule(&w, c, &c->parts[i]);
	if (rc == 0)
		rc = buf_append_str(&w.own, "]");
	if (rc == 0)
		rc = flush(&w);
	buf_fini(&w.own);
	return rc;
}

static int append(void *ctx, uint64_t id, struct view bytes)
{
	(void)id;
	return buf_append(ctx, bytes.p, bytes.len);
}

int policy_filter(struct policy_plan *p, int64_t node, struct buf *out)
{
	size_t before = buf_len(out);
	int rc = policy_filter_parts(p, node, append, out);

	if (rc < 0)
		buf_truncate(out, before);
	return rc;
}

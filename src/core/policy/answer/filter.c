/* core/policy/answer: the packet filter of one node, from the slices of its class and the shared texts of
 * the sources. */
#include "core/policy/answer/internal.h"

#include <errno.h>

struct writer {
	struct policy_plan *p;
	const struct node_rec *n;
	struct buf text; /* what is of this node alone and not handed out yet */
	policy_part_fn fn;
	void *ctx;
	bool first;
};

static int flush(struct writer *w)
{
	int rc = buf_len(&w->text) ? w->fn(w->ctx, 0, buf_view(&w->text)) : 0;

	buf_clear(&w->text);
	return rc;
}

static int put_shared(struct writer *w, const struct addr_set *s)
{
	int rc;

	/* Short ones are not worth a piece of its own. */
	if (s->text_len < 256)
		return buf_append(&w->text, s->text, s->text_len);
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
		rc = buf_printf(&w->text, "%s{\"IP\":\"%s\",\"Ports\":{\"First\":%u,\"Last\":%u}}",
			*first ? "" : ",", text, ports->v[i].first, ports->v[i].last);
		*first = false;
	}
	return rc;
}

static int put_dst_ports(
	struct writer *w, const struct node_class *c, const struct rule_slice *slice)
{
	bool first = true;
	int rc = buf_append_str(&w->text, ",\"DstPorts\":[");

	for (;;) {
		if (rc == 0 && slice->fixed) {
			rc = first ? 0 : buf_append_str(&w->text, ",");
			if (rc == 0)
				rc = buf_append_str(&w->text, slice->fixed);
			first = false;
		}
		if (rc == 0)
			rc = put_ports_at(w, w->n->ip4, &slice->self_ports, &first);
		if (rc == 0)
			rc = put_ports_at(w, w->n->ip6, &slice->self_ports, &first);
		if (slice->next == NONE)
			break;
		slice = &c->slices[slice->next];
	}
	return rc < 0 ? rc : buf_append_str(&w->text, "]");
}

static int put_self_dst(struct writer *w, struct ipaddr ip, bool wanted, bool *first)
{
	char text[IPADDR_TEXT_MAX];
	int rc;

	if (!wanted || !ip.family)
		return 0;
	rc = buf_printf(&w->text, "%s\"%s/%u\"", *first ? "" : ",", ipaddr_format(ip, text),
		ipaddr_bits(ip));
	*first = false;
	return rc;
}

static int put_cap_grants(
	struct writer *w, const struct node_class *c, const struct rule_slice *slice)
{
	int rc = buf_append_str(&w->text, ",\"CapGrant\":[");

	for (bool first_grant = true; rc == 0; first_grant = false) {
		bool first = !slice->fixed;

		rc = buf_printf(&w->text, "%s{\"Dsts\":[%s", first_grant ? "" : ",",
			slice->fixed ? slice->fixed : "");
		if (rc == 0)
			rc = put_self_dst(w, w->n->ip4, slice->self4, &first);
		if (rc == 0)
			rc = put_self_dst(w, w->n->ip6, slice->self6, &first);
		if (rc == 0)
			rc = buf_printf(
				&w->text, "],\"CapMap\":%s}", w->p->rules[slice->rule].cap_map);
		if (slice->next == NONE)
			break;
		slice = &c->slices[slice->next];
	}
	return rc < 0 ? rc : buf_append_str(&w->text, "]");
}

/* The sources of a rule for the devices of one person; nothing when this node's person has none. 1:
 * nothing. */
static int put_self_sources(struct writer *w, const struct node_class *c, const struct rule *r)
{
	struct ranges srcs = { 0 };
	int rc;

	if (!w->n->user || (r->reversed && !node_class_in_set(c, r->src)))
		return 1;
	rc = sources_of_self(w->p, w->n->user, r->reversed ? NONE : r->src, &srcs);
	if (rc == 0)
		rc = srcs.n == 0 ? 1 : sources_put_ranges(&srcs, &w->text);
	ranges_fini(&srcs);
	return rc;
}

static int put_rule_body(
	struct writer *w, const struct node_class *c, const struct rule_slice *slice)
{
	const struct rule *r = &w->p->rules[slice->rule];
	int rc;

	if (r->kind == RULE_CAP || r->kind == RULE_SELF_CAP)
		rc = put_cap_grants(w, c, slice);
	else
		rc = put_dst_ports(w, c, slice);
	if (rc == 0 && r->proto != PROTO_ANY)
		rc = buf_printf(&w->text, ",\"IPProto\":[%d]", r->proto);
	return rc < 0 ? rc : buf_append_str(&w->text, "}");
}

static int put_rule(struct writer *w, struct node_class *c, const struct rule_slice *slice)
{
	const struct rule *r = &w->p->rules[slice->rule];
	struct addr_set *src = w->p->sets[r->src];
	size_t before = buf_len(&w->text);
	bool self = r->dst == NONE;
	int rc = self ? 0 : addr_set_text(w->p, src);

	/* Nobody may send: no rule. A capability for nobody is still written, as the service does.
	 */
	if (rc == 0 && !self && src->text_empty && r->kind != RULE_CAP)
		return 0;
	if (rc == 0)
		rc = buf_printf(&w->text, "%s{\"SrcIPs\":", w->first ? "" : ",");
	if (rc == 0)
		rc = self ? put_self_sources(w, c, r) : put_shared(w, src);
	if (rc == 1) {
		buf_truncate(&w->text, before);
		return 0;
	}
	w->first = false;
	return rc < 0 ? rc : put_rule_body(w, c, slice);
}

int policy_filter_parts(struct policy_plan *p, int64_t node, policy_part_fn fn, void *ctx)
{
	struct writer w = {
		.p = p, .n = directory_node(p->directory, node), .fn = fn, .ctx = ctx, .first = true
	};
	struct node_class *c = w.n ? plan_class(p, w.n) : NULL;
	int rc;

	if (!c)
		return -ENOENT;
	buf_init(&w.text, POLICY_FILTER_MAX);
	rc = node_class_slices(p, c);
	if (rc == 0)
		rc = buf_append_str(&w.text, "[");
	for (size_t i = 0; i < c->n_slices && rc == 0; i++)
		if (!c->slices[i].follows)
			rc = put_rule(&w, c, &c->slices[i]);
	if (rc == 0)
		rc = buf_append_str(&w.text, "]");
	if (rc == 0)
		rc = flush(&w);
	buf_fini(&w.text);
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

/*
 * Connections that were turned down, ours by peers and peers' by us, for who asks why A does not reach B. Only while the hub gives
 * this device the attribute debug-conn-reject; without, there is nothing to see, and a refused packet costs one look at a flag.
 *
 * Of the sources that the original has, the timer of connections that get no answer is not there: the packet path keeps no flows
 * of the kind.
 */
#include "core/node/packets/packets.h"

static const char *const directions[] = {
	[NODE_REJECT_OUT] = "outgoing", [NODE_REJECT_IN] = "incoming"
};
static const char *const sources[] = {
	[NODE_REJECT_OUT] = "tsmp_recv", [NODE_REJECT_IN] = "tsmp_sent"
};

static const char *reason_name(uint8_t letter)
{
	switch (letter) {
	case TSMP_REASON_ACL:
		return "acl";
	case TSMP_REASON_SHIELDS:
		return "shields";
	case TSMP_REASON_IP_FORWARDING:
		return "host-ip-forwarding";
	case TSMP_REASON_HOST_FIREWALL:
		return "host-firewall";
	default:
		return "unknown";
	}
}

void node_rejects_enable(struct node *a, bool on)
{
	if (!on) {
		for (size_t i = 0; i < NODE_REJECT_DIRECTIONS; i++) {
			free(a->rejected[i].v);
			a->rejected[i] = (struct node_rejected){ 0 };
		}
	}
	a->rejects_on = on;
}

static struct ipaddr peer_address(enum node_reject_direction d, const struct node_rejection *r)
{
	return d == NODE_REJECT_OUT ? r->dst.ip : r->src.ip;
}

static bool is_same(enum node_reject_direction d, const struct node_rejection *x,
	const struct node_rejection *y)
{
	return x->proto == y->proto && ipaddr_eq(peer_address(d, x), peer_address(d, y)) &&
	       !strcmp(x->reason, y->reason);
}

/* The newest is last. One that was there already goes there, with the time of its first; of too many the oldest goes. */
static void keep(struct node_rejected *l, enum node_reject_direction d, struct node_rejection r)
{
	size_t i = 0;

	if (!l->v)
		l->v = calloc(NODE_REJECTED_MAX, sizeof(*l->v));
	if (!l->v)
		return;
	while (i < l->n && !is_same(d, &l->v[i], &r))
		i++;
	if (i < l->n) {
		r.first = l->v[i].first;
		r.count = l->v[i].count == UINT32_MAX ? UINT32_MAX : l->v[i].count + 1;
	} else if (l->n < NODE_REJECTED_MAX) {
		l->n++;
	} else {
		i = 0;
	}
	memmove(&l->v[i], &l->v[i + 1], (l->n - 1 - i) * sizeof(*l->v));
	l->v[l->n - 1] = r;
}

void node_rejects_note(struct node *a, enum node_reject_direction d, const uint8_t *pkt, size_t len)
{
	struct ip_pkt ip;
	struct tsmp t;

	if (!a->rejects_on)
		return;
	ip_decode(pkt, len, &ip);
	if (ip.proto != IP_PROTO_TSMP || tsmp_decode(&ip, &t) < 0 || t.type != TSMP_REJECT)
		return;
	/* It goes to who began, against the flow. */
	keep(&a->rejected[d], d,
		(struct node_rejection){ .first = a->now.wall,
			.last = a->now.wall,
			.count = 1,
			.proto = t.proto,
			.src = { ip_dst(&ip), t.sport },
			.dst = { ip_src(&ip), t.dport },
			.reason = reason_name(t.reason),
			.maybe_broken = d == NODE_REJECT_OUT && t.maybe_broken });
}

static int list(const struct node *a, enum node_reject_direction d, struct arena *mem,
	struct json_list *ret)
{
	const struct node_rejected *l = &a->rejected[d];
	struct ipn_reject *v = arena_array(mem, l->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		const struct node_rejection *r = &l->v[i];

		v[i] = (struct ipn_reject){ .first = r->first,
			.last = r->last,
			.count = r->count,
			.direction = directions[d],
			.proto = r->proto,
			.src = r->src,
			.dst = r->dst,
			.reason = r->reason,
			.source = sources[d],
			.maybe_broken = r->maybe_broken };
	}
	*ret = (struct json_list){ .v = v, .n = l->n, .present = true };
	return 0;
}

int node_rejects(const struct node *a, struct arena *mem, struct ipn_rejects *ret)
{
	int rc;

	*ret = (struct ipn_rejects){ .enabled = a->rejects_on };
	rc = list(a, NODE_REJECT_OUT, mem, &ret->outgoing);
	return rc < 0 ? rc : list(a, NODE_REJECT_IN, mem, &ret->incoming);
}

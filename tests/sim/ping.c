#include "tests/sim/simnet.h"

enum { MAGIC = 0x77726e70, PAYLOAD_LEN = 24 };
#define PING_TIMEOUT SEC(2)

struct pinger {
	struct simnet *w;
	struct sim_node *from, *to;
	mono_ns interval;
	struct vnet_event ev;
	uint32_t index;
	mono_ns *sent;               /* of each: when, negative once answered */
	uint32_t n_sent, cap, first; /* first: that counts */
	struct ping_result r;
};

static void send_one(struct pinger *p)
{
	uint8_t payload[PAYLOAD_LEN], pkt[128];
	struct ip_echo echo = { .id = (uint16_t)p->index,
		.seq = (uint16_t)p->n_sent,
		.payload = view_of(payload, sizeof(payload)) };
	int rc;

	if (p->n_sent == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->sent = realloc(p->sent, p->cap * sizeof(*p->sent));
		CHECK(p->sent);
	}
	store_be32(payload, MAGIC);
	store_be32(payload + 4, p->index);
	store_be32(payload + 8, p->n_sent);
	store_be32(payload + 12, (uint32_t)sim_node_number(p->from));
	store_be32(payload + 16, (uint32_t)sim_node_number(p->to));
	store_be32(payload + 20, ~p->n_sent);
	rc = ip_echo_encode(sim_node_addr(p->from), sim_node_addr(p->to), &echo, pkt, sizeof(pkt));
	CHECK(rc > 0);
	if (p->r.first_sent == MONO_NEVER)
		p->r.first_sent = simnet_now(p->w);
	p->sent[p->n_sent++] = simnet_now(p->w);
	sim_node_send(p->from, pkt, (size_t)rc);
}

/* What a device sends before it has heard of the other cannot arrive, and is no loss. */
static bool knows(const struct sim_node *from, const struct sim_node *to)
{
	return sim_node_is_up(from) && ipaddr_is_set(sim_node_addr(from)) &&
	       ipaddr_is_set(sim_node_addr(to)) &&
	       node_whois(sim_node_agent(from), sim_node_addr(to));
}

static void on_time(struct vnet_event *e)
{
	struct pinger *p = container_of(e, struct pinger, ev);

	vnet_at(p->w->v, &p->ev, simnet_now(p->w) + p->interval);
	if (knows(p->from, p->to))
		send_one(p);
}

struct pinger *pinger_start(
	struct simnet *w, struct sim_node *from, struct sim_node *to, mono_ns interval)
{
	struct pinger *p = calloc(1, sizeof(*p));

	CHECK(p && w->n_pingers < SIMNET_PINGERS_MAX);
	p->w = w;
	p->from = from;
	p->to = to;
	p->interval = interval;
	p->ev.fire = on_time;
	p->index = (uint32_t)w->n_pingers;
	w->pingers[w->n_pingers++] = p;
	pinger_reset(p);
	vnet_at(w->v, &p->ev, simnet_now(w));
	return p;
}

void pinger_stop(struct pinger *p)
{
	vnet_at(p->w->v, &p->ev, MONO_NEVER);
}

void pinger_reset(struct pinger *p)
{
	p->first = p->n_sent;
	p->r = (struct ping_result){
		.first_sent = MONO_NEVER, .first_answer = MONO_NEVER, .last_answer = MONO_NEVER
	};
}

void pinger_result(const struct pinger *p, struct ping_result *ret)
{
	*ret = p->r;
	ret->sent = p->n_sent - p->first;
	ret->lost = 0;
	for (uint32_t i = p->first; i < p->n_sent; i++)
		if (p->sent[i] > 0 && p->sent[i] + PING_TIMEOUT < simnet_now(p->w)) {
			ret->lost++;
			vnet_note(p->w->v, "ping %u of %s, sent at %.6f, was not answered", i,
				sim_node_name(p->from), (double)p->sent[i] / 1e9);
		}
}

unsigned pinger_index(const struct pinger *p)
{
	return p->index;
}

struct pair pinger_pair(const struct pinger *p)
{
	return (struct pair){ p->from, p->to };
}

void pinger_free(struct pinger *p)
{
	pinger_stop(p);
	free(p->sent);
	free(p);
}

bool pinger_answered(struct simnet *w, void *pinger)
{
	(void)w;
	return ((struct pinger *)pinger)->r.answered > 0;
}

static void on_answer(struct pinger *p, uint32_t seq)
{
	mono_ns now = simnet_now(p->w),
		since = p->r.last_answer == MONO_NEVER ? p->r.first_sent : p->r.last_answer;

	if (p->sent[seq] < 0 || seq < p->first)
		return; /* a repetition, or of before */
	p->r.last_rtt = now - p->sent[seq];
	p->sent[seq] = -1;
	p->r.answered++;
	p->r.gap_before_last = now - since;
	p->r.longest_gap = MAX_OF(p->r.longest_gap, p->r.gap_before_last);
	if (p->r.first_answer == MONO_NEVER)
		p->r.first_answer = now;
	p->r.last_answer = now;
}

/* Every packet that reaches a device: is it whole, from whom it says, for this device, and allowed? */
void pingers_on_inner(void *ctx, struct sim_node *at, const uint8_t *pkt, size_t len)
{
	struct simnet *w = ctx;
	struct ip_pkt ip;
	struct ip_echo echo;
	struct pinger *p;
	const uint8_t *b;
	struct sim_node *src, *meant;
	uint32_t seq;

	w->inner++;
	ip_decode(pkt, len, &ip);
	if (!ip.version || ip_echo_decode(&ip, &echo) < 0 || echo.payload.len != PAYLOAD_LEN ||
		load_be32(echo.payload.p) != MAGIC) {
		w->strange++;
		return;
	}
	b = echo.payload.p;
	seq = load_be32(b + 8);
	SIM_CHECK(w, load_be32(b + 4) < w->n_pingers && load_be32(b + 20) == ~seq,
		"a packet changed on its way to %s", sim_node_name(at));
	p = w->pingers[load_be32(b + 4)];
	SIM_CHECK(w, seq < p->n_sent, "a packet that nobody sent came to %s", sim_node_name(at));
	src = echo.reply ? p->to : p->from;
	meant = echo.reply ? p->from : p->to;
	SIM_CHECK(w, sim_node_had_addr(src, ip_src(&ip)) && sim_node_had_addr(at, ip_dst(&ip)),
		"%s got a packet of %s with addresses that they never had", sim_node_name(at),
		sim_node_name(src));
	/* An address that a device had may be another's now. */
	SIM_CHECK(w, at == meant || sim_node_had_addr(meant, ip_dst(&ip)),
		"%s got a packet of %s to another", sim_node_name(at), sim_node_name(src));
	SIM_CHECK(w, !w->allows || w->allows(w, src, at, echo.reply),
		"%s got a packet of %s, which is not allowed", sim_node_name(at),
		sim_node_name(src));
	if (echo.reply && at == meant)
		on_answer(p, seq);
}

/* Answers: of our own, and from a message of an upstream. */
#include "core/dns/internal.h"

enum { TTL_STALE = 30 }; /* RFC 8767, 4 */

void answer_begin(struct wcur *w, const struct ask *a, uint16_t flags)
{
	uint16_t kept = a->flags & (DNSMSG_OPCODE | DNSMSG_RD | DNSMSG_CD);

	if (a->flags & DNSMSG_RD)
		kept |= DNSMSG_RA;
	dnsmsg_put_header(w, a->id, (uint16_t)(DNSMSG_QR | kept | flags));
	if (a->q.name.len)
		dnsmsg_put_question(w, &a->q);
}

static void put_opt(struct wcur *w, const struct ask *a, uint8_t rcode_high)
{
	if (a->has_opt)
		dnsmsg_put_opt(w, DNS_UDP_SIZE, rcode_high, a->dnssec_ok);
}

size_t answer_end(struct wcur *w, const struct ask *a, uint8_t rcode_high, bool *cut)
{
	uint16_t flags;

	put_opt(w, a, rcode_high);
	*cut = w->bad || wcur_len(w) > a->limit;
	if (!*cut)
		return wcur_len(w);
	/* Nothing of it, rather than half a set of records: who sees TC asks over TCP. */
	flags = load_be16(w->start + 2);
	*w = wcur_over(w->start, ANSWER_MAX);
	dnsmsg_put_header(w, a->id, flags | DNSMSG_TC);
	if (a->q.name.len)
		dnsmsg_put_question(w, &a->q);
	put_opt(w, a, rcode_high);
	return wcur_len(w);
}

/* Times to live, counted down. */
static void make_older(uint8_t *msg, size_t len, size_t question_end, uint32_t age, bool stale)
{
	struct view v = view_of(msg, len);
	struct dnsmsg_header h;
	struct dnsmsg_record r;
	size_t index = 0;

	if (dnsmsg_header_read(v, &h) < 0)
		return;
	while (dnsmsg_next(v, &h, question_end, &index, &r) == 0)
		store_be32(msg + r.ttl_at, stale ? TTL_STALE : r.ttl > age ? r.ttl - age : 0);
}

size_t answer_from(
	struct wcur *w, const struct ask *a, struct view msg, uint32_t age, bool stale, bool *cut)
{
	uint16_t flags = load_be16(msg.p + 2), mine = DNSMSG_RD | DNSMSG_CD;
	size_t name_end = (size_t)DNSMSG_HEADER + a->q.name.len;

	wcur_copy(w, msg.p, msg.len);
	if (w->bad)
		return answer_end(w, a, 0, cut);
	store_be16(w->start, a->id);
	store_be16(w->start + 2, (uint16_t)((flags & ~mine) | (a->flags & mine)));
	/* The question has its letters; what points to it has, too. */
	if (load_be16(msg.p + 4) && msg.len >= name_end)
		memcpy(w->start + DNSMSG_HEADER, a->q.name.b, a->q.name.len);
	if (age || stale)
		make_older(w->start, msg.len, name_end + 4, age, stale);
	return answer_end(w, a, 0, cut);
}

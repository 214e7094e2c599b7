/* Writing. */
#include "proto/dnsmsg/dnsmsg.h"

enum { NAME_OF_QUESTION = 0xc000 | DNSMSG_HEADER };

static void count(struct wcur *w, int section)
{
	uint8_t *p = w->start + 4 + 2 * section;

	if (!w->bad)
		store_be16(p, (uint16_t)(load_be16(p) + 1));
}

void dnsmsg_put_header(struct wcur *w, uint16_t id, uint16_t flags)
{
	wcur_be16(w, id);
	wcur_be16(w, flags);
	wcur_zero(w, 2 * DNSMSG_SECTIONS);
}

void dnsmsg_put_name(struct wcur *w, const struct dnsmsg_name *n)
{
	wcur_copy(w, n->b, n->len);
}

void dnsmsg_put_question(struct wcur *w, const struct dnsmsg_question *q)
{
	dnsmsg_put_name(w, &q->name);
	wcur_be16(w, q->type);
	wcur_be16(w, q->class);
	count(w, DNSMSG_QUESTION);
}

uint8_t *dnsmsg_begin_record(
	struct wcur *w, int section, const struct dnsmsg_name *owner, uint16_t type, uint32_t ttl)
{
	if (owner)
		dnsmsg_put_name(w, owner);
	else
		wcur_be16(w, NAME_OF_QUESTION);
	wcur_be16(w, type);
	wcur_be16(w, DNSMSG_IN);
	wcur_be32(w, ttl);
	count(w, section);
	return wcur_take(w, 2);
}

void dnsmsg_end_record(struct wcur *w, uint8_t *at)
{
	if (!w->bad)
		store_be16(at, (uint16_t)(w->p - at - 2));
}

void dnsmsg_put_address(
	struct wcur *w, const struct dnsmsg_name *owner, struct ipaddr ip, uint32_t ttl)
{
	uint8_t *at = dnsmsg_begin_record(
		w, DNSMSG_ANSWER, owner, ip.family == 4 ? DNSMSG_A : DNSMSG_AAAA, ttl);

	wcur_copy(w, ip.b, ip.family == 4 ? 4 : 16);
	dnsmsg_end_record(w, at);
}

void dnsmsg_put_opt(struct wcur *w, uint16_t size, uint8_t rcode_high, bool dnssec_ok)
{
	wcur_u8(w, 0);
	wcur_be16(w, DNSMSG_OPT);
	wcur_be16(w, size);
	wcur_be32(w, (uint32_t)rcode_high << 24 | (dnssec_ok ? 0x8000u : 0));
	wcur_be16(w, 0);
	count(w, DNSMSG_ADDITIONAL);
}

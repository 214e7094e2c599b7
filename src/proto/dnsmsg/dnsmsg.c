/* Reading. */
#include "proto/dnsmsg/dnsmsg.h"

#include "base/err/err.h"
#include "base/text/text.h"

int dnsmsg_header_read(struct view msg, struct dnsmsg_header *ret)
{
	if (msg.len < DNSMSG_HEADER)
		return -ERR_TRUNCATED;
	ret->id = load_be16(msg.p);
	ret->flags = load_be16(msg.p + 2);
	for (int i = 0; i < DNSMSG_SECTIONS; i++)
		ret->n[i] = load_be16(msg.p + 4 + 2 * i);
	return 0;
}

/* One label at *at. 0: it was taken; 1: the root; negative: no label. A pointer moves *at, and is to lead before *limit. */
static int take_label(
	struct view msg, size_t *at, size_t *limit, size_t *end, struct dnsmsg_name *n)
{
	uint8_t len;

	if (*at >= msg.len)
		return -ERR_TRUNCATED;
	len = msg.p[*at];
	if ((len & 0xc0) == 0xc0) {
		size_t to;

		if (*at + 2 > msg.len)
			return -ERR_TRUNCATED;
		to = load_be16(msg.p + *at) & 0x3fff;
		if (!*end)
			*end = *at + 2;
		if (to >= *limit || to < DNSMSG_HEADER)
			return -ERR_BAD_FORMAT; /* backwards only, so that it ends */
		*at = *limit = to;
		return 0;
	}
	if (len > DNSMSG_LABEL_MAX || (size_t)n->len + 1 + len > DNSMSG_NAME_MAX)
		return -ERR_BAD_FORMAT;
	if (msg.len - *at < 1u + len)
		return -ERR_TRUNCATED;
	memcpy(n->b + n->len, msg.p + *at, 1u + len);
	n->len = (uint8_t)(n->len + 1 + len);
	*at += 1u + len;
	return len == 0;
}

int dnsmsg_name_read(struct view msg, size_t *pos, struct dnsmsg_name *ret)
{
	size_t at = *pos, limit = *pos, end = 0;
	int rc;

	ret->len = 0;
	do {
		rc = take_label(msg, &at, &limit, &end, ret);
	} while (rc == 0);
	if (rc < 0)
		return rc;
	*pos = end ? end : at;
	return 0;
}

static int read_question(struct view msg, size_t *pos, struct dnsmsg_question *q)
{
	int rc = dnsmsg_name_read(msg, pos, &q->name);

	if (rc < 0)
		return rc;
	if (msg.len - *pos < 4)
		return -ERR_TRUNCATED;
	q->type = load_be16(msg.p + *pos);
	q->class = load_be16(msg.p + *pos + 2);
	*pos += 4;
	return 0;
}

static int section_of(const struct dnsmsg_header *h, size_t index)
{
	for (int s = DNSMSG_ANSWER; s < DNSMSG_SECTIONS; s++) {
		if (index < h->n[s])
			return s;
		index -= h->n[s];
	}
	return DNSMSG_SECTIONS;
}

int dnsmsg_next(struct view msg, const struct dnsmsg_header *h, size_t question_end, size_t *index,
	struct dnsmsg_record *r)
{
	size_t pos = *index ? r->end : question_end;
	struct cur c;
	int rc;

	r->section = section_of(h, *index);
	if (r->section == DNSMSG_SECTIONS)
		return 1;
	r->at = pos;
	rc = dnsmsg_name_read(msg, &pos, &r->name);
	if (rc < 0)
		return rc;
	c = cur_over(msg.p + pos, msg.len - pos);
	r->type = cur_be16(&c);
	r->class = cur_be16(&c);
	r->ttl_at = pos + 4;
	r->ttl = cur_be32(&c);
	r->rdata_len = cur_be16(&c);
	r->rdata_at = pos + 10;
	cur_skip(&c, r->rdata_len);
	if (c.bad)
		return -ERR_TRUNCATED;
	r->end = r->rdata_at + r->rdata_len;
	++*index;
	return 0;
}

/* RFC 6891, 6.1.1: one at the most, at the root, in the last section. */
static int take_opt(struct view msg, const struct dnsmsg_record *r, struct dnsmsg_opt *o)
{
	if (o->at || r->name.len != 1 || r->section != DNSMSG_ADDITIONAL)
		return -ERR_BAD_FORMAT;
	o->at = r->at;
	o->end = r->end;
	o->size = r->class;
	o->rcode_high = (uint8_t)(r->ttl >> 24);
	o->version = (uint8_t)(r->ttl >> 16);
	o->dnssec_ok = r->ttl & 0x8000;
	o->options = view_of(msg.p + r->rdata_at, r->rdata_len);
	return 0;
}

int dnsmsg_read(struct view msg, struct dnsmsg *ret)
{
	size_t pos = DNSMSG_HEADER, index = 0;
	struct dnsmsg_question more;
	struct dnsmsg_record r;
	int rc;

	ret->bytes = msg;
	ret->q.name.len = 0;
	ret->opt = (struct dnsmsg_opt){ 0 };
	rc = dnsmsg_header_read(msg, &ret->h);
	for (unsigned i = 0; rc == 0 && i < ret->h.n[DNSMSG_QUESTION]; i++)
		rc = read_question(msg, &pos, i ? &more : &ret->q);
	if (rc < 0)
		return rc;
	ret->question_end = pos;
	r.end = pos;
	while ((rc = dnsmsg_next(msg, &ret->h, pos, &index, &r)) == 0) {
		if (r.type == DNSMSG_OPT)
			rc = take_opt(msg, &r, &ret->opt);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	ret->end = r.end;
	return 0;
}

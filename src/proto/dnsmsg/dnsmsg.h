/*
 * proto/dnsmsg: DNS messages. Names are kept as on the wire, without compression; whoever compares them lowers them first. Everything is
 * hostile: pointers only lead backwards, a name has 255 bytes at the most, records that are counted have to be there.
 *
 * Source: RFC 1035, 2308, 6891.
 */
#ifndef WARREN_PROTO_DNSMSG_DNSMSG_H
#define WARREN_PROTO_DNSMSG_DNSMSG_H

#include "base/netip/netip.h"

enum {
	DNSMSG_HEADER = 12,
	DNSMSG_NAME_MAX = 255, /* with the root's byte */
	DNSMSG_LABEL_MAX = 63,
	DNSMSG_UDP_MAX = 512,   /* over UDP, when the other side does not say more */
	DNSMSG_OPT_LEN = 11,    /* of an OPT record without options */
	DNSMSG_TEXT_MAX = 1024, /* a name as text with every byte escaped, and NUL */
	DNSMSG_NAME_LABELS_MAX = 127,
};

/* Of the second 16 bits. */
enum {
	DNSMSG_QR = 0x8000,
	DNSMSG_OPCODE = 0x7800,
	DNSMSG_AA = 0x0400,
	DNSMSG_TC = 0x0200,
	DNSMSG_RD = 0x0100,
	DNSMSG_RA = 0x0080,
	DNSMSG_AD = 0x0020,
	DNSMSG_CD = 0x0010,
	DNSMSG_RCODE = 0x000f,
};

enum {
	DNSMSG_NOERROR = 0,
	DNSMSG_FORMERR = 1,
	DNSMSG_SERVFAIL = 2,
	DNSMSG_NXDOMAIN = 3,
	DNSMSG_NOTIMP = 4,
	DNSMSG_REFUSED = 5,
	DNSMSG_BADVERS = 16, /* its high bits are in the OPT */
};

enum {
	DNSMSG_A = 1,
	DNSMSG_NS = 2,
	DNSMSG_CNAME = 5,
	DNSMSG_SOA = 6,
	DNSMSG_PTR = 12,
	DNSMSG_HINFO = 13,
	DNSMSG_MX = 15,
	DNSMSG_TXT = 16,
	DNSMSG_AAAA = 28,
	DNSMSG_SRV = 33,
	DNSMSG_OPT = 41,
	DNSMSG_IXFR = 251,
	DNSMSG_AXFR = 252,
	DNSMSG_ANY = 255,

	DNSMSG_IN = 1,
	DNSMSG_CLASS_ANY = 255,
};

enum { DNSMSG_QUESTION, DNSMSG_ANSWER, DNSMSG_AUTHORITY, DNSMSG_ADDITIONAL, DNSMSG_SECTIONS };

struct dnsmsg_header {
	uint16_t id, flags;
	uint16_t n[DNSMSG_SECTIONS];
};

/* Labels with their lengths, the root's zero last. len 0: none. */
struct dnsmsg_name {
	uint8_t len;
	uint8_t b[DNSMSG_NAME_MAX];
};

struct dnsmsg_question {
	struct dnsmsg_name name;
	uint16_t type, class;
};

struct dnsmsg_opt {
	size_t at, end; /* of the record in the message; at 0: there is none */
	uint16_t size;
	uint8_t rcode_high, version;
	bool dnssec_ok;
	struct view options;
};

/* A message as a whole. */
struct dnsmsg {
	struct view bytes;
	struct dnsmsg_header h;
	struct dnsmsg_question q; /* the first question; name.len 0: there is none */
	size_t question_end;      /* offset behind it */
	struct dnsmsg_opt opt;
	size_t end; /* behind the last record; more bytes may follow */
};

/* One record. Offsets are in the message. */
struct dnsmsg_record {
	struct dnsmsg_name name;
	int section;
	uint16_t type, class;
	uint32_t ttl;
	size_t at, ttl_at, rdata_at, rdata_len, end;
};

/* -ERR_TRUNCATED. */
MUST_USE int dnsmsg_header_read(struct view msg, struct dnsmsg_header *ret);
/* Reads the whole message. -ERR_TRUNCATED, -ERR_BAD_FORMAT (also: two OPT records). */
MUST_USE int dnsmsg_read(struct view msg, struct dnsmsg *ret);

/* Walks over the records of a message: start with a record that is all zero. 0, 1 at the end, -ERR_TRUNCATED, -ERR_BAD_FORMAT. */
MUST_USE int dnsmsg_next(struct view msg, const struct dnsmsg_header *h, size_t question_end,
	size_t *index, struct dnsmsg_record *r);

/* The name at *pos, with what its pointers lead to; *pos moves behind it. -ERR_TRUNCATED, -ERR_BAD_FORMAT. */
MUST_USE int dnsmsg_name_read(struct view msg, size_t *pos, struct dnsmsg_name *ret);

/* "a.example", "a.example.", "." or ""; \. and \DDD as in zone files. -ERR_BAD_FORMAT. */
MUST_USE int dnsmsg_name_parse(const char *s, size_t len, struct dnsmsg_name *ret);
/* With dots between and one at the end, odd bytes as \DDD. out: DNSMSG_TEXT_MAX; returns out. */
char *dnsmsg_name_format(const struct dnsmsg_name *n, char *out);
void dnsmsg_name_lower(struct dnsmsg_name *n);
/* ASCII letters count as the same in both cases. */
bool dnsmsg_name_eq(const struct dnsmsg_name *a, const struct dnsmsg_name *b);
/* Is it that suffix, or below it? Both in lower case. A suffix that is none has nothing below it. */
bool dnsmsg_name_is_below(const struct dnsmsg_name *n, const struct dnsmsg_name *suffix);
/* Labels but the root. */
size_t dnsmsg_name_labels(const struct dnsmsg_name *n);
/* a, and below it b: false when that is too long. */
bool dnsmsg_name_join(
	const struct dnsmsg_name *a, const struct dnsmsg_name *below, struct dnsmsg_name *ret);

/* ---- Writing. The cursor is bounded; look at its `bad` at the end. ---- */

void dnsmsg_put_header(struct wcur *w, uint16_t id, uint16_t flags);
void dnsmsg_put_name(struct wcur *w, const struct dnsmsg_name *n);
void dnsmsg_put_question(struct wcur *w, const struct dnsmsg_question *q); /* counts it */
/*
 * A record up to its data; returns where its length is, for dnsmsg_end_record. owner NULL: the name of the question, by a pointer.
 */
uint8_t *dnsmsg_begin_record(
	struct wcur *w, int section, const struct dnsmsg_name *owner, uint16_t type, uint32_t ttl);
void dnsmsg_end_record(struct wcur *w, uint8_t *at);
void dnsmsg_put_address(
	struct wcur *w, const struct dnsmsg_name *owner, struct ipaddr ip, uint32_t ttl);
/* rcode_high: bits 4 to 11. */
void dnsmsg_put_opt(struct wcur *w, uint16_t size, uint8_t rcode_high, bool dnssec_ok);

#endif

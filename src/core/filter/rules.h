/* core/filter/rules: the rules as read, and the tables that are made of them. Not for others. */
#ifndef WARREN_CORE_FILTER_RULES_H
#define WARREN_CORE_FILTER_RULES_H

#include "core/filter/filter.h"
#include "core/filter/sweep.h"

enum { V4, V6, N_FAMILIES };

static inline int family_of(struct ipaddr a)
{
	return a.family == 6 ? V6 : V4;
}

struct protos {
	uint64_t bits[4];
};

static inline void protos_add(struct protos *p, uint8_t proto)
{
	p->bits[proto / 64] |= (uint64_t)1 << proto % 64;
}

static inline bool protos_have(const struct protos *p, uint8_t proto)
{
	return p->bits[proto / 64] >> proto % 64 & 1;
}

struct ports {
	uint16_t first, last; /* first > last: none */
};

/* Protocols whose ports rules look at. */
enum { WITH_TCP, WITH_UDP, WITH_SCTP, N_WITH_PORTS };

/* One destination of one rule. */
struct dst {
	struct span span;
	struct ports ports;
	uint32_t rule;
};

/* One rule as read. Sources are merged; those by capability count for less (see verdict.c). */
struct rule {
	struct spans src[N_FAMILIES], cap_src[N_FAMILIES];
	struct protos protos;
};

/* What a rule grants. Sources by capability hold nothing. */
struct grant {
	uint32_t rule;
	struct json_list caps; /* struct tc_cap_grant, in the arena */
};

/* The addresses of who holds a capability. */
struct cap_name {
	const char *name; /* of the configuration being read */
	struct spans src[N_FAMILIES];
};

/* What one set of sources may do at one destination. */
struct perm {
	uint32_t ports[N_WITH_PORTS], n_ports[N_WITH_PORTS]; /* in table.ports: sorted, apart */
	struct protos other;                                 /* allowed with any ports */
	bool any; /* some rule names source and destination; enough for a ping */
};

/* Destinations over which the same rules lie. */
struct class
{
	struct pieces src;   /* perm by source; empty when the rules are scanned */
	uint32_t dst, n_dst; /* scan: in table.scan, numbers into rules->dst[family] */
	bool scan;
};

enum { CLASS_NOT_LOCAL = UINT32_MAX };

/* All for one family. */
struct table {
	struct pieces dst; /* class, or CLASS_NOT_LOCAL */
	struct class *classes;
	struct perm *perms; /* 0: nothing */
	struct ports *ports;
	uint32_t *scan;
	size_t n_classes, max_classes, n_perms, max_perms, n_ports, max_ports, n_scan, max_scan;
	struct spans
		cap_src; /* sources of all rules by capability: they may ping whatever is local */
};

struct filter_rules {
	struct rule *rules;
	size_t n_rules, max_rules;
	struct dst *dst[N_FAMILIES]; /* in order of their rules */
	size_t n_dst[N_FAMILIES], max_dst[N_FAMILIES];
	struct grant *grants;
	size_t n_grants, max_grants;
	struct cap_name *caps; /* while reading */
	size_t n_caps, max_caps;
	struct spans local[N_FAMILIES];
	struct table table[N_FAMILIES];
	struct arena arena; /* of the grants */
	size_t n_ranges, n_cells, n_bad, n_scanned;
	bool shields_up, uses_caps, refused;
};

/*
 * "*", address, prefix, range. "*" gives both families. Returns how many spans were written (1 or
 * 2; family and span of each), or -ERR_BAD_FORMAT.
 */
MUST_USE int filter_parse_ips(const char *s, struct span ret[static 2], int ret_family[static 2]);
/* Reads the lists of cfg into r. */
MUST_USE int filter_rules_read(struct filter_rules *r, const struct filter_cfg *cfg);
/* Makes the tables of rules that were read. */
MUST_USE int filter_rules_compile(struct filter_rules *r);
void table_fini(struct table *t);

/* Is the destination one of ours? Then ret is its class. */
static inline bool table_local(const struct table *t, struct akey dst, uint32_t *ret)
{
	*ret = t->dst.n ? pieces_find(&t->dst, dst) : CLASS_NOT_LOCAL;
	return *ret != CLASS_NOT_LOCAL;
}

/* The three questions that rules answer; class is that of dst. */
bool filter_rules_ports(const struct filter_rules *r, int family, uint32_t class, struct akey src,
	struct akey dst, uint8_t proto, uint16_t port);
bool filter_rules_ping(
	const struct filter_rules *r, int family, uint32_t class, struct akey src, struct akey dst);
bool filter_rules_other(const struct filter_rules *r, int family, uint32_t class, struct akey src,
	struct akey dst, uint8_t proto);

#endif

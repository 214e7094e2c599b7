/*
 * base/ledger: who holds how much of this process's memory, and how many of its connections. Whatever a remote party can fill is
 * charged to a holder: a connection, a login that waits. A holder belongs to an account: strangers have one a source (an IPv4
 * address, a /64 of IPv6, under the networks around them), members one each. Strangers share a small fixed part, members another.
 *
 * An account may use what is free. When a share is used up, the largest goes first: of the networks the one that holds most, in it
 * the address that holds most, of that the largest holder, of equal ones the oldest. So an address can only push out itself, a
 * network of many addresses only itself, and a single connection from elsewhere is always served.
 *
 * A holder of NULL, or one that has not entered, is allowed everywhere and charges nothing.
 */
#ifndef WARREN_BASE_LEDGER_LEDGER_H
#define WARREN_BASE_LEDGER_LEDGER_H

#include "base/heap/heap.h"
#include "base/netip/netip.h"

struct ledger;
struct ledger_account;

enum {
	LEDGER_ID_LEN = 32, /* of a member: its key */
	LEDGER_ENTRY_BYTES =
		1536, /* charged for a holder as such: itself, its stream, accounts, places in tables */
};

enum ledger_kind {
	LEDGER_CONN,  /* a connection: takes a descriptor */
	LEDGER_LOGIN, /* a login that waits: memory only */
};

struct ledger_part {
	size_t bytes, conns; /* both at the most */
};

struct ledger_cfg {
	struct ledger_part strangers, members;
	/*
	 * Bytes and connections of those that were pushed out and have not closed yet. With more than that nobody is pushed out, and
	 * who wants more is refused. 0: a quarter of the strangers' part.
	 */
	struct ledger_part leaving;
	uint8_t seed[16]; /* of the table of accounts: random */
};

struct ledger_share {
	struct ledger_part now, max;
	uint64_t evicted,
		refused; /* holders that were pushed out; charges and entries that were refused */
	uint64_t waited; /* costly work that had to wait a turn */
};

struct ledger_stats {
	struct ledger_share strangers, members;
	struct ledger_part leaving, leaving_max;
	size_t accounts;
};

/* Embedded by its owner, who zeroes it. All fields are the ledger's. */
struct ledger_holder {
	struct ledger *ledger;             /* NULL: not entered */
	struct ledger_account *account;    /* NULL: pushed out, leaving */
	struct heap_node by_bytes, by_age; /* in the account's; the latter for connections only */
	size_t bytes;
	uint64_t number; /* in the order of entering */
	bool is_conn;
	void (*evict)(struct ledger_holder *h);
};

MUST_USE int ledger_new(struct ledger **ret, const struct ledger_cfg *cfg);
/* All holders have left. */
struct ledger *ledger_free(struct ledger *l);
const struct ledger_stats *ledger_stats(const struct ledger *l);
/* The most bytes that all held together since the last call. */
size_t ledger_take_peak(struct ledger *l);
/* So many were pushed out and have not closed that accepting more has to wait for them. False for NULL. */
bool ledger_is_settling(const struct ledger *l);

/*
 * As a stranger from this address. evict: it is pushed out. Its owner lets go of all soon (it may be called in the middle of any
 * charge, so not from there) and leaves. -ERR_TOO_MANY, -ENOMEM: it has not entered. l may be NULL.
 */
MUST_USE int ledger_enter(struct ledger *l, struct ledger_holder *h, struct ipaddr from,
	enum ledger_kind kind, void (*evict)(struct ledger_holder *h));
/* A trusted proxy named the real source: it is a stranger from there, whatever it was. May push it out. */
void ledger_set_source(struct ledger_holder *h, struct ipaddr from);
/*
 * It proved to be this member, and leaves the strangers' share. A member is an account of its own: it can only push out itself.
 * May push it out.
 */
void ledger_set_member(struct ledger_holder *h, const uint8_t id[static LEDGER_ID_LEN]);
/* -ERR_NO_ROOM: nothing is charged; fail what needs it. */
MUST_USE int ledger_charge(struct ledger_holder *h, size_t bytes);
/*
 * May work be done for it that costs the processor much (a handshake)? All of one network (a /24, a /48) may have so much of it in one
 * turn of the loop, counted by its number; later otherwise. True for NULL, and for members.
 */
bool ledger_may_work(struct ledger_holder *h, uint64_t turn, unsigned max);
/* Of those that may not, so many of its network asked before it in this turn, itself counted. */
unsigned ledger_ahead(const struct ledger_holder *h, unsigned max);
void ledger_refund(struct ledger_holder *h, size_t bytes);
/* With all that it still holds. Harmless twice. */
void ledger_leave(struct ledger_holder *h);

static inline size_t ledger_bytes(const struct ledger_holder *h)
{
	return h->bytes;
}

/* A user of this machine has an account of his own as a member. */
void ledger_set_local(struct ledger_holder *h, uint32_t uid);

#endif

/*
 * core/wg/allowedips: cryptokey routing. A binary trie with skipped bits, one per family: the longest prefix that
 * contains an address names the peer. A prefix belongs to one peer; setting it again moves it.
 */
#ifndef WARREN_CORE_WG_ALLOWEDIPS_H
#define WARREN_CORE_WG_ALLOWEDIPS_H

#include "base/list/list.h"
#include "base/netip/netip.h"

struct allowedips_node;

/* Lives in the peer. Knows the peer's prefixes, so that taking them away costs what they are, not what the table is. */
struct allowedips_owner {
	struct list nodes;
};

struct allowedips {
	struct allowedips_node *root4, *root6;
	size_t n;
};

void wg_allowedips_owner_init(struct allowedips_owner *o);
/* 0, -ENOMEM. Host bits of the prefix are ignored. */
MUST_USE int wg_allowedips_set(struct allowedips *t, struct ipprefix p, struct allowedips_owner *o);
/* Takes away the prefix if it belongs to the peer. */
void wg_allowedips_remove(
	struct allowedips *t, struct ipprefix p, const struct allowedips_owner *o);
void wg_allowedips_remove_all(struct allowedips *t, struct allowedips_owner *o);
/* NULL: nobody. addr has 4 or 16 bytes. */
struct allowedips_owner *wg_allowedips_find4(
	const struct allowedips *t, const uint8_t addr[static 4]);
struct allowedips_owner *wg_allowedips_find6(
	const struct allowedips *t, const uint8_t addr[static 16]);
/* The peer of the inner packet's source or destination; NULL for anything that is not IP. */
struct allowedips_owner *wg_allowedips_find_src(
	const struct allowedips *t, const uint8_t *pkt, size_t len);
struct allowedips_owner *wg_allowedips_find_dst(
	const struct allowedips *t, const uint8_t *pkt, size_t len);
/* Calls back for each prefix, in order of addresses. */
void wg_allowedips_each(const struct allowedips *t,
	void (*fn)(void *ctx, struct ipprefix p, struct allowedips_owner *o), void *ctx);
/* Owners keep nothing. */
void wg_allowedips_fini(struct allowedips *t);

#endif

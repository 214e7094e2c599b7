/*
 * core/wg/allowedips: cryptokey routing. A binary trie with skipped bits, one per family: the longest prefix that
 * contains an address names the peer. A prefix belongs to one peer; setting it again moves it.
 */
#ifndef WARREN_CORE_WG_ALLOWEDIPS_H
#define WARREN_CORE_WG_ALLOWEDIPS_H

#include "base/netip/netip.h"

struct allowedips_node;

struct allowedips {
	struct allowedips_node *root4, *root6;
	size_t n;
};

/* 0, -ENOMEM. Host bits of the prefix are ignored. */
MUST_USE int allowedips_set(struct allowedips *t, struct ipprefix p, void *peer);
/* Takes away the prefix if it belongs to the peer. */
void allowedips_remove(struct allowedips *t, struct ipprefix p, const void *peer);
/* Takes away all prefixes of a peer: work in proportion to the table. */
void allowedips_remove_peer(struct allowedips *t, const void *peer);
/* NULL: nobody. addr has 4 or 16 bytes. */
void *allowedips_find4(const struct allowedips *t, const uint8_t addr[static 4]);
void *allowedips_find6(const struct allowedips *t, const uint8_t addr[static 16]);
/* The peer of the inner packet's source or destination; NULL for anything that is not IP. */
void *allowedips_find_src(const struct allowedips *t, const uint8_t *pkt, size_t len);
void *allowedips_find_dst(const struct allowedips *t, const uint8_t *pkt, size_t len);
/* Calls back for each prefix, in order of addresses. */
void allowedips_each(const struct allowedips *t, void (*fn)(void *ctx, struct ipprefix p, void *peer), void *ctx);
void allowedips_fini(struct allowedips *t);

#endif

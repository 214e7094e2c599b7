/*
 * daemon/dns: names on this device: binds the resolver (core/dns) to who asks and to who is asked.
 *
 *	programs here --UDP, packets of core/quad100--------------+                  +-- udp.c: sockets of their own
 *	programs here --TCP, turned round, to a listener of ours--+-- [ core/dns ] --+-- stream.c: TCP, TLS
 *	warren, the LocalAPI; peers by the PeerAPI (dnsd_ask)-----+                  +-- h2.c: DoH; exit.c: the exit node's PeerAPI
 *
 * Questions to servers go around the tunnel, but to servers that the tailnet has a route to, through it.
 */
#ifndef WARREN_DAEMON_DNS_DNSD_H
#define WARREN_DAEMON_DNS_DNSD_H

#include "base/list/list.h"
#include "core/dns/dns.h"
#include "core/quad100/quad100.h"
#include "daemon/dial/dialer.h"
#include "daemon/net/net.h"

struct dnsd;

struct dnsd_io_counters {
	uint64_t udp_sockets;           /* opened */
	uint64_t udp_late, stream_late; /* replies that nobody waited for any more */
	uint64_t udp_full, stream_full; /* exchanges that had no place */
	uint64_t streams;               /* opened */
	uint64_t tcp_clients, tcp_strangers,
		tcp_full;      /* taken; not from the service address; too many */
	uint64_t clients_full; /* questions over UDP that had no place */
};

MUST_USE int dnsd_new(struct dnsd **ret, struct engine *e, struct dialer *dialer);
struct dnsd *dnsd_free(struct dnsd *d);

/* Another engine begins; the one that is there ends. */
void dnsd_begun(struct dnsd *d);
void dnsd_ends(struct dnsd *d);
/* The engine's settings for names, or our addresses, are others. */
void dnsd_changed(struct dnsd *d);
/* What of the system was before us is asked for names that are nobody's: its servers. Copied. */
void dnsd_set_base(struct dnsd *d, const struct ipaddr *servers, size_t n);
void dnsd_network_changed(struct dnsd *d);
/* At the end of the turn. */
void dnsd_turn_end(struct dnsd *d);
mono_ns dnsd_deadline(const struct dnsd *d);
void dnsd_tick(struct dnsd *d, struct now now);

/* Somebody who asks: embedded by its owner. */
struct dnsd_asker {
	struct list link;
	uint64_t id;    /* by dnsd_join */
	uint64_t group; /* as of struct dns_client */
	bool peer;
	/* One for each question, maybe from inside dnsd_ask. msg: during the call. May leave. */
	void (*answer)(struct dnsd_asker *a, struct view msg);
};
void dnsd_join(struct dnsd *d, struct dnsd_asker *a);
/* Whatever was asked is not answered any more. Harmless twice. */
void dnsd_leave(struct dnsd *d, struct dnsd_asker *a);
/* A DNS message. False: it is no question, and there will be no answer. */
bool dnsd_ask(struct dnsd *d, struct dnsd_asker *a, struct view msg);

const struct dns *dnsd_engine(const struct dnsd *d);
const struct dnsd_io_counters *dnsd_io_counters(const struct dnsd *d);
const struct quad100_counters *dnsd_quad100_counters(const struct dnsd *d);

#endif
